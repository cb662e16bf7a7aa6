//! The layout of the screen Activity.

use ratatui::layout::{Position, Rect};

use crate::tui::model::Model;
use crate::tui::model::activity::Activity;

use super::areas::Areas;

/// With this many rows in the body, the most important part of the record is shown below the rows; with more, more of
/// it.
const TALL: u16 = 18;
const ROOMY: u16 = 26;
/// With this many columns, the record is shown beside the rows.
const WIDE: u16 = 160;

/// The areas.
pub struct Parts {
    /// The count of records and their order.
    pub head: Rect,
    /// The filters.
    pub filters: Rect,
    /// The names of the columns.
    pub names: Rect,
    /// The rows.
    pub list: Rect,
    /// The line about hidden columns.
    pub hidden: Rect,
    /// The record under the cursor.
    pub detail: Rect,
}

/// The parts of the screen's body.
pub fn parts(model: &Model, area: Rect) -> Parts {
    let (mut left, mut detail) = (area, Rect::default());
    if area.width >= WIDE && area.height >= 8 {
        let width = area.width * 2 / 5;
        left.width = area.width - width - 1;
        detail = Rect { x: area.x + left.width + 1, width, ..area };
    } else if area.height >= TALL {
        let height = if area.height >= ROOMY { area.height * 2 / 5 } else { 6 };
        left.height = area.height - height;
        detail = Rect { y: left.bottom(), height, ..area };
    }
    let mut y = left.y;
    let mut take = |height: u16, wanted: bool| {
        let height = if wanted { height.min(left.bottom().saturating_sub(y)) } else { 0 };
        let part = Rect { y, height, ..left };
        y += height;
        part
    };
    let head = take(1, left.height >= 2);
    let filters = take(1, is_filtered(&model.activity) && left.height >= 3);
    let names = take(1, left.height >= 8);
    let hides = hidden(model, usize::from(left.width), detail.is_empty());
    let below = u16::from(hides.is_some() && left.height >= 5);
    let list = take(left.height.saturating_sub(head.height + filters.height + names.height + below), true);
    let hidden = take(below, true);
    Parts { head, filters, names, list, hidden, detail }
}

/// Whether a row shows the filters.
pub fn is_filtered(a: &Activity) -> bool {
    a.typing.is_some() || a.filters()
}

/// How many rows are shown.
pub fn rows(model: &Model) -> usize {
    usize::from(parts(model, Areas::now(model).body).list.height)
}

/// The row in this cell.
pub fn hit(model: &Model, at: Position) -> Option<usize> {
    let list = parts(model, Areas::now(model).body).list;
    let index = model.activity.top + usize::from(at.y.checked_sub(list.y)?);
    (list.contains(at) && index < model.activity.answer.in_rows).then_some(index)
}

/// Where the record under the cursor is shown; empty if there is no room for it.
pub fn detail(model: &Model) -> Rect {
    parts(model, Areas::now(model).body).detail
}

/// What is hidden at this number of columns.
pub fn hidden(model: &Model, columns: usize, no_detail: bool) -> Option<String> {
    let has_units = model.activity.answer.rows.iter().any(|row| !row.unit.is_empty());
    let all = [
        (no_detail, "details"),
        (columns < 50, "time"),
        (columns < 76, "requester"),
        (columns < 100 && has_units, "unit"),
        (columns < 50 && model.activity.tree, "took"),
    ];
    let hidden: Vec<&str> = all.into_iter().filter(|(hides, _)| *hides).map(|(_, what)| what).collect();
    let how = if columns < 50 { "(enter)" } else { "(enter shows all)" };
    (!hidden.is_empty()).then(|| format!("hidden: {} {how}", hidden.join(", ")))
}
