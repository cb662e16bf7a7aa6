//! The screen Masks: the table, and what is to be said of it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::abi::cap::Capability;
use crate::control::MaskKnob;
use crate::control::text::outcome::{MASKS_AND_ROOT, masks_and_root};
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::lines::{line, put};

use super::{mask_detail, mask_table};

/// From so many columns on, table and details stand side by side.
const WIDE: u16 = 100;
/// From more rows than these on, one of them is for what masks do not do; fewer are for the table and the draft.
const TRUTH: u16 = 5;

/// Draws it; where the cursor is: in the filter while that is typed, else on the chosen row.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let (area, truth) = below(model, area);
    let (table, details) = split(area);
    put(buf, truth, &[line(truth_line(usize::from(truth.width)), model.theme.warn)]);
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
    let (table, _) = split(below(model, area).0);
    mask_table::room(model, usize::from(table.width), usize::from(table.height))
}

/// What of the table is in that cell.
pub(super) fn hit(model: &Model, area: Rect, x: u16, y: u16) -> Option<(Capability, Option<MaskKnob>)> {
    let (table, _) = split(below(model, area).0);
    if table.contains(Position { x, y }) { mask_table::hit(model, table, x, y) } else { None }
}

/// The screen without its last row, and that row: what masks do not do to helpers of root. Where the host is not root, the
/// details say what holds there.
fn below(model: &Model, area: Rect) -> (Rect, Rect) {
    let row = u16::from(model.snapshot.uid == 0 && area.height > TRUTH);
    let rest = Rect { height: area.height - row, ..area };
    (rest, Rect { y: rest.bottom(), height: row, ..area })
}

fn truth_line(columns: usize) -> String {
    let words = masks_and_root(columns.saturating_sub(4));
    let more = if words == MASKS_AND_ROOT { String::new() } else { format!(" {}", text::CUT) };
    text::fit(&format!("! {words}{more}"), columns)
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
