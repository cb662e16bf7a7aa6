//! The target's connection: lost, back, or another run of the engine.

use crate::control::target::TargetInfo;
use crate::control::text::outcome::Severity;
use crate::control::text::target::object;
use crate::tui::model::Model;

/// Stores the connection's state. The last state of the target stays on the screen; the header says how old it is.
pub(super) fn changed(model: &mut Model, info: TargetInfo) {
    let before = std::mem::replace(&mut model.link.info, info);
    let info = &model.link.info;
    let name = object(info);
    let (mood, text) = match (before.lost(), info.lost()) {
        // Another attempt has failed: what the operator has dismissed stays away.
        (Some(_), Some(_)) if !model.talks_of_connection() => return,
        (_, Some(why)) => (Severity::Bad, format!("lost the connection to {name}: {why}; the screen shows old state")),
        (_, None) if before.run != info.run => {
            model.link.seen = false;
            model.changes.forget();
            (Severity::Warned, format!("{name} was restarted: its records and numbers start again"))
        }
        (Some(_), None) => (Severity::Good, format!("the connection to {name} is back")),
        (None, None) => return,
    };
    model.say_of_connection(mood, text);
}
