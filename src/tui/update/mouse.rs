//! The mouse: it chooses, changes the draft and scrolls. It never applies, starts or confirms anything.

use crate::tui::keymap::Action;
use crate::tui::model::dialog::{Dialog, Quit, Quitting};
use crate::tui::model::{Model, Tab};
use crate::tui::msg::{Click, Mouse};
use crate::tui::view::{self, Hit};

use super::keys::{focus_on, pick, up_or_down};
use super::masks;

/// Rows of a turn of the wheel.
const WHEEL: i32 = 3;

/// The mouse did something.
pub(super) fn take(model: &mut Model, mouse: Mouse) {
    match mouse.what {
        Click::WheelUp => wheel(model, -WHEEL),
        Click::WheelDown => wheel(model, WHEEL),
        Click::Press => {
            if let Some(hit) = view::hit(model, mouse.x, mouse.y) {
                press(model, hit);
            }
        }
    }
}

/// Scrolls what has rows.
fn wheel(model: &mut Model, rows: i32) {
    if !model.dialogs.is_empty() || model.tab == Tab::Masks {
        up_or_down(model, rows);
    }
}

fn press(model: &mut Model, hit: Hit) {
    match hit {
        Hit::Tab(tab) => {
            model.masks.filtering = false;
            model.tab = tab;
        }
        Hit::Capability(cap, knob) => {
            model.masks.filtering = false;
            model.masks.cursor = cap.bit();
            if let Some(knob) = knob {
                model.masks.column = knob;
                masks::edit(model, Action::Toggle);
            }
        }
        Hit::Target(at) => target(model, at),
    }
}

/// A field gets the focus, one of a few values that has it takes the next; a choice is chosen.
fn target(model: &mut Model, at: usize) {
    match model.dialogs.last_mut() {
        Some(Dialog::Gate(choice) | Dialog::Presets(choice) | Dialog::Copy(choice)) => *choice = at,
        Some(Dialog::Quit(Quit { choice, stage: Quitting::Asking })) => *choice = at,
        Some(Dialog::Module | Dialog::Call | Dialog::Rehearse) => {
            let was_there = focus_on(model, at);
            if was_there {
                pick(model, true);
            }
        }
        _ => {}
    }
}
