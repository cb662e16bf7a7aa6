//! Quitting: at once, or after asking what becomes of the helpers that live.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::abi::depth::Depth;
use crate::control::Command;
use crate::control::text::outcome::Severity;
use crate::tui::model::dialog::{Dialog, Quit, Quitting};
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;

/// TERM, and so long after it KILL: 2 s, in microseconds.
const TERM_TO_KILL: u64 = 2_000_000;

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
            let (term, kill) = (BTreeSet::new(), BTreeSet::new());
            quit.stage = Quitting::Killing { gate, since: model.now, term, kill };
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
    let Quitting::Killing { since, term, kill, .. } = &mut quit.stage else { return Vec::new() };
    let late = now.saturating_sub(*since) >= TERM_TO_KILL;
    let (signal, signalled) = if late { (Signal::SIGKILL, kill) } else { (Signal::SIGTERM, term) };
    let ids: Vec<u64> = model.snapshot.running.iter().filter(|live| live.pid.is_some()).map(|live| live.id).collect();
    let new: Vec<u64> = ids.into_iter().filter(|id| signalled.insert(*id)).collect();
    new.into_iter().map(|id| model.submit(Pending::Quitting, Command::Kill { id, signal: signal as i32 })).collect()
}
