//! The layout of the screen Masks.

use ratatui::layout::{Position, Rect};

use crate::abi::cap::Capability;
use crate::control::MaskKnob;
use crate::tui::model::Model;

use super::areas::Areas;

/// With this many columns, table and details are side by side.
const WIDE: u16 = 100;
/// With more rows than this, one row says what masks do not do; with fewer, all rows are for the table and the draft.
const TRUTH: u16 = 5;

/// The area of the table on the current screen.
fn table(model: &Model) -> Rect {
    split(below(model, Areas::now(model).body).0).0
}

/// How many rows of capabilities fit.
pub fn rows(model: &Model) -> usize {
    usize::from(table(model).height).saturating_sub(1 + filter_rows(model))
}

/// How many rows the filter takes.
pub fn filter_rows(model: &Model) -> usize {
    usize::from(!model.masks.filter.is_empty() || model.masks.filtering)
}

/// The first row shown, and how many rows fit.
pub fn scrolled(model: &Model, all: &[Capability], room: usize) -> (usize, usize) {
    let at = all.iter().position(|cap| Some(*cap) == model.masks.capability()).unwrap_or(0);
    (at.saturating_sub(room / 2).min(all.len().saturating_sub(room)), room)
}

/// The capability whose row is in this cell of the table, and the mask whose box is.
pub fn hit(model: &Model, Position { x, y }: Position) -> Option<(Capability, Option<MaskKnob>)> {
    let area = table(model);
    if !area.contains(Position { x, y }) {
        return None;
    }
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    let all: Vec<Capability> = model.masks.shown(model.snapshot.known).iter().collect();
    let above = 1 + filter_rows(model);
    let (first, room) = scrolled(model, &all, rows.saturating_sub(above));
    let row = usize::from(y.checked_sub(area.y)?).checked_sub(above).filter(|row| *row < room)?;
    let cell = usize::from(x.checked_sub(area.x)?);
    let boxes = name_width(columns);
    let knob = match cell.checked_sub(boxes) {
        Some(0..5) => Some(MaskKnob::Bset),
        Some(8..13) => Some(MaskKnob::Inheritable),
        _ => None,
    };
    Some((*all.get(first + row)?, knob))
}

/// Splits off the last row of the screen, which says what masks do not do to helpers of root. On a host that is not
/// root, the details say what applies there.
pub fn below(model: &Model, area: Rect) -> (Rect, Rect) {
    let row = u16::from(model.snapshot.uid == 0 && area.height > TRUTH);
    let rest = Rect { height: area.height - row, ..area };
    (rest, Rect { y: rest.bottom(), height: row, ..area })
}

/// The areas of the table and of the details, beside or below it.
pub fn split(area: Rect) -> (Rect, Rect) {
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

/// How wide the name's column is.
pub fn name_width(columns: usize) -> usize {
    if columns < 50 { 19 } else { 24 }
}
