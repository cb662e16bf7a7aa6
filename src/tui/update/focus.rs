//! The fields and choices of the dialog on top.

use crate::tui::model::Model;

/// Gives the focus to the next field, or to the one before.
pub(super) fn turn(model: &mut Model, forward: bool) {
    model.with_top(|dialog, model| {
        let fields = dialog.fields(model);
        if let Some((focus, error)) = dialog.focus(model) {
            *focus = (*focus + if forward { 1 } else { fields - 1 }) % fields;
            *error = None;
        }
    });
}

/// Takes the next value of the field that has the focus, or the one before.
pub(super) fn pick(model: &mut Model, forward: bool) {
    model.with_top(|dialog, model| dialog.pick(model, forward));
}

/// Chooses a row of the list.
pub(super) fn choose(model: &mut Model, row: usize) {
    model.with_top(|dialog, model| {
        if let Some((choice, _)) = dialog.choice(model) {
            *choice = row;
        }
    });
}

/// A click: chooses a row of the list, or gives the focus to a field. The field that has it already takes its next value,
/// or keeps its text.
pub(super) fn click(model: &mut Model, at: usize) {
    model.with_top(|dialog, model| {
        if let Some((choice, _)) = dialog.choice(model) {
            *choice = at;
            return;
        }
        if at >= dialog.fields(model) {
            return;
        }
        if let Some((focus, error)) = dialog.focus(model)
            && std::mem::replace(focus, at) != at
        {
            *error = None;
            return;
        }
        dialog.pick(model, true);
        if let Some((field, _)) = dialog.field(model) {
            field.deselect();
        }
    });
}
