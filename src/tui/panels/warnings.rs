//! The warnings.

use crate::abi::counted::counted;
use crate::tui::model::overview::Item;
use crate::tui::model::{Model, warnings};
use crate::tui::text;
use crate::tui::widgets::lines::line;

use super::rows::PanelRow;

/// Lines of one warning, at most.
const LONGEST: usize = 2;

/// At most `rows` lines, the most urgent first; empty without warnings. A long warning continues on the next line if
/// there are lines to spare.
pub fn rows(model: &Model, columns: usize, rows: usize) -> Vec<PanelRow> {
    let all = warnings::all(model);
    let cut = all.len() > rows;
    let shown = if cut { rows.saturating_sub(1).max(1) } else { all.len() };
    let hidden = all.len() - shown;
    // If there is only one line, the count is in it.
    let figure = if rows == 1 && hidden > 0 { format!("(+{hidden}) ") } else { String::new() };
    let mut spare = rows.saturating_sub(shown + usize::from(cut && rows > 1));
    let mut lines = Vec::new();
    let gutter = usize::from(columns >= 60);
    let room = columns.saturating_sub(2 + gutter);
    for (at, warning) in all.iter().enumerate().take(shown) {
        let style = model.theme.mood(warning.mood);
        let words = format!("{figure}{}", warning.text);
        let mut parts = text::wrap(&words, room);
        let high = parts.len().min(1 + spare).min(LONGEST);
        spare -= high - 1;
        let rest = parts.split_off(high - 1).join(" ");
        parts.push(text::fit(&rest, room));
        let marks = std::iter::once("! ").chain(std::iter::repeat("  "));
        lines.extend(marks.zip(parts).map(|(mark, part)| {
            let line = line(format!("{}{mark}{part}", " ".repeat(gutter)), style);
            PanelRow { item: Some(Item::Warning(at)), stands_for: 1, line }
        }));
    }
    if rows > 1 && hidden > 0 {
        let words = format!("{} {}: esc dismisses the first", text::CUT, counted(hidden, "more warning"));
        lines.push(PanelRow::words(&words, columns, model.theme.warn));
    }
    lines.truncate(rows);
    lines
}
