//! Reads the fields of one JSON object without building a tree: most lines of a ledger are only looked at, never kept.

use serde::de::DeserializeOwned;

use crate::control::from_json;
use crate::sys::search::find;

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
        text.strip_prefix(b"{").map(Self::after).ok_or(Malformed)
    }

    /// `rest` is what an object has after its brace, or after one of its commas.
    pub(crate) fn after(rest: &'a [u8]) -> Self {
        let ended = rest == b"}";
        Self { rest, ended }
    }

    /// Goes on at the field that begins with `begin`, a comma, the quoted key and a colon; does nothing if there is none.
    /// Of the fields between, nothing is checked. In JSON a quote within a string is escaped, so `begin` is a key.
    pub(crate) fn skip_to(&mut self, begin: &[u8]) {
        if let Some(at) = find(self.rest, begin).filter(|_| !self.ended) {
            self.rest = &self.rest[at + 1..];
        }
    }

    fn read(&mut self) -> Result<(&'a [u8], &'a [u8]), Malformed> {
        let text = self.rest;
        if text.first() != Some(&b'"') {
            return Err(Malformed);
        }
        let from = string_end(text, 0).ok_or(Malformed)? + 1;
        let ends = value_end(text, from).ok_or(Malformed)?;
        match text[ends] {
            b',' => self.rest = &text[ends + 1..],
            b'}' if ends + 1 == text.len() => self.ended = true,
            _ => return Err(Malformed),
        }
        if text[from - 1] == b':' { Ok((&text[1..from - 2], &text[from..ends])) } else { Err(Malformed) }
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
pub(crate) struct Items<'a> {
    rest: &'a [u8],
    ended: bool,
}

impl<'a> Items<'a> {
    /// `text` is an array and nothing else.
    pub(crate) fn of(text: &'a [u8]) -> Result<Self, Malformed> {
        let rest = text.strip_prefix(b"[").ok_or(Malformed)?;
        Ok(Self { rest, ended: rest == b"]" })
    }

    fn read(&mut self) -> Result<&'a [u8], Malformed> {
        let text = self.rest;
        let ends = value_end(text, 0).ok_or(Malformed)?;
        match text[ends] {
            b',' => self.rest = &text[ends + 1..],
            b']' if ends + 1 == text.len() => self.ended = true,
            _ => return Err(Malformed),
        }
        Ok(&text[..ends])
    }
}

impl<'a> Iterator for Items<'a> {
    type Item = Result<&'a [u8], Malformed>;

    fn next(&mut self) -> Option<Self::Item> {
        if self.ended {
            return None;
        }
        let item = self.read();
        self.ended |= item.is_err();
        Some(item)
    }
}

/// Where the value ends that begins at `from`: at the comma or the bracket after it. `None` if there is no value, or if
/// the text ends before. These loops run for every byte of most lines of a ledger, so they call nothing.
fn value_end(text: &[u8], from: usize) -> Option<usize> {
    let (mut at, mut depth) = (from, 0usize);
    loop {
        match *text.get(at)? {
            b'0'..=b'9' => {}
            b'"' => loop {
                at += 1;
                match *text.get(at)? {
                    b'"' => break,
                    b'\\' => at += 1,
                    _ => {}
                }
            },
            b',' | b'}' | b']' if depth == 0 => return (at > from).then_some(at),
            b'{' | b'[' => depth += 1,
            b'}' | b']' => depth -= 1,
            _ => {}
        }
        at += 1;
    }
}

/// Where the string ends that begins at `from`, its quotes included.
fn string_end(text: &[u8], from: usize) -> Option<usize> {
    let mut at = from;
    loop {
        at += 1;
        match *text.get(at)? {
            b'"' => return Some(at + 1),
            b'\\' => at += 1,
            _ => {}
        }
    }
}

