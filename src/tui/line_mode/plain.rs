//! A drawn row as a line of words: without rules, bars and padding, and with words for the signs that have no word
//! beside them.

use crate::tui::model::Tab;

/// Signs that only draw.
const DRAWN: &str = "─━│┌┐└┘╭╮╰╯├┤┬┴┼┄╴╶╷╵╸╺▐";
/// Signs of bars; three or more of them are a bar.
const BARS: &str = "■·█";
/// A box of the Masks and what the draft changes, as they are drawn, and as one cell.
const CHANGES: [(&str, &str); 4] =
    [("■]   · drops", "■→·]"), ("■    · drops", "■→·"), ("·]   ✗ lost", "·→✗]"), ("·    ✗ lost", "·→✗")];
/// Signs of outcomes and states. The words beside them say the same.
const BESIDE_WORDS: &str = "✓✗†‡∞‖◷↷∅⊘▸▹▪●◐¡↻≠⊗";

/// The row as words; columns are two blanks apart.
pub(super) fn words(row: &str, tab: Option<Tab>) -> String {
    let mut out = String::new();
    let drawn = |c: char| if DRAWN.contains(c) { ' ' } else { c };
    let row: String = without_bars(row).chars().map(drawn).collect();
    let row = match tab {
        Some(Tab::Masks) => CHANGES.iter().fold(row, |row, (drawn, cell)| row.replace(drawn, cell)),
        _ => row.replace(" · ", ", "),
    };
    let mut rest = row.trim();
    while !rest.is_empty() {
        let end = rest.find(' ').unwrap_or(rest.len());
        let (token, after) = rest.split_at(end);
        let next = after.trim_start_matches(' ');
        let gap = (after.len() - next.len()).min(2);
        let said = said(token, tab);
        if !said.is_empty() {
            out.push_str(&said);
            out.push_str(&"  "[..gap]);
        }
        rest = next;
    }
    out.trim_end().to_owned()
}

/// A token with words for its sign.
fn said(token: &str, tab: Option<Tab>) -> String {
    if tab == Some(Tab::Masks) {
        let open = token.strip_prefix('[').and_then(|token| token.strip_suffix(']'));
        let cell = match open.unwrap_or(token) {
            "■" => Some("has"),
            "·" => Some("lacks"),
            "■→·" => Some("has, the draft drops it"),
            "·→✗" => Some("lacks, cannot be regained"),
            _ => None,
        };
        if let Some(cell) = cell {
            return if open.is_some() { format!("[{cell}]") } else { cell.to_owned() };
        }
    }
    let mut chars = token.chars();
    match (chars.next(), chars.as_str()) {
        (Some(c), "") if BESIDE_WORDS.contains(c) => String::new(),
        (Some('×'), times) if times.starts_with(|c: char| c.is_ascii_digit()) => {
            let digits = times.trim_end_matches(|c: char| !c.is_ascii_digit());
            format!("{digits} times{}", &times[digits.len()..])
        }
        _ => token.replace('→', " to ").replace('…', "..."),
    }
}

fn without_bars(row: &str) -> String {
    let mut out = String::with_capacity(row.len());
    let mut bar = String::new();
    for c in row.chars().chain(std::iter::once('\0')) {
        if BARS.contains(c) {
            bar.push(c);
            continue;
        }
        if bar.chars().count() < 3 {
            out.push_str(&bar);
        }
        bar.clear();
        out.extend((c != '\0').then_some(c));
    }
    out
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn what_is_drawn_becomes_words() {
        for (row, line) in [
            ("─ Knobs ━━━━━━━━━━ enter changes one ─", "Knobs  enter changes one"),
            (" ■■■■···· 31 of 47, peak 33 ", "31 of 47, peak 33"),
            (
                " ∞   ×30 dummy               refused by the limit (ENOMEM) 12:03:44",
                "30 times dummy  refused by the limit (ENOMEM) 12:03:44",
            ),
            (" calls in flight 21 · live helpers 22", "calls in flight 21, live helpers 22"),
            ("mask … 3 more", "mask ... 3 more"),
            ("stuck ×3, pid 7", "stuck 3 times, pid 7"),
            ("a -> b  ×x ■", "a -> b  ×x ■"),
            ("", ""),
        ] {
            assert_eq!(words(row, None), line, "{row}");
        }
        let masks = |row| words(row, Some(Tab::Masks));
        assert_eq!(
            masks("  cap_chown     [■→·]    ·→✗    bounding"),
            "cap_chown  [has, the draft drops it]  lacks, cannot be regained  bounding"
        );
        assert_eq!(
            masks(" > cap_chown             [■]   · drops  ·    ✗ lost   ■    Change"),
            "> cap_chown  [has, the draft drops it]  lacks, cannot be regained  has  Change"
        );
        assert_eq!(masks("> cap_kill       ■       ·       none"), "> cap_kill  has  lacks  none");
    }
}
