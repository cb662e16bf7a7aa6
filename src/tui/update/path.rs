//! The path editor.

use crate::control::{Command, Key, KnobValue};
use crate::tui::model::dialog::Dialog;
use crate::tui::model::forms::PathForm;
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;

/// With the path that is live.
pub(super) fn form(model: &Model) -> PathForm {
    PathForm::new(&model.snapshot.knobs.modprobe)
}

/// Writes the path; the dialog stays until it is answered.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::Path(form)) = model.dialogs.last_mut() else { return Vec::new() };
    if form.ticket.is_some() {
        return Vec::new();
    }
    let path = match form.check() {
        Ok(path) => path,
        Err(why) => {
            form.error = Some(why);
            return Vec::new();
        }
    };
    let effect = model.submit(Pending::Path, Command::Write(vec![(Key::Modprobe, KnobValue::Path(path))]));
    let ticket = model.last_ticket();
    if let Some(Dialog::Path(form)) = model.dialogs.last_mut() {
        form.error = None;
        form.ticket = Some(ticket);
    }
    vec![effect]
}
