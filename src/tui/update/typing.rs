//! Typing and pasting into text fields.

use crate::control::text::outcome::Severity;
use crate::tui::dialogs::help::Help;
use crate::tui::field::Edit;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::Model;

use super::scroll::up_or_down;

/// Handles pasted text: inserts it into a field, or refuses it.
pub(super) fn paste(model: &mut Model, text: &[u8]) {
    const NOT_TAKEN: &str = "the pasted text was ignored: it goes into text fields only, never to keys";
    if !insert(model, text) {
        model.say(Severity::Quiet, NOT_TAKEN);
    } else if model.status.as_ref().is_some_and(|status| status.text == NOT_TAKEN) {
        model.status = None;
    }
}

/// Inserts text into the field with the focus. Returns whether there is one.
pub(super) fn insert(model: &mut Model, text: &[u8]) -> bool {
    model.peek = 0;
    let inserted = model.with_field(|(field, error)| {
        let taken = field.insert(text);
        match error {
            Some(error) => *error = taken.err(),
            None => return taken,
        }
        Ok(())
    });
    match inserted {
        None => return false,
        // A filter has no place for an error.
        Some(Err(why)) => model.say(Severity::Warned, why),
        Some(Ok(())) => {}
    }
    follow_filter(model);
    true
}

/// The filter may now hide the row under the cursor.
fn follow_filter(model: &mut Model) {
    if model.dialogs.is_empty() {
        model.masks.move_by(0, &model.snapshot);
    }
}

/// Moves in the field with the focus, or deletes.
pub(super) fn edit(model: &mut Model, how: Edit) {
    // In an empty search field there is nothing for a cursor to move in.
    if model.top().is_some_and(|help: &Help| help.search.is_empty())
        && let Edit::Home | Edit::End = how
    {
        return up_or_down(model, if how == Edit::Home { i32::MIN } else { i32::MAX });
    }
    model.with_field(|(field, error)| {
        field.edit(how);
        if let Some(error) = error {
            *error = None;
        }
    });
    follow_filter(model);
}

/// Whether a text field has the focus: a command line, a filter, a dialog with fields.
pub(super) fn types(model: &Model) -> bool {
    model.chain().iter().any(|context| matches!(context, Context::Text | Context::Form))
}

/// Does what Esc does here.
pub(super) fn cancel(model: &Model) -> Action {
    if model.chain().contains(&Context::Filter) { Action::EndFilter } else { Action::Dismiss }
}
