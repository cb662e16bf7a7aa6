//! What scrolls a screen or the dialog on top.

use crate::tui::keymap::{Action, Context};
use crate::tui::model::Model;
use crate::tui::model::dialog::{Dialog, Quit, Quitting};
use crate::tui::model::records::{CopyRecord, Kill};
use crate::tui::view;

use super::masks;

/// Whether it only scrolls the dialog on top. In a list up and down choose.
pub(super) fn looks_around(model: &Model, action: Action) -> bool {
    match action {
        Action::PageUp | Action::PageDown => true,
        Action::Up | Action::Down | Action::First | Action::Last => !model.chain().contains(&Context::Choices),
        _ => false,
    }
}

/// A page is one line less than what is in sight, so that nothing is passed over.
pub(super) fn turn_page(model: &mut Model, by: i32) {
    let rows = match view::dialogs::sight(model) {
        Some(sight) => sight.rows,
        None => view::mask_rows(model),
    };
    let page = by * i32::try_from(rows.saturating_sub(1).max(1)).unwrap_or(1);
    if model.dialogs.last_mut().is_some_and(|dialog| scroll_of(dialog).is_none()) {
        peek(model, page);
    } else {
        up_or_down(model, page);
    }
}

/// Looks at other lines of a dialog with a focus, which stays where it is.
fn peek(model: &mut Model, rows: i32) {
    let Some(sight) = view::dialogs::sight(model) else { return };
    let to = sight.scroll.saturating_add_signed(rows as isize).min(sight.most);
    // Both are numbers of lines on a sheet: far from the end of what a number holds.
    model.peek = to as isize - sight.base as isize;
}

pub(super) fn up_or_down(model: &mut Model, rows: i32) {
    let last = masks::rows_of(model).saturating_sub(1);
    match model.dialogs.last_mut() {
        Some(Dialog::Kill(Kill { choice, .. }) | Dialog::CopyRecord(CopyRecord { choice, .. })) => {
            *choice = choice.saturating_add_signed(rows.signum() as isize).min(1);
        }
        None => model.masks.move_by(rows, &model.snapshot),
        Some(
            Dialog::Gate(choice)
            | Dialog::Quit(Quit { choice, stage: Quitting::Asking })
            | Dialog::Presets(choice)
            | Dialog::Copy(choice),
        ) => {
            *choice = choice.saturating_add_signed(rows.signum() as isize).min(last);
        }
        Some(dialog) => {
            if let Some(scroll) = scroll_of(dialog) {
                *scroll = scroll.saturating_add_signed(rows as isize);
            } else {
                peek(model, rows);
            }
        }
    }
    clamp_scroll(model);
}

fn scroll_of(dialog: &mut Dialog) -> Option<&mut usize> {
    match dialog {
        Dialog::Apply(d) => Some(&mut d.scroll),
        Dialog::Reset(d) => Some(&mut d.scroll),
        Dialog::Rehearsal(d) => Some(&mut d.scroll),
        Dialog::Page(d) => Some(&mut d.scroll),
        Dialog::Help(d) => Some(&mut d.scroll),
        Dialog::Repeat(d) => Some(&mut d.scroll),
        Dialog::Forms(scroll) | Dialog::Detail(scroll) => Some(scroll),
        _ => None,
    }
}

/// What is scrolled never goes past its end.
pub(super) fn clamp_scroll(model: &mut Model) {
    let most = view::dialogs::sight(model).map_or(0, |sight| sight.most);
    if let Some(scroll) = model.dialogs.last_mut().and_then(scroll_of) {
        *scroll = (*scroll).min(most);
    }
}
