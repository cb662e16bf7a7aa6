//! The mouse selects, changes the draft and scrolls. It never applies, starts or confirms anything.

use crate::tui::dialogs::frame;
use crate::tui::keymap::Action;
use crate::tui::layout::{self, Hit};
use crate::tui::model::{Model, Tab};
use crate::tui::msg::{Click, Mouse};

use super::scroll::{clamp_scroll, up_or_down};
use super::{activity, focus, masks, overview, rules, tabs};

/// Rows per turn of the wheel.
const WHEEL: i32 = 3;

/// Handles a mouse event.
pub(super) fn take(model: &mut Model, mouse: Mouse) {
    match mouse.what {
        Click::WheelUp => wheel(model, -WHEEL),
        Click::WheelDown => wheel(model, WHEEL),
        Click::Press => {
            if model.dialogs.is_empty() {
                if let Some(hit) = layout::hit(model, mouse.x, mouse.y) {
                    press(model, hit);
                }
            } else if let Some(at) = frame::hit(model, mouse.x, mouse.y) {
                model.peek = 0;
                focus::click(model, at);
            }
        }
    }
    clamp_scroll(model);
}

/// Scrolls whatever has rows.
fn wheel(model: &mut Model, rows: i32) {
    match model.tab {
        _ if !model.dialogs.is_empty() => {
            // No line is skipped.
            let most = frame::sight(model).map_or(1, |sight| sight.rows.saturating_sub(1).max(1));
            let most = i32::try_from(most).unwrap_or(WHEEL);
            up_or_down(model, rows.clamp(-most, most));
        }
        Tab::Overview => overview::step(model, rows as isize),
        Tab::Masks => up_or_down(model, rows),
        Tab::Activity => model.activity.move_by(rows as isize),
        Tab::Log => model.log.move_by(rows as isize),
        Tab::Rules => model.rules.move_by(rows as isize),
    }
}

fn press(model: &mut Model, hit: Hit) {
    match hit {
        Hit::Tab(tab) => {
            end_typing(model);
            tabs::show(model, tab);
        }
        Hit::Capability(cap, knob) => {
            end_typing(model);
            model.masks.cursor = cap.bit();
            if let Some(knob) = knob {
                model.masks.column = knob;
                masks::edit(model, Action::Toggle);
            }
        }
        Hit::Item(item) => overview::click(model, item),
        Hit::Row(index) => {
            end_typing(model);
            row(model, index);
        }
    }
}

/// A click elsewhere leaves the filter and keeps it.
fn end_typing(model: &mut Model) {
    (model.masks.filtering, model.log.typing, model.activity.typing) = (false, false, None);
}

/// Moves the cursor to the row; a click on the cursor's row opens the record.
fn row(model: &mut Model, index: usize) {
    let by = |at: usize| isize::try_from(index).unwrap_or(isize::MAX).saturating_sub_unsigned(at);
    if model.tab == Tab::Log {
        if let Some(at) = model.log.index() {
            model.log.move_by(by(at));
        }
        return;
    }
    if model.tab == Tab::Rules {
        match model.rules.at == index {
            true => drop(rules::act(model, Action::Open)),
            false => model.rules.at = index,
        }
        return;
    }
    match model.activity.at {
        Some((at, _)) if at == index => drop(activity::act(model, Action::Detail)),
        Some((at, _)) => model.activity.move_by(by(at)),
        None => {}
    }
}
