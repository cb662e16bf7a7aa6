//! Quitting: at once, or after asking what becomes of the helpers that live.

use crate::abi::depth::Depth;
use crate::control::Command;
use crate::control::terminate::Termination;
use crate::control::text::outcome::Severity;
use crate::tui::model::dialog::{Dialog, Quit, Quitting};
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;

/// Quits, or asks first.
pub(super) fn ask(model: &mut Model) -> Vec<Effect> {
    // Nothing that lives may be touched from a read-only console, and no draft applied: there is nothing to ask.
    if !asks(model) || model.options.read_only {
        return vec![Effect::Quit { code: 0 }];
    }
    if !model.dialogs.iter().any(|dialog| matches!(dialog, Dialog::Quit(_))) {
        model.dialogs.push(Dialog::Quit(Quit { choice: 0, stage: Quitting::Asking }));
    }
    Vec::new()
}

/// Whether anything would be lost, or left behind.
fn asks(model: &Model) -> bool {
    model.link.owned(model.snapshot.live_total) > 0 || !model.masks.changed(&model.snapshot).is_empty()
}

/// Wait, kill or leave; or with nothing alive: the draft is lost.
pub(super) fn accept(model: &mut Model) -> Vec<Effect> {
    let (gate, live) = (model.snapshot.gate, model.link.owned(model.snapshot.live_total));
    let Some(Dialog::Quit(quit)) = model.dialogs.last_mut() else { return Vec::new() };
    if live == 0 {
        return vec![Effect::Quit { code: 0 }];
    }
    match quit.choice {
        0 => quit.stage = Quitting::Waiting { gate },
        1 => {
            quit.stage = Quitting::Killing { gate, termination: Termination::gentle(model.now) };
        }
        _ => return vec![Effect::Quit { code: 0 }],
    }
    let mut effects = vec![model.submit(Pending::Quitting, Command::SetDepth(Depth::Disabled))];
    effects.extend(go_on(model));
    effects
}

/// Back to the console: the gate goes back to what it was.
pub(super) fn back(model: &mut Model) -> Vec<Effect> {
    let Some(Dialog::Quit(quit)) = model.dialogs.pop() else { return Vec::new() };
    let gate = match quit.stage {
        Quitting::Asking => return Vec::new(),
        Quitting::Waiting { gate } | Quitting::Killing { gate, .. } => gate,
    };
    model.say(Severity::Quiet, format!("not quitting; khelper.gate goes back to {}", gate.name()));
    vec![model.submit(Pending::Quitting, Command::SetDepth(gate))]
}

/// Looks again at every snapshot and tick: quits when nothing lives any more, signals what has appeared.
pub(super) fn go_on(model: &mut Model) -> Vec<Effect> {
    let (live, now) = (model.snapshot.live_total, model.now);
    let Some(quit) = model.dialogs.iter_mut().find_map(|dialog| match dialog {
        Dialog::Quit(quit) => Some(quit),
        _ => None,
    }) else {
        return Vec::new();
    };
    // While it asks whoever reads it answers: the next keys would go to the shell. Who chose was told of a draft.
    if live == 0 && quit.stage != Quitting::Asking {
        return vec![Effect::Quit { code: 0 }];
    }
    let Quitting::Killing { termination, .. } = &mut quit.stage else { return Vec::new() };
    let signals = termination.due(&model.snapshot.running, now);
    signals.into_iter().map(|signal| model.submit(Pending::Quitting, signal)).collect()
}
