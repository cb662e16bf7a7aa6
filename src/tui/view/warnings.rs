//! The warnings strip.

use ratatui::text::Line;

use crate::tui::model::{Model, warnings};
use crate::tui::text;

use super::{cut, line};

/// At most `rows` lines, the most urgent first; nothing if there is nothing to warn of.
pub(super) fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let mut all = warnings::all(model);
    if rows == 1 && all.len() > 1 {
        let more = all.len() - 1;
        all.truncate(1);
        all[0].1.insert_str(0, &format!("(+{more}) "));
    }
    let total = all.len();
    let shown = all
        .into_iter()
        .map(|(mood, text)| line(text::fit(&format!("! {text}"), columns), model.theme.mood(mood)))
        .collect();
    cut(shown, total, (columns, rows), "warnings", model.theme.warn)
}
