//! Reads the fields of one JSON object without building a tree: most lines of a ledger are only looked at, never kept.

use serde::de::DeserializeOwned;

use crate::sys::search::{find, find_byte};

/// The text is not what the writer writes.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(crate) struct Malformed;

/// The keys and the raw values of an object, in their order. Hostile bytes give [`Malformed`], never a panic.
pub(crate) struct Fields<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Fields<'a> {
    /// `text` is an object and nothing else.
    pub(crate) fn of(text: &'a [u8]) -> Result<Self, Malformed> {
        let rest = text.strip_prefix(b"{").ok_or(Malformed)?;
        let ended = rest == b"}";
        Ok(Self { rest, ended })
    }

    /// Goes on at the field that begins with `begin`, a comma, the quoted key and a colon; does nothing if there is none.
    /// Of the fields between, nothing is checked. In JSON a quote within a string is escaped, so `begin` is a key.
    pub(crate) fn skip_to(&mut self, begin: &[u8]) {
        if let Some(at) = find(self.rest, begin).filter(|_| !self.ended) {
            self.rest = &self.rest[at + 1..];
        }
    }

    fn read(&mut self) -> Result<(&'a [u8], &'a [u8]), Malformed> {
        let key_ends = value_end(self.rest).filter(|_| self.rest.first() == Some(&b'"')).ok_or(Malformed)?;
        let key = &self.rest[1..key_ends - 1];
        let rest = self.rest[key_ends..].strip_prefix(b":").ok_or(Malformed)?;
        let ends = value_end(rest).ok_or(Malformed)?;
        let (value, rest) = rest.split_at(ends);
        match rest {
            b"}" => self.ended = true,
            [b',', more @ ..] => self.rest = more,
            _ => return Err(Malformed),
        }
        Ok((key, value))
    }
}

impl<'a> Iterator for Fields<'a> {
    type Item = Result<(&'a [u8], &'a [u8]), Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let field = self.read();
        self.ended |= field.is_err();
        Some(field)
    }
}

/// The raw values of an array.
pub(crate) struct Items<'a>(&'a [u8]);

impl<'a> Items<'a> {
    /// `text` is an array and nothing else.
    pub(crate) fn of(text: &'a [u8]) -> Result<Self, Malformed> {
        let inside = text.strip_prefix(b"[").and_then(|text| text.strip_suffix(b"]"));
        inside.map(Self).ok_or(Malformed)
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.0.is_empty() {
            return None;
        }
        let ends = match self.0[0] {
            b'"' | b'[' | b'{' => value_end(self.0).unwrap_or(0),
            _ => self.0.iter().position(|b| *b == b',').unwrap_or(self.0.len()),
        };
        let (value, rest) = self.0.split_at(ends);
        match rest {
            _ if value.is_empty() => self.0 = &[],
            [] => self.0 = rest,
            [b',', more @ ..] if !more.is_empty() => self.0 = more,
            _ => {
                self.0 = &[];
                return Some(Err(Malformed));
            }
        }
        Some(if value.is_empty() { Err(Malformed) } else { Ok(value) })
    }
}

/// The length of the value that `text` begins with.
fn value_end(text: &[u8]) -> Option<usize> {
    match text.first()? {
        b'"' => string_end(text, 0),
        b'{' | b'[' => {
            let (mut at, mut depth) = (0, 0usize);
            loop {
                match text.get(at)? {
                    b'"' => at = string_end(text, at)? - 1,
                    b'{' | b'[' => depth += 1,
                    b'}' | b']' => depth -= 1,
                    _ => {}
                }
                at += 1;
                if depth == 0 {
                    return Some(at);
                }
            }
        }
        _ => text.iter().position(|b| matches!(b, b',' | b'}' | b']')).filter(|length| *length > 0),
    }
}

/// Where the string ends that begins at `from`, its quotes included.
fn string_end(text: &[u8], from: usize) -> Option<usize> {
    let begin = from + 1;
    let mut at = begin;
    loop {
        at += find_byte(text.get(at..)?, b'"')?;
        // A quote after an odd number of backslashes is part of the string.
        let escapes = text[begin..at].iter().rev().take_while(|b| **b == b'\\').count();
        at += 1;
        if escapes % 2 == 0 {
            return Some(at);
        }
    }
}

/// The number in a raw value.
pub(crate) fn number<T: std::str::FromStr>(raw: &[u8]) -> Result<T, Malformed> {
    std::str::from_utf8(raw).ok().and_then(|text| text.parse().ok()).ok_or(Malformed)
}

