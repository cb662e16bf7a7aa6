//! Text measured in cells. Every character takes one cell, because characters of another width are escaped before
//! ([`screen`]). Cut text ends in a mark.

use super::ascii;

/// The mark of cut text.
pub const CUT: char = '…';

/// The width of `text` in cells.
pub fn width(text: &str) -> usize {
    ascii::text(text).chars().count()
}

/// Bytes from outside, escaped for the terminal.
pub fn screen(bytes: &[u8]) -> String {
    ascii::data(bytes)
}

/// Cuts to `columns` cells; cut text ends in [`CUT`].
pub fn fit(text: &str, columns: usize) -> String {
    let text = ascii::text(text);
    if width(&text) <= columns {
        return text.into_owned();
    }
    if columns == 0 {
        return String::new();
    }
    let mut out = head(&text, columns - 1).to_owned();
    out.push(CUT);
    out
}

/// Cuts to `columns` cells, or pads with blanks.
pub fn pad(text: &str, columns: usize) -> String {
    let mut out = fit(text, columns);
    let used = width(&out);
    out.extend(std::iter::repeat_n(' ', columns.saturating_sub(used)));
    out
}

/// The longest beginning that takes at most `columns` cells.
pub fn head(text: &str, columns: usize) -> &str {
    text.char_indices().nth(columns).map_or(text, |(at, _)| &text[..at])
}

/// The longest end that takes at most `columns` cells.
pub fn tail(text: &str, columns: usize) -> &str {
    let before = width(text).saturating_sub(columns);
    text.char_indices().nth(before).map_or("", |(at, _)| &text[at..])
}

/// Breaks into lines of at most `columns` cells, at blanks and commas where possible; blanks at a break are dropped.
pub fn wrap(text: &str, columns: usize) -> Vec<String> {
    broken(text, columns, &[' ', ','], str::trim_end, str::trim_start)
}

/// Breaks only at blanks, where possible, and keeps all of them: the lines joined are the text.
pub fn fold(text: &str, columns: usize) -> Vec<String> {
    broken(text, columns, &[' '], |line| line, |rest| rest)
}

fn broken(
    text: &str,
    columns: usize,
    at: &[char],
    line_of: fn(&str) -> &str,
    rest_of: fn(&str) -> &str,
) -> Vec<String> {
    let columns = columns.max(1);
    let text = ascii::text(text);
    let mut lines = Vec::new();
    let mut rest = &*text;
    while width(rest) > columns {
        let fits = head(rest, columns);
        let next_is_blank = rest[fits.len()..].starts_with(' ');
        let line = match fits.rfind(at) {
            Some(at) if !next_is_blank && at > 0 => &fits[..=at],
            _ => fits,
        };
        lines.push(line_of(line).to_owned());
        rest = rest_of(&rest[line.len()..]);
    }
    if !rest.is_empty() || lines.is_empty() {
        lines.push(rest.to_owned());
    }
    lines
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    #[test]
    fn what_is_cut_is_marked() {
        assert_eq!(fit("modprobe", 8), "modprobe");
        assert_eq!(fit("modprobe", 5), "modp…");
        assert_eq!((pad("née", 4), pad("naïveté", 4)), ("née ".into(), "naï…".into()));
        assert_eq!((tail("né", 1), tail("né", 3), tail("né", 0)), ("é", "né", ""));
        assert_eq!(fit("x", 0), "");
    }

    #[test]
    fn lines_break_at_blanks() {
        assert_eq!(wrap("one two three", 8), ["one two", "three"]);
        assert_eq!(wrap("cap_a,cap_b,cap_c", 12), ["cap_a,cap_b,", "cap_c"]);
        assert_eq!(wrap("abcdefgh", 3), ["abc", "def", "gh"]);
        assert_eq!(wrap("", 3), [""]);
        assert_eq!((wrap("'a   b'", 3).concat(), fold("'a   b'", 3).concat()), ("'ab'".into(), "'a   b'".into()));
    }

    proptest! {
        #[test]
        fn nothing_is_wider_than_asked(text in "\\PC{0,40}", columns in 2usize..30) {
            prop_assert!(width(&fit(&text, columns)) <= columns);
            prop_assert_eq!(width(&pad(&text, columns)), columns);
            for line in wrap(&text, columns).iter().chain(&fold(&text, columns)) {
                prop_assert!(width(line) <= columns);
            }
            prop_assert_eq!(fold(&text, columns).concat(), text);
        }
    }
}
