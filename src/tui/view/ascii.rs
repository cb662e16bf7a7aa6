//! The screen without a character beyond ASCII, for the Linux console: its font has neither boxes' corners nor most signs.

use ratatui::buffer::Buffer;

/// What is drawn here, and what stands for it; the signs of endings stay apart from each other.
const PLAIN: [(&str, &str); 42] = [
    ("─", "-"),
    ("│", "|"),
    ("┌", "+"),
    ("┐", "+"),
    ("└", "+"),
    ("┘", "+"),
    ("…", "~"),
    ("·", "."),
    ("■", "#"),
    ("→", ">"),
    ("█", "#"),
    ("×", "x"),
    ("—", "-"),
    ("µ", "u"),
    ("▪", "."),
    ("▁", "_"),
    ("▂", "_"),
    ("▃", "-"),
    ("▄", "-"),
    ("▅", "="),
    ("▆", "="),
    ("▇", "#"),
    ("▹", "-"),
    ("✓", "+"),
    ("✗", "x"),
    ("†", "t"),
    ("‡", "T"),
    ("▸", ">"),
    ("¡", "i"),
    ("↷", "~"),
    ("∅", "n"),
    ("⊘", "%"),
    ("‖", "="),
    ("∞", "&"),
    ("◷", "@"),
    ("≠", "#"),
    ("↻", "o"),
    ("⊖", "-"),
    ("⊠", "X"),
    ("⊗", "*"),
    ("‹", "<"),
    ("›", ">"),
];

/// Puts plain characters in the place of ours; what others wrote (names in other scripts) stays, cell for cell.
pub(super) fn plain(buf: &mut Buffer) {
    for cell in &mut buf.content {
        if !cell.symbol().is_ascii()
            && let Some((_, plain)) = PLAIN.iter().find(|(sign, _)| *sign == cell.symbol())
        {
            cell.set_symbol(plain);
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
        let plain = |c: char| PLAIN.iter().find(|(sign, _)| *sign == c.to_string()).unwrap().1;
        let all: HashSet<_> = signs.chars().map(plain).chain(["?", "!", "/"]).collect();
        assert_eq!(all.len(), signs.chars().count() + 3);
        assert!(PLAIN.iter().all(|(_, plain)| plain.is_ascii() && plain.len() == 1));
        // `#2 x: 0 no-op` would read like a number.
        assert!(!PLAIN.iter().any(|(_, plain)| plain.bytes().all(|b| b.is_ascii_digit())));
    }
}
