//! The warnings strip.

use ratatui::text::Line;

use crate::tui::model::{Model, warnings};
use crate::tui::text;
use crate::tui::widgets::lines::line;

/// Lines of one warning, at most.
const LONGEST: usize = 2;

/// At most `rows` lines, the most urgent first; nothing if there is nothing to warn of. A long one goes on in the next
/// line where there are lines to spare.
pub(super) fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let all = warnings::all(model);
    let cut = all.len() > rows;
    let shown = if cut { rows.saturating_sub(1).max(1) } else { all.len() };
    let hidden = all.len() - shown;
    // Where there is one line only, the figure stands in it.
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
        let words = format!("{} {hidden} more warnings: esc takes the first away", text::CUT);
        lines.push(line(text::fit(&words, columns), model.theme.warn));
    }
    lines.truncate(rows);
    lines
}
