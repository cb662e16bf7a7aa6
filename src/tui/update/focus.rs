//! Moves the focus between the fields and choices of the dialog on top.

use crate::tui::model::Model;

/// Gives the focus to the next or the previous field.
pub(super) fn turn(model: &mut Model, forward: bool) {
    model.with_top(|dialog, model| {
        let fields = dialog.fields(model);
        if let Some((focus, error)) = dialog.focus(model) {
            *focus = (*focus + if forward { 1 } else { fields - 1 }) % fields;
            *error = None;
        }
    });
}

/// Selects the next or the previous value of the field with the focus.
pub(super) fn pick(model: &mut Model, forward: bool) {
    model.with_top(|dialog, model| dialog.pick(model, forward));
}

/// Selects a row of the list.
pub(super) fn choose(model: &mut Model, row: usize) {
    model.with_top(|dialog, model| {
        if !dialog.choose(row)
            && let Some((choice, _)) = dialog.choice(model)
        {
            *choice = row;
        }
    });
}

/// A click selects a row of the list, or gives the focus to a field. A field that has the focus already selects its
/// next value, or keeps its text.
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
