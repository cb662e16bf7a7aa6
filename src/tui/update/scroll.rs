//! Scrolls a screen or the dialog on top.

use crate::tui::dialogs::frame;
use crate::tui::keymap::{Action, Context};
use crate::tui::layout;
use crate::tui::model::Model;

/// Whether the action only scrolls the dialog on top. In a list, up and down select.
pub(super) fn looks_around(model: &Model, action: Action) -> bool {
    match action {
        Action::PageUp | Action::PageDown => true,
        Action::Up | Action::Down | Action::First | Action::Last => !model.chain().contains(&Context::Choices),
        _ => false,
    }
}

/// A page is one line less than the visible part, so that no line is skipped.
pub(super) fn turn_page(model: &mut Model, by: i32) {
    read_on(model);
    let rows = match frame::sight(model) {
        Some(sight) => unread(model, sight).filter(|_| by > 0).unwrap_or(sight.rows.saturating_sub(1)),
        None => layout::masks::rows(model).saturating_sub(1),
    };
    let page = by * i32::try_from(rows.max(1)).unwrap_or(1);
    if model.dialogs.last_mut().is_some_and(|dialog| dialog.scroll().is_none()) {
        peek(model, page);
    } else {
        up_or_down(model, page);
    }
}

fn read_on(model: &mut Model) {
    if let Some(dialog) = model.dialogs.last_mut() {
        dialog.read_on();
    }
}

/// How far the first line is that must be read and was not, if that is less than a page: an error may have stood in its
/// place.
fn unread(model: &mut Model, sight: frame::Sight) -> Option<usize> {
    let (lines, _) = frame::lines(model)?;
    let missing = model.dialogs.last_mut()?.read()?.missing(&lines)?;
    missing.checked_sub(sight.scroll).filter(|rows| (1..sight.rows).contains(rows))
}

/// Scrolls a dialog without moving its focus.
fn peek(model: &mut Model, rows: i32) {
    let Some(sight) = frame::sight(model) else { return };
    let to = sight.scroll.saturating_add_signed(rows as isize).min(sight.most);
    // Both are line numbers of a sheet and cannot overflow.
    model.peek = to as isize - sight.base as isize;
}

/// Selects a row above or below; scrolls if there is no list.
pub(super) fn up_or_down(model: &mut Model, rows: i32) {
    read_on(model);
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

/// Limits scrolling to the end.
pub(super) fn clamp_scroll(model: &mut Model) {
    let most = frame::sight(model).map_or(0, |sight| sight.most);
    if let Some(scroll) = model.dialogs.last_mut().and_then(|dialog| dialog.scroll()) {
        *scroll = (*scroll).min(most);
    }
}
