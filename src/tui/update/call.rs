//! The call dialog.

use crate::abi::escape::screen;
use crate::control::Command;
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;

/// Calls the helper.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    match model.call.check(model.snapshot.known) {
        Ok(call) => {
            model.call.error = None;
            model.dialogs.pop();
            let batch = model.open_batch(screen(&call.path), 1);
            vec![model.submit(Pending::Request(batch), Command::Call(call))]
        }
        Err((field, why)) => {
            model.call.focus = field;
            model.call.error = Some(why);
            Vec::new()
        }
    }
}