/// Any value, by its own form.
pub(crate) fn value<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Malformed> {
    serde_json::from_slice(raw).map_err(|_| Malformed)
}

/// A string of plain text.
pub(crate) fn text(raw: &[u8]) -> Result<String, Malformed> {
    match raw {
        [b'"', inside @ .., b'"'] if !inside.contains(&b'\\') => {
            std::str::from_utf8(inside).map(str::to_owned).map_err(|_| Malformed)
        }
        _ => value(raw),
    }
}

/// A string without a backslash, as it is.
pub(crate) fn plain(raw: &[u8]) -> Option<&[u8]> {
    let inside = raw.strip_prefix(b"\"")?.strip_suffix(b"\"")?;
    (find_byte(inside, b'\\').is_none() && std::str::from_utf8(inside).is_ok()).then_some(inside)
}

/// A byte string: text that is escaped as all byte strings are ([`crate::abi::escape::json`]).
pub(crate) fn bytes(raw: &[u8]) -> Result<Vec<u8>, Malformed> {
    let text = text(raw)?;
    if !text.contains('\\') {
        return Ok(text.into_bytes());
    }
    crate::abi::escape::unescape(&text).ok_or(Malformed)
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn read(text: &[u8]) -> Option<Vec<(String, String)>> {
        let string = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        let fields: Result<Vec<_>, _> = Fields::of(text).ok()?.collect();
        Some(fields.ok()?.into_iter().map(|(key, value)| (string(key), string(value))).collect())
    }

    #[test]
    fn the_fields_of_an_object_are_read_in_their_order() {
        let text = br#"{"a":1,"b":"x\"},","c":{"d":[1,{"e":"]"}]},"f":[],"g":null}"#;
        let pairs = [("a", "1"), ("b", r#""x\"},""#), ("c", r#"{"d":[1,{"e":"]"}]}"#), ("f", "[]"), ("g", "null")];
        assert_eq!(read(text), Some(pairs.map(|(k, v)| (k.to_owned(), v.to_owned())).to_vec()));
        assert_eq!(read(b"{}"), Some(Vec::new()));
        for torn in [
            &b""[..],
            b"{",
            b"x",
            b"{\"a\"",
            b"{\"a\":",
            b"{\"a\":1",
            b"{\"a\":1,",
            b"{\"a\":\"x\\",
            b"{\"a\":1}x",
            b"{a:1}",
            b"{\"a\":}",
            b"{\"a\":[1}",
            b"{\"a\":1,}",
            b"{,}",
        ] {
            assert_eq!(read(torn), None, "{}", String::from_utf8_lossy(torn));
        }
    }

    #[test]
    fn the_items_of_an_array_are_read_in_their_order() {
        let of = |text: &'static str| Items::of(text.as_bytes()).and_then(|items| items.collect::<Result<Vec<_>, _>>());
        let items = |items: &[&'static str]| Ok(items.iter().map(|item| item.as_bytes()).collect::<Vec<_>>());
        assert_eq!(of("[]"), items(&[]));
        assert_eq!(of("[null,[1,\"a]\"],true]"), items(&["null", "[1,\"a]\"]", "true"]));
        assert_eq!(of("[{\"a\":[1]},2]"), items(&["{\"a\":[1]}", "2"]));
        for torn in ["", "[", "[,]", "[1,]", "[1,,2]", "[[1]", "[\"a]", "{}", "[1]2"] {
            assert_eq!(of(torn).err(), Some(Malformed), "{torn}");
        }
    }

    proptest! {
        #[test]
        fn hostile_bytes_never_panic(text in proptest::collection::vec(any::<u8>(), 0..200)) {
            let _ = read(&text);
            let array = [b"[", &text[..], b"]"].concat();
            let _ = Items::of(&array).map(Iterator::count);
            let object = [b"{\"a\":", &text[..], b"}"].concat();
            let _ = read(&object);
        }

        #[test]
        fn what_serde_json_writes_is_read(key in "[a-z]{1,8}", text in any::<String>(), number in any::<i64>()) {
            let written = serde_json::to_vec(&serde_json::json!({ key.clone(): [text.clone()], "n": number })).unwrap();
            let fields = read(&written).unwrap();
            prop_assert_eq!(fields.len(), if key == "n" { 1 } else { 2 });
            if key != "n" {
                let list: Vec<String> = value(fields.iter().find(|(k, _)| *k == key).unwrap().1.as_bytes()).unwrap();
                prop_assert_eq!(list, vec![text]);
            }
        }
    }
}
