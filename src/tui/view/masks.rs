//! The screen Masks: the table and the details.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::control::text::outcome::{MASKS_AND_ROOT, masks_and_root};
use crate::tui::layout::masks::{below, split};
use crate::tui::model::Model;
use crate::tui::panels::mask_detail;
use crate::tui::text;
use crate::tui::widgets::lines::{line, put};

use super::mask_table;

/// Draws it. Returns the cursor's position: in the filter if it has the focus, else on the selected row.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let (area, truth) = below(model, area);
    let (table, details) = split(area);
    put(buf, truth, &[line(truth_line(usize::from(truth.width)), model.theme.warn)]);
    put(buf, table, &mask_table::lines(model, usize::from(table.width), usize::from(table.height)));
    put(buf, details, &mask_detail::lines(model, usize::from(details.width), usize::from(details.height)));
    let (columns, rows) = (usize::from(table.width), usize::from(table.height));
    let (x, y) = match mask_table::filter_cursor(model, columns) {
        Some(cell) => (cell, 0),
        None => (0, mask_table::chosen_row(model, rows)?),
    };
    let at = Position { x: table.x + u16::try_from(x).ok()?, y: table.y + u16::try_from(y).ok()? };
    table.contains(at).then_some(at)
}

fn truth_line(columns: usize) -> String {
    let words = masks_and_root(columns.saturating_sub(4));
    let more = if words == MASKS_AND_ROOT { String::new() } else { format!(" {}", text::CUT) };
    text::fit(&format!("! {words}{more}"), columns)
}
