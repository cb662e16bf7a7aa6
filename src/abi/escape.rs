//! Escapes hostile bytes for the screen and for JSON. One rule for both: a byte that is not text becomes `\xNN` and a
//! backslash is doubled, so that the escaped text can be read back.

use std::fmt::Write as _;

/// For a terminal, a log or a line of text: control characters, escapes, newlines, DEL, C1 controls,
/// bidirectional controls, wide, zero-width and combining characters, those that join the character before them, and
/// invalid UTF-8 become `\xNN` for each byte: every remaining character takes one cell on every terminal.
pub fn screen(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    screen_to(&mut out, bytes);
    out
}

/// The same, at the end of `out`.
pub fn screen_to(out: &mut String, bytes: &[u8]) {
    let plain = bytes.iter().all(|b| matches!(b, b' '..=b'~') && *b != b'\\');
    match std::str::from_utf8(bytes) {
        Ok(text) if plain => out.push_str(text),
        _ => escape(out, bytes, harmless),
    }
}

/// The same in quotes, as a part of a sentence: a quote in it becomes `\x22`, so that a name cannot end its own quotes and
/// go on with words that look like ours.
pub fn quoted(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len() + 2);
    quoted_to(&mut out, bytes);
    out
}

/// The same, at the end of `out`.
pub fn quoted_to(out: &mut String, bytes: &[u8]) {
    out.push('"');
    for (number, part) in bytes.split(|b| *b == b'"').enumerate() {
        if number > 0 {
            hex(out, b"\"");
        }
        screen_to(out, part);
    }
    out.push('"');
}

/// For text with parts that [`screen`] has already escaped: escapes the same characters, but keeps backslashes single.
pub fn screen_again(text: &str) -> String {
    screen(text.as_bytes()).replace("\\\\", "\\")
}

/// For a JSON string: what is not UTF-8 is `\xNN` for each byte, and a backslash is doubled. So is what serde_json would
/// leave as it is and a terminal would follow: DEL, C1 controls, bidirectional controls and separators of lines. The
/// control characters below a blank are escaped by serde_json.
pub fn json(bytes: &[u8]) -> String {
    let mut out = String::with_capacity(bytes.len());
    escape(
        &mut out,
        bytes,
        |c| !matches!(c, '\u{7f}'..='\u{9f}' | '\u{61c}' | '\u{200e}' | '\u{200f}' | '\u{2028}'..='\u{202e}' | '\u{2066}'..='\u{2069}'),
    );
    out
}

fn escape(out: &mut String, bytes: &[u8], keep: impl Fn(char) -> bool) {
    for chunk in bytes.utf8_chunks() {
        for c in chunk.valid().chars() {
            if c == '\\' {
                out.push_str("\\\\");
            } else if keep(c) {
                out.push(c);
            } else {
                let mut buf = [0; 4];
                hex(out, c.encode_utf8(&mut buf).as_bytes());
            }
        }
        hex(out, chunk.invalid());
    }
}

fn hex(out: &mut String, bytes: &[u8]) {
    for b in bytes {
        // Writing to a String cannot fail.
        let _ = write!(out, "\\x{b:02x}");
    }
}

/// Whether a character may reach a terminal as it is: it takes one cell and changes nothing else. Halfwidth sound marks
/// have a cell of their own on some terminals, and none on others.
fn harmless(c: char) -> bool {
    if c.is_control() {
        return false;
    }
    c.is_ascii()
        || unicode_width::UnicodeWidthChar::width(c).is_some_and(|w| w == 1)
            && !matches!(c, '\u{2028}' | '\u{2029}' | '\u{00ad}' | '\u{ff9e}' | '\u{ff9f}')
}

/// Reads [`screen`] or [`json`] text back into bytes; `None` if it was not made by them.
pub fn unescape(text: &str) -> Option<Vec<u8>> {
    let mut out = Vec::with_capacity(text.len());
    let mut bytes = text.bytes();
    while let Some(b) = bytes.next() {
        if b != b'\\' {
            out.push(b);
            continue;
        }
        match bytes.next()? {
            b'\\' => out.push(b'\\'),
            b'x' => {
                let digit = |b: u8| char::from(b).to_digit(16);
                let (high, low) = (digit(bytes.next()?)?, digit(bytes.next()?)?);
                out.push(u8::try_from(high * 16 + low).ok()?);
            }
            _ => return None,
        }
    }
    Some(out)
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn hostile_bytes_are_shown_escaped() {
        assert_eq!(screen(b"a\x1b[31mb\n\t\\\xff"), "a\\x1b[31mb\\x0a\\x09\\\\\\xff");
        assert_eq!(screen("e\u{301}\u{200b}\u{202e}".as_bytes()), "e\\xcc\\x81\\xe2\\x80\\x8b\\xe2\\x80\\xae");
        assert_eq!(screen("\u{9b}31m".as_bytes()), "\\xc2\\x9b31m");
        assert_eq!(screen("é漢".as_bytes()), "é\\xe6\\xbc\\xa2");
        assert_eq!(screen("👍🏽ｶ\u{ff9e}".as_bytes()), "\\xf0\\x9f\\x91\\x8d\\xf0\\x9f\\x8f\\xbdｶ\\xef\\xbe\\x9e");
        assert_eq!(json(b"-q -- foo\n"), "-q -- foo\n");
        assert_eq!(json(b"\xc3\x28\\x"), "\\xc3(\\\\x");
        assert_eq!(json("\u{9b}2J\u{202e}\x7fé".as_bytes()), "\\xc2\\x9b2J\\xe2\\x80\\xae\\x7fé");
    }

    #[test]
    fn a_name_cannot_leave_its_quotes() {
        assert_eq!(quoted(b"fs-x\", by \"root\n"), "\"fs-x\\x22, by \\x22root\\x0a\"");
        assert_eq!((&*quoted(b""), &*quoted(b"a\\b")), ("\"\"", "\"a\\\\b\""));
    }

    proptest! {
        #[test]
        fn what_is_shown_can_be_read_back(bytes in proptest::collection::vec(any::<u8>(), 0..64)) {
            prop_assert_eq!(unescape(&screen(&bytes)), Some(bytes.clone()));
            prop_assert_eq!(unescape(&json(&bytes)), Some(bytes.clone()));
            let quoted = quoted(&bytes);
            let inner = &quoted[1..quoted.len() - 1];
            prop_assert!(!inner.contains('"') && unescape(inner) == Some(bytes.clone()), "{}", quoted);
            prop_assert!(!screen(&bytes).chars().any(char::is_control));
        }
    }
}
