//! fnmatch(3) without flags, in the C locale: how libkmod matches aliases and the lines of modprobe.d(5).

use super::wildcard::wildcard;

/// Whether a pattern matches a name. `fold` is applied to each byte that stands for itself, not to the members of sets:
/// the name must be folded already.
pub fn fnmatch(pattern: &[u8], name: &[u8], fold: fn(u8) -> u8) -> bool {
    let is_run = |at: usize| pattern.get(at) == Some(&b'*');
    wildcard(name, pattern.len(), is_run, |at, byte| one(pattern, at, byte, fold))
}

/// Where the pattern goes on if its part at `p` matches the byte.
fn one(pattern: &[u8], p: usize, byte: u8, fold: fn(u8) -> u8) -> Option<usize> {
    let same = |own: u8| fold(own) == byte;
    match *pattern.get(p)? {
        b'?' => Some(p + 1),
        b'[' => match set(&pattern[p + 1..], byte) {
            Some((has, length)) => has.then_some(p + 1 + length),
            // A bracket that is not closed stands for itself.
            None => same(b'[').then_some(p + 1),
        },
        // At the end of the pattern it matches nothing.
        b'\\' => same(*pattern.get(p + 1)?).then_some(p + 2),
        own => same(own).then_some(p + 1),
    }
}

/// Whether the set that begins after `[` has the byte, and its length up to and with `]`. `None` if it has no end.
fn set(text: &[u8], byte: u8) -> Option<(bool, usize)> {
    let inverted = matches!(text.first(), Some(b'!' | b'^'));
    let from = usize::from(inverted);
    let (mut at, mut has) = (from, false);
    // A bracket in the first place is a member.
    while at == from || *text.get(at)? != b']' {
        if let Some((member, length)) = class(&text[at..], byte) {
            has |= member;
            at += length;
            continue;
        }
        let (low, after) = member(text, at)?;
        let (high, after) = match text.get(after..after + 2) {
            Some([b'-', end]) if *end != b']' => member(text, after + 1)?,
            _ => (low, after),
        };
        has |= (low..=high).contains(&byte);
        at = after;
    }
    Some((has != inverted, at + 1))
}

/// A member of a set, which a backslash may precede, and where the text goes on.
fn member(text: &[u8], at: usize) -> Option<(u8, usize)> {
    match *text.get(at)? {
        b'\\' => Some((*text.get(at + 1)?, at + 2)),
        own => Some((own, at + 1)),
    }
}

/// A named class, as `[:digit:]`: whether it has the byte, and its length.
fn class(text: &[u8], byte: u8) -> Option<(bool, usize)> {
    let rest = text.strip_prefix(b"[:")?;
    let end = rest.windows(2).position(|pair| pair == b":]")?;
    let has = match &rest[..end] {
        b"alnum" => byte.is_ascii_alphanumeric(),
        b"alpha" => byte.is_ascii_alphabetic(),
        b"blank" => matches!(byte, b' ' | b'\t'),
        b"cntrl" => byte.is_ascii_control(),
        b"digit" => byte.is_ascii_digit(),
        b"graph" => byte.is_ascii_graphic(),
        b"lower" => byte.is_ascii_lowercase(),
        b"print" => matches!(byte, b' '..=b'~'),
        b"punct" => byte.is_ascii_punctuation(),
        b"space" => byte.is_ascii_whitespace() || byte == 0x0b,
        b"upper" => byte.is_ascii_uppercase(),
        b"xdigit" => byte.is_ascii_hexdigit(),
        _ => return None,
    };
    Some((has, end + 4))
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    fn same(byte: u8) -> u8 {
        byte
    }

    #[test]
    fn sets_are_those_of_fnmatch() {
        for (pattern, yes, no) in [
            ("[ab]", "a", "c"),
            ("[!ab]", "c", "a"),
            ("[^a]", "b", "a"),
            ("[]x]", "]", "a"),
            ("[!]x]", "a", "]"),
            ("[a-c]", "b", "d"),
            ("[a-]", "-", "b"),
            ("[", "[", "a"),
            ("[a", "[a", "a"),
            ("\\*", "*", "a"),
            ("[\\]x]", "]", "\\"),
            ("a[[:digit:]x]", "a7", "ad"),
            ("[[:nonsense:]]", ":]", "x"),
            ("a-b", "a-b", "a_b"),
            ("*-*", "a-", "a_"),
        ] {
            assert!(fnmatch(pattern.as_bytes(), yes.as_bytes(), same), "{pattern} {yes}");
            assert!(!fnmatch(pattern.as_bytes(), no.as_bytes(), same), "{pattern} {no}");
        }
        assert!(!fnmatch(b"a\\", b"a\\", same), "a backslash at the end matches nothing");
    }

    /// The same, by trying every end of each `*`.
    fn plainly(pattern: &[u8], name: &[u8]) -> bool {
        match (pattern.first(), name.first()) {
            (None, None) => true,
            (Some(b'*'), _) => plainly(&pattern[1..], name) || !name.is_empty() && plainly(pattern, &name[1..]),
            (Some(_), Some(byte)) => {
                one(pattern, 0, *byte, same).is_some_and(|next| plainly(&pattern[next..], &name[1..]))
            }
            _ => false,
        }
    }

    proptest! {
        #[test]
        fn a_pattern_matches_as_the_plain_definition_says(pattern in "[ab*?\\[\\]!^:\\\\-]{0,9}", name in "[ab_]{0,9}") {
            let (pattern, name) = (pattern.as_bytes(), name.as_bytes());
            prop_assert_eq!(fnmatch(pattern, name, same), plainly(pattern, name));
        }
    }
}