/// The number in a raw value.
pub(crate) fn number<T: TryFrom<u64> + TryFrom<i64>>(raw: &[u8]) -> Result<T, Malformed> {
    let is_negative = raw.first() == Some(&b'-');
    let digits = &raw[usize::from(is_negative)..];
    let (n, length) = leading_number(digits).ok_or(Malformed)?;
    let n = match is_negative {
        _ if length < digits.len() => None,
        false => T::try_from(n).ok(),
        true => 0i64.checked_sub_unsigned(n).and_then(|n| T::try_from(n).ok()),
    };
    n.ok_or(Malformed)
}

/// The number that a text begins with, and how many digits it has.
pub(crate) fn leading_number(text: &[u8]) -> Option<(u64, usize)> {
    let (mut n, mut length) = (0u64, 0);
    // Sixteen digits always fit.
    while length < 16
        && let Some(eight) = text.get(length..length + 8).and_then(eight_digits)
    {
        n = n * 100_000_000 + eight;
        length += 8;
    }
    for b in &text[length..] {
        let digit = u64::from(b.wrapping_sub(b'0'));
        if digit > 9 {
            break;
        }
        n = n.checked_mul(10)?.checked_add(digit)?;
        length += 1;
    }
    (length > 0).then_some((n, length))
}

/// The number of eight digits, all at once: times are long, and each line has one.
fn eight_digits(text: &[u8]) -> Option<u64> {
    const ZEROS: u64 = u64::from_le_bytes(*b"00000000");
    const HIGH: u64 = u64::from_le_bytes([0xf0; 8]);
    const SIX: u64 = u64::from_le_bytes([6; 8]);
    let digits = u64::from_le_bytes(text.try_into().ok()?);
    // A byte is a digit if it is 0x3N, also with six more. No byte above 0xf9 gets so far, so nothing is carried over.
    if digits & HIGH != ZEROS || digits.wrapping_add(SIX) & HIGH != ZEROS {
        return None;
    }
    // Pairs of digits, then of pairs, then of fours; the first digit is the lowest byte.
    let ones = digits - ZEROS;
    let pairs = (ones * 10 + (ones >> 8)) & 0x00ff_00ff_00ff_00ff;
    let fours = (pairs * 100 + (pairs >> 16)) & 0x0000_ffff_0000_ffff;
    Some((fours * 10_000 + (fours >> 32)) & 0xffff_ffff)
}

/// Any value, by its own form.
pub(crate) fn value<T: DeserializeOwned>(raw: &[u8]) -> Result<T, Malformed> {
    from_json::parse(raw).map_err(|_| Malformed)
}

/// A list of strings.
pub(crate) fn texts(raw: &[u8]) -> Result<Vec<String>, Malformed> {
    Items::of(raw)?.map(|item| text(item?)).collect()
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

/// A string of ASCII without a backslash, as it is.
pub(crate) fn plain(raw: &[u8]) -> Option<&[u8]> {
    let [b'"', inside @ .., b'"'] = raw else { return None };
    inside.iter().all(|b| b.is_ascii() && *b != b'\\').then_some(inside)
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
        fn a_number_is_what_the_standard_library_reads(text in "[-0-9]{0,3}[0-9:/]{0,24}") {
            // A negative zero is read, though no writer writes it.
            prop_assume!(!text.starts_with("-0"));
            let length = text.bytes().take_while(u8::is_ascii_digit).count();
            let leading = text[..length].parse().ok().map(|n: u64| (n, length));
            prop_assert_eq!(leading_number(text.as_bytes()), leading, "{}", text);
            prop_assert_eq!(number::<i64>(text.as_bytes()).ok(), text.parse().ok(), "{}", text);
            prop_assert_eq!(number::<i32>(text.as_bytes()).ok(), text.parse().ok(), "{}", text);
            prop_assert_eq!(number::<u64>(text.as_bytes()).ok(), text.parse().ok(), "{}", text);
        }

        #[test]
        fn eight_digits_are_read_at_once(n in 0u64..100_000_000, at in 0usize..8, byte in any::<u8>()) {
            let mut text = format!("{n:08}").into_bytes();
            prop_assert_eq!(eight_digits(&text), Some(n));
            text[at] = byte;
            let is_number = byte.is_ascii_digit();
            prop_assert_eq!(eight_digits(&text).is_some(), is_number);
        }

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
