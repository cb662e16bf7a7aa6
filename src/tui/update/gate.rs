//! The gate's dialog.

use crate::abi::depth::Depth;
use crate::control::text::outcome::Severity;
use crate::control::{Command, Key};
use crate::tui::model::dialog::Dialog;
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;

/// What is chosen at first changes nothing that is open, or opens what is shut.
pub(super) fn dialog(model: &Model) -> Dialog {
    Dialog::Gate(if model.snapshot.gate == Depth::Enabled { 0 } else { 2 })
}

/// Freeze and drain, disable and drain, or enable.
pub(super) fn submit(model: &mut Model, choice: usize) -> Vec<Effect> {
    model.dialogs.pop();
    act(model, choice)
}

/// The same, whatever stands in front.
pub(super) fn act(model: &mut Model, choice: usize) -> Vec<Effect> {
    let drain = |depth: Depth| Command::Write(vec![(Key::Gate, depth.into())]);
    let (words, command) = match choice {
        0 => ("freeze and drain", drain(Depth::Freezing)),
        1 => ("disable and drain", drain(Depth::Disabled)),
        _ => ("enable", Command::SetDepth(Depth::Enabled)),
    };
    let patience = if choice < 2 { ": waits up to 5 s for the calls in flight" } else { "" };
    model.say(Severity::Quiet, format!("khelper.gate: {words}{patience}"));
    vec![model.submit(Pending::Gate(words), command)]
}
