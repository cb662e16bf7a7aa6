//! The screen Masks: the table, and what is to be said of it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::abi::cap::Capability;
use crate::control::MaskKnob;
use crate::tui::model::Model;

use super::{mask_detail, mask_table, put};

/// From so many columns on, table and details stand side by side.
const WIDE: u16 = 100;

/// Draws it; where the cursor is: in the filter while that is typed, else on the chosen row.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let (table, details) = split(area);
    put(buf, table, &mask_table::lines(model, usize::from(table.width), usize::from(table.height)));
    put(buf, details, &mask_detail::lines(model, usize::from(details.width), usize::from(details.height)));
    let (columns, rows) = (usize::from(table.width), usize::from(table.height));
    let (x, y) = match mask_table::filter_cursor(model, columns) {
        Some(cell) => (cell, 0),
        None => (0, mask_table::chosen_row(model, columns, rows)?),
    };
    let at = Position { x: table.x + u16::try_from(x).ok()?, y: table.y + u16::try_from(y).ok()? };
    table.contains(at).then_some(at)
}

/// How many rows of capabilities there is room for.
pub(super) fn rows(model: &Model, area: Rect) -> usize {
    let (table, _) = split(area);
    mask_table::room(model, usize::from(table.width), usize::from(table.height))
}

/// What of the table is in that cell.
pub(super) fn hit(model: &Model, area: Rect, x: u16, y: u16) -> Option<(Capability, Option<MaskKnob>)> {
    let (table, _) = split(area);
    if table.contains(Position { x, y }) { mask_table::hit(model, table, x, y) } else { None }
}

fn split(area: Rect) -> (Rect, Rect) {
    if area.width >= WIDE {
        let table = Rect { width: 60, ..area };
        return (table, Rect { x: area.x + 61, width: area.width - 61, ..area });
    }
    let details = match area.height {
        0..=2 => 0,
        3..=9 => 2,
        rows => (rows / 2).clamp(3, 12),
    };
    let table = Rect { height: area.height - details, ..area };
    (table, Rect { y: area.y + table.height, height: details, ..area })
}
