//! Where a word is found in a text: as it stands, or by its letters in their order.

use std::ops::Range;

/// The byte ranges of `text` that a word matches: one for the word as it stands, or one for each letter. `None` if it does
/// not match. Both are lower case; `scattered` accepts letters with others between them.
pub fn find(word: &str, text: &str, scattered: bool) -> Option<Vec<Range<usize>>> {
    if let Some(at) = text.find(word) {
        return Some(std::iter::once(at..at + word.len()).collect());
    }
    if !scattered {
        return None;
    }
    let mut letters = text.char_indices();
    let wanted = word.chars().filter(|c| !c.is_whitespace());
    wanted.map(|c| letters.find(|(_, letter)| *letter == c).map(|(at, c)| at..at + c.len_utf8())).collect()
}

/// How well a word matches, the lowest best: at the beginning of a word, within one, by its letters in their order.
pub fn rank(word: &str, text: &str) -> Option<usize> {
    let found = find(word, text, true)?;
    let (first, last) = (found.first()?, found.last()?);
    if text[first.start..].starts_with(word) {
        let inside = text[..first.start].chars().next_back().is_some_and(char::is_alphanumeric);
        return Some(first.start + if inside { 200 } else { 0 });
    }
    Some(1_000 + last.start - first.start)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_word_is_found_as_it_stands_before_its_letters() {
        assert_eq!(find("conn", "nf_conntrack", true), Some(std::iter::once(3..7).collect()));
        assert_eq!(find("nfct", "nf_conntrack", true), Some(vec![0..1, 1..2, 3..4, 7..8]));
        assert_eq!(find("nfct", "nf_conntrack", false), None);
        assert_eq!(find("tcn", "nf_conntrack", true), None);
        assert_eq!(find("é漢", "né漢", true), Some(std::iter::once(1..6).collect()));
        assert_eq!(find("n漢", "né漢", true), Some(vec![0..1, 3..6]));
        assert_eq!(
            (rank("ate", "the gate"), rank("gate", "the gate"), rank("tgt", "the gate")),
            (Some(205), Some(4), Some(1006))
        );
        assert_eq!((rank("", "x"), rank("zz", "the gate")), (Some(0), None));
    }
}
