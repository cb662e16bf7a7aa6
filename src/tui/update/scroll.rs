//! What scrolls a screen or the dialog on top.

use crate::tui::dialogs::frame;
use crate::tui::keymap::{Action, Context};
use crate::tui::layout;
use crate::tui::model::Model;

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
    let rows = match frame::sight(model) {
        Some(sight) => sight.rows,
        None => layout::masks::rows(model),
    };
    let page = by * i32::try_from(rows.saturating_sub(1).max(1)).unwrap_or(1);
    if model.dialogs.last_mut().is_some_and(|dialog| dialog.scroll().is_none()) {
        peek(model, page);
    } else {
        up_or_down(model, page);
    }
}

/// Looks at other lines of a dialog with a focus, which stays where it is.
fn peek(model: &mut Model, rows: i32) {
    let Some(sight) = frame::sight(model) else { return };
    let to = sight.scroll.saturating_add_signed(rows as isize).min(sight.most);
    // Both are numbers of lines on a sheet: far from the end of what a number holds.
    model.peek = to as isize - sight.base as isize;
}

/// Chooses a row above or below; scrolls where there are none.
pub(super) fn up_or_down(model: &mut Model, rows: i32) {
    let moved = model.with_top(|dialog, model| {
        if let Some((choice, choices)) = dialog.choice(model) {
            *choice = choice.saturating_add_signed(rows.signum() as isize).min(choices.saturating_sub(1));
        } else if let Some(scroll) = dialog.scroll() {
            *scroll = scroll.saturating_add_signed(rows as isize);
        } else {
            return false;
        }
        true
    });
    match moved {
        None => model.masks.move_by(rows, &model.snapshot),
        Some(false) => peek(model, rows),
        Some(true) => {}
    }
    clamp_scroll(model);
}

/// What is scrolled never goes past its end.
pub(super) fn clamp_scroll(model: &mut Model) {
    let most = frame::sight(model).map_or(0, |sight| sight.most);
    if let Some(scroll) = model.dialogs.last_mut().and_then(|dialog| dialog.scroll()) {
        *scroll = (*scroll).min(most);
    }
}
