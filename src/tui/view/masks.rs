//! The screen Masks: the table, the details, and what masks do not do.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::control::text::outcome::{MASKS_AND_ROOT, masks_and_root};
use crate::tui::layout::masks::plan;
use crate::tui::model::Model;
use crate::tui::panels::mask_detail::{self, Place};
use crate::tui::text;
use crate::tui::widgets::lines::{line, put};
use crate::tui::widgets::rule::join;

use super::mask_table;

/// Draws it. Returns the cursor's position: in the filter if it has the focus, else on the selected row.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let plan = plan(model, area);
    put(buf, plan.truth, &[line(truth_line(usize::from(plan.truth.width)), model.theme.warn)]);
    put(buf, plan.table, &mask_table::lines(model, &plan));
    let bar = mask_table::scrollbar(model, &plan);
    for y in bar.top()..bar.bottom() {
        buf[(bar.x, y)].set_symbol("▐");
    }
    let places: &[Place] = match plan.details.len() {
        2 => &[Place::Left, Place::Right],
        _ if plan.dividers.is_empty() => &[Place::Below],
        _ => &[Place::Beside],
    };
    for (place, area) in places.iter().zip(&plan.details) {
        let (columns, rows) = (usize::from(area.width), usize::from(area.height));
        put(buf, *area, &mask_detail::lines(model, *place, columns, rows));
    }
    let (columns, rows) = (usize::from(plan.under.width), usize::from(plan.under.height));
    put(buf, plan.under, &mask_detail::lines(model, Place::Under, columns, rows));
    for divider in &plan.dividers {
        join(&model.theme, *divider, buf);
    }
    let (x, y) = mask_table::cursor(model, &plan)?;
    let at = Position { x: plan.table.x + u16::try_from(x).ok()?, y: plan.table.y + u16::try_from(y).ok()? };
    plan.table.contains(at).then_some(at)
}

fn truth_line(columns: usize) -> String {
    let words = masks_and_root(columns.saturating_sub(4));
    let more = if words == MASKS_AND_ROOT { String::new() } else { format!(" {}", text::CUT) };
    text::fit(&format!("! {words}{more}"), columns)
}
