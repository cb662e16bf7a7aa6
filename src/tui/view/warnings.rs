//! The warnings strip.

use ratatui::text::Line;

use crate::tui::model::{Model, warnings};
use crate::tui::text;
use crate::tui::widgets::lines::line;

/// Lines of one warning, at most.
const LONGEST: usize = 2;

/// At most `rows` lines, the most urgent first; empty without warnings. A long warning continues on the next line if
/// there are lines to spare.
pub(super) fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let all = warnings::all(model);
    let cut = all.len() > rows;
    let shown = if cut { rows.saturating_sub(1).max(1) } else { all.len() };
    let hidden = all.len() - shown;
    // If there is only one line, the count is in it.
    let figure = if rows == 1 && hidden > 0 { format!("(+{hidden}) ") } else { String::new() };
    let mut spare = rows.saturating_sub(shown + usize::from(cut && rows > 1));
    let mut lines = Vec::new();
    for warning in all.iter().take(shown) {
        let style = model.theme.mood(warning.mood);
        let words = format!("{figure}{}", warning.text);
        let mut parts = text::wrap(&words, columns.saturating_sub(2));
        let room = parts.len().min(1 + spare).min(LONGEST);
        spare -= room - 1;
        let rest = parts.split_off(room - 1).join(" ");
        parts.push(text::fit(&rest, columns.saturating_sub(2)));
        let marks = std::iter::once("! ").chain(std::iter::repeat("  "));
        lines.extend(marks.zip(parts).map(|(mark, part)| line(format!("{mark}{part}"), style)));
    }
    if rows > 1 && hidden > 0 {
        let words = format!("{} {hidden} more warnings: esc dismisses the first", text::CUT);
        lines.push(line(text::fit(&words, columns), model.theme.warn));
    }
    lines.truncate(rows);
    lines
}
