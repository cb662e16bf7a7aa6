//! Drawing on a terminal that shows only ASCII: a locale that is not UTF-8, a serial line, the Linux console. Each
//! symbol of the console has an ASCII replacement of the same width. Other text that is not ASCII comes from outside
//! and is escaped like [`crate::abi::escape::screen`] escapes it: `\xNN` for each byte.
//!
//! Escaping makes text longer, so it has to happen before the text is measured. One thread draws and updates. It sets a
//! thread-local flag while it does so ([`only`]), and [`crate::tui::text`] reads the flag.

use std::borrow::Cow;
use std::cell::Cell;
use std::fmt::Write as _;

use ratatui::buffer::Buffer;

thread_local! {
    static ONLY: Cell<bool> = const { Cell::new(false) };
}

/// The symbols that the console draws, each with its ASCII replacement. The symbols of different outcomes stay
/// distinct.
const PLAIN: [(char, char); 52] = [
    ('─', '-'),
    ('━', '='),
    ('┬', '+'),
    ('┼', '+'),
    ('├', '+'),
    ('┤', '+'),
    ('●', '*'),
    ('▐', '#'),
    ('│', '|'),
    ('╭', '+'),
    ('╮', '+'),
    ('╰', '+'),
    ('└', '+'),
    ('╯', '+'),
    ('…', '~'),
    ('·', '.'),
    ('■', '#'),
    ('→', '>'),
    ('█', '#'),
    ('×', 'x'),
    ('—', '-'),
    ('µ', 'u'),
    ('▪', '.'),
    ('▁', '_'),
    ('▂', '_'),
    ('▃', '-'),
    ('▄', '-'),
    ('▅', '='),
    ('▆', '='),
    ('▇', '#'),
    ('▹', '-'),
    ('✓', '+'),
    ('✗', 'x'),
    ('†', 't'),
    ('‡', 'T'),
    ('▸', '>'),
    ('¡', 'i'),
    ('↷', '~'),
    ('∅', 'n'),
    ('⊘', '%'),
    ('‖', '='),
    ('∞', '&'),
    ('◷', '@'),
    ('≠', '#'),
    ('↻', 'o'),
    ('⊖', '-'),
    ('⊠', 'X'),
    ('⊗', '*'),
    ('‹', '<'),
    ('›', '>'),
    ('↓', 'v'),
    ('↑', '^'),
];

/// The ASCII replacement of one of the console's own symbols.
fn plain(sign: char) -> Option<char> {
    PLAIN.iter().find(|(known, _)| *known == sign).map(|(_, plain)| *plain)
}

/// Keeps the setting of [`only`] for this thread until it is dropped.
#[must_use]
pub(super) struct Only(bool);

/// Sets whether this thread draws only ASCII.
pub(super) fn only(ascii: bool) -> Only {
    Only(ONLY.replace(ascii))
}

impl Drop for Only {
    fn drop(&mut self) {
        ONLY.set(self.0);
    }
}

/// Text as it is drawn: symbols are replaced by ASCII characters, the rest is escaped.
pub(super) fn text(text: &str) -> Cow<'_, str> {
    if !ONLY.get() || text.is_ascii() {
        return text.into();
    }
    escaped(text, plain).into()
}

/// Bytes from outside as they are drawn: escaped by [`crate::abi::escape::screen`], and then everything that is not
/// ASCII.
pub(super) fn data(bytes: &[u8]) -> String {
    let shown = crate::abi::escape::screen(bytes);
    if ONLY.get() && !shown.is_ascii() { escaped(&shown, |_| None) } else { shown }
}

fn escaped(text: &str, plain: impl Fn(char) -> Option<char>) -> String {
    let mut out = String::with_capacity(text.len());
    for c in text.chars() {
        if let Some(c) = Some(c).filter(char::is_ascii).or_else(|| plain(c)) {
            out.push(c);
            continue;
        }
        for byte in c.encode_utf8(&mut [0; 4]).bytes() {
            // Writing to a String cannot fail.
            let _ = write!(out, "\\x{byte:02x}");
        }
    }
    out
}

/// The last pass over a drawn page replaces the symbols that were drawn without [`text`]. Nothing but ASCII is left.
pub(super) fn pass(buf: &mut Buffer) {
    for cell in &mut buf.content {
        if !cell.symbol().is_ascii() {
            let mut chars = cell.symbol().chars();
            let sign = chars.next().and_then(plain).filter(|_| chars.next().is_none());
            cell.set_char(sign.unwrap_or('?'));
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::collections::HashSet;

    #[test]
    fn endings_stay_apart() {
        let signs = "✓✗†‡▸¡↷∅⊘‖∞◷≠↻⊖⊠⊗";
        let all: HashSet<_> = signs.chars().map(|c| plain(c).unwrap()).chain(['?', '!', '/']).collect();
        assert_eq!(all.len(), signs.chars().count() + 3);
        assert!(PLAIN.iter().all(|(_, plain)| plain.is_ascii_graphic()));
        // `#2 x: 0 no-op` would read like a number.
        assert!(!PLAIN.iter().any(|(_, plain)| plain.is_ascii_digit()));
    }

    #[test]
    fn text_is_escaped_while_it_is_asked_for() {
        assert_eq!((text("✓ é"), data("✓ é".as_bytes())), ("✓ é".into(), "✓ é".to_owned()));
        let outer = only(true);
        assert_eq!(
            (text("✓ é\\x1b"), data("✓\x1b".as_bytes())),
            (r"+ \xc3\xa9\x1b".into(), r"\xe2\x9c\x93\x1b".to_owned())
        );
        {
            let _inner = only(false);
            assert_eq!(text("é"), "é");
        }
        assert_eq!(text("é"), r"\xc3\xa9");
        drop(outer);
        assert_eq!(text("é"), "é");
    }
}
