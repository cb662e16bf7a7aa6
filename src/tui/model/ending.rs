//! The short forms of how requests ended.

use crate::tui::text;

/// How a request ended, in at most `columns` cells: without the raw status, and with a short form for a refusal.
pub fn short_ending(words: &str, has_errno: bool, columns: usize) -> String {
    let words = match words.split_once(" (raw ") {
        Some((before, rest)) => format!("{before}{}", rest.split_once(')').map_or("", |(_, after)| after)),
        None => words.to_owned(),
    };
    if text::width(&words) <= columns {
        return words;
    }
    let shorter = words
        .replace("refused by the ", "refused: ")
        .replace("denied by ", "denied: ")
        .replace("abandoned by the caller, the helper still runs", "abandoned, runs on");
    // The errno is never cut: without room for it and the first word, it is left out.
    match shorter.rfind(" (") {
        Some(at) if has_errno && text::width(&shorter) > columns => {
            let (words, errno) = shorter.split_at(at);
            let room = columns.saturating_sub(text::width(errno));
            let least = words.split(' ').next().map_or(0, text::width);
            if room > least { text::fit(words, room) + errno } else { text::fit(words, columns) }
        }
        _ => shorter,
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::text::outcome::ended_in_words;
    use crate::tui::testing::fixtures;

    #[test]
    fn an_errno_is_never_cut() {
        for (stage, errno) in fixtures::REFUSALS {
            let record = fixtures::refused(1, b"x", stage, errno, "why");
            let ending = ended_in_words(&record);
            for columns in [16, 23, 40, 80] {
                let words = short_ending(&ending.words, true, columns);
                let whole = words.ends_with(&format!(" ({errno:?})")) || (columns < 40 && !words.contains('('));
                assert!(whole && text::width(&words) <= columns, "{words}");
            }
        }
        let killed = fixtures::record(1, b"x", 0x8b);
        assert_eq!(short_ending(&ended_in_words(&killed).words, false, 40), "killed by SIGSEGV, core dumped");
    }
}
