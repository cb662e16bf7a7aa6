//! The target's connection: lost, back, or another run of the engine.

use crate::control::target::TargetInfo;
use crate::control::text::outcome::Severity;
use crate::control::text::target::object;
use crate::tui::model::Model;

/// Takes in what is known of the target now. The last state stays on the screen; the header says how old it is.
pub(super) fn changed(model: &mut Model, info: TargetInfo) {
    let before = std::mem::replace(&mut model.link.info, info);
    let info = &model.link.info;
    let name = object(info);
    let (mood, text) = match (before.lost(), info.lost()) {
        (_, Some(why)) => (Severity::Bad, format!("the connection to {name} is lost: {why}; what is shown is old")),
        (_, None) if before.run != info.run => {
            model.link.seen = false;
            (Severity::Warned, format!("{name} has been started again: its records and numbers begin anew"))
        }
        (Some(_), None) => (Severity::Good, format!("the connection to {name} is back")),
        (None, None) => return,
    };
    model.say(mood, text);
}
