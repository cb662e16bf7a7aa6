//! Answers to what was submitted.

use nix::errno::Errno;

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, Explain};
use crate::abi::escape::screen_again;
use crate::control::text::mask::list;
use crate::control::text::outcome::{Severity, ended_in_words, value};
use crate::control::text::probe_report::table;
use crate::control::{Key, MaskKnob, Reply, Written};
use crate::sys::probe::Report;
use crate::tui::dialogs::command_line::CommandLine;
use crate::tui::dialogs::{page, rehearsal};
use crate::tui::model::explain::explain;
use crate::tui::model::masks::{key, live};
use crate::tui::model::{Model, Pending, warnings};
use crate::tui::msg::{Effect, Ticket};

use super::batch;
use super::readback::take_written;

/// Takes an answer in. One that nobody asked for says nothing.
pub(super) fn take(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) -> Vec<Effect> {
    let Some(pending) = model.pending.remove(&ticket) else { return Vec::new() };
    match pending {
        Pending::Request(batch) => batch::request(model, batch, reply),
        Pending::Series(batch) => {
            batch::request(model, batch, reply);
            if model.batches.contains_key(&batch) {
                model.pending.insert(ticket, Pending::Series(batch));
            }
        }
        Pending::Set(keys) => set(model, ticket, &keys, reply),
        Pending::Probe => probe(model, ticket, reply),
        Pending::Act(done) => match reply {
            Ok(_) => tell(model, ticket, Severity::Good, done),
            Err(error) => {
                tell(model, ticket, Severity::Bad, format!("{done}: {}: {}", not(&error, "done"), explain(&error)));
            }
        },
        Pending::LoopMessages => {
            let name = Key::LoopMessages.name();
            match reply {
                Ok(_) => {
                    warnings::no_runaway(model);
                    tell(model, ticket, Severity::Good, format!("{name}: counted from 0 again"));
                }
                Err(error) => tell(model, ticket, Severity::Bad, format!("{name}: {}", explain(&error))),
            }
        }
        Pending::Helper(which, done) => match reply {
            Ok(_) => model.say(Severity::Good, format!("{which}: {done}")),
            Err(error) => model.say(Severity::Bad, format!("{which}: {}: {}", not(&error, "done"), explain(&error))),
        },
        Pending::Path => path(model, ticket, reply),
        Pending::Gate(words) => gate(model, ticket, words, reply),
        Pending::Masks(asked) => masks(model, ticket, &asked, reply),
        Pending::Reset(knob) => reset(model, ticket, knob, reply),
        Pending::Rehearsal => return rehearsal::answered(model, ticket, reply),
        // A helper may end before its signal comes: the snapshots tell whether it lives.
        Pending::Quitting => {}
    }
    Vec::new()
}

/// Tells the answer to what a line or a key has asked for. A line stays as long as something that it has asked for is
/// refused, or not answered; done, it goes.
fn tell(model: &mut Model, ticket: Ticket, mood: Severity, text: String) {
    let of_line = model.line.answered(ticket);
    match model.dialogs.iter().position(|dialog| dialog.get::<CommandLine>().is_some()).filter(|_| of_line) {
        Some(_) if mood == Severity::Bad => model.line.refused(&text),
        Some(at) => {
            model.say(mood, text);
            if model.line.asked.is_empty() && model.line.error.is_none() {
                model.dialogs.remove(at);
            }
        }
        None => model.say(mood, text),
    }
}

/// The same, with the knobs' names where the error does not begin with the only one.
fn not_changed(names: &[&str], error: &ControlError) -> String {
    let why = explain(error);
    let (all, were) = match names {
        [] => return why,
        [one] if why.starts_with(one) => return why,
        [one] => ((*one).to_owned(), "was"),
        [some @ .., last] => (format!("{} and {last}", some.join(", ")), "were"),
    };
    format!("{all} {were} {}: {why}", not(error, "changed"))
}

/// A command that panicked may have done its part before that.
fn not(error: &ControlError, done: &str) -> String {
    let word = if error.errno() == Errno::ECANCELED { "perhaps" } else { "not" };
    format!("{word} {done}")
}

fn path(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) {
    let at = model.waiting(ticket);
    match reply {
        Ok(Reply::Written(written)) => {
            if let Some(at) = at {
                model.dialogs.remove(at);
            }
            take_written(model, &written);
            let warned = written.iter().any(|w| !w.warnings.is_empty());
            let text = written.iter().map(path_written).collect::<Vec<_>>().join("; ");
            model.say(if warned { Severity::Warned } else { Severity::Good }, text);
        }
        Ok(_) => {}
        Err(error) => {
            let why = not_changed(&[Key::Modprobe.name()], &error);
            match at.and_then(|at| model.dialogs.get_mut(at)) {
                Some(dialog) => dialog.refused(why),
                None => model.say(Severity::Bad, why),
            }
        }
    }
}

fn path_written(written: &Written) -> String {
    let name = written.key.name();
    let mut text = match (written.before == written.after, written.after.is_empty()) {
        (true, _) => format!("{name} is still {}", value(&written.after)),
        (_, true) => format!("{name} is empty now: autoload is off"),
        _ => format!("{name}: {} -> {}", value(&written.before), value(&written.after)),
    };
    for warning in &written.warnings {
        text.push_str("; ");
        text.push_str(&screen_again(warning));
    }
    text
}

fn gate(model: &mut Model, ticket: Ticket, words: &str, reply: Result<Reply, ControlError>) {
    let (mood, text) = match reply {
        Ok(reply) => {
            warnings::gate_worked(model);
            let change = match reply {
                Reply::Written(written) => {
                    let changes = written.iter().map(|w| format!("{} -> {}", w.before, w.after));
                    format!(", {}", changes.collect::<Vec<_>>().join("; "))
                }
                _ => String::new(),
            };
            (Severity::Good, format!("khelper.gate: {words}: done{change}"))
        }
        Err(error) => (Severity::Bad, format!("khelper.gate: {words}: {}", explain(&error))),
    };
    tell(model, ticket, mood, text);
}

fn masks(model: &mut Model, ticket: Ticket, asked: &[(MaskKnob, CapMask)], reply: Result<Reply, ControlError>) {
    let at = model.waiting(ticket);
    match reply {
        Ok(Reply::Written(written)) => {
            if let Some(at) = at {
                model.dialogs.remove(at);
            }
            take_written(model, &written);
            // What was toggled since stays; the rest is rebased on what was read back.
            for (knob, mask) in asked {
                if model.masks.draft(*knob) == *mask {
                    model.masks.settle(*knob, live(&model.snapshot, *knob));
                }
            }
            let (mood, text) = compare(model, asked, &written);
            model.say(mood, text);
        }
        Ok(_) => {}
        Err(error) => {
            let names: Vec<&str> = asked.iter().map(|(knob, _)| key(*knob).name()).collect();
            let why = not_changed(&names, &error);
            match at.and_then(|at| model.dialogs.get_mut(at)) {
                Some(dialog) => dialog.refused(why),
                None => model.say(Severity::Bad, why),
            }
        }
    }
}

/// Success means exactly what was asked, as it was read back.
fn compare(model: &Model, asked: &[(MaskKnob, CapMask)], written: &[Written]) -> (Severity, String) {
    let mut mood = Severity::Good;
    let mut parts = Vec::new();
    for (knob, mask) in asked {
        let name = key(*knob).name();
        let Some(answer) = written.iter().find(|w| w.key == key(*knob)) else {
            mood = Severity::Bad;
            parts.push(format!("{name}: no answer; look at what it reads"));
            continue;
        };
        let after = live(&model.snapshot, *knob);
        let value = answer.after.replace('\t', " ");
        if after == *mask {
            parts.push(format!("{name} reads back `{value}`, exactly as asked"));
            continue;
        }
        mood = Severity::Warned;
        let (missing, more) = (mask.minus(after), after.minus(*mask));
        let mut differs = Vec::new();
        if !missing.is_empty() {
            differs.push(format!("{} not granted", list(missing)));
        }
        if !more.is_empty() {
            differs.push(format!("{} still there", list(more)));
        }
        parts.push(format!("{name} reads back `{value}`, not as asked: {}", differs.join("; ")));
    }
    (mood, parts.join("; "))
}

fn reset(model: &mut Model, ticket: Ticket, knob: MaskKnob, reply: Result<Reply, ControlError>) {
    let at = model.waiting(ticket);
    match reply {
        Ok(Reply::Written(written)) => {
            if let Some(at) = at {
                model.dialogs.remove(at);
            }
            let before = live(&model.snapshot, knob);
            take_written(model, &written);
            model.masks.rebase(knob, before, live(&model.snapshot, knob));
            let value = written.first().map(|w| w.after.replace('\t', " ")).unwrap_or_default();
            model.say(Severity::Good, format!("{} was reset and reads back `{value}`", key(knob).name()));
        }
        Ok(_) => {}
        Err(error) => {
            let why = not_changed(&[key(knob).name()], &error);
            match at.and_then(|at| model.dialogs.get_mut(at)) {
                Some(dialog) => dialog.refused(why),
                None => model.say(Severity::Bad, why),
            }
        }
    }
}

/// Knobs that were written from the command line.
fn set(model: &mut Model, ticket: Ticket, keys: &[Key], reply: Result<Reply, ControlError>) {
    match reply {
        Ok(Reply::Written(written)) => {
            take_written(model, &written);
            if keys.contains(&Key::Gate) {
                warnings::gate_worked(model);
            }
            let warned = written.iter().any(|w| !w.warnings.is_empty());
            let words = |w: &Written| match w.key {
                Key::Modprobe => path_written(w),
                key => format!("{}: {} -> {}", key.name(), value(&w.before), value(&w.after)),
            };
            let text = written.iter().map(words).collect::<Vec<_>>().join("; ");
            tell(model, ticket, if warned { Severity::Warned } else { Severity::Good }, text);
        }
        Ok(_) => {}
        Err(error) => {
            let names: Vec<&str> = keys.iter().map(|key| key.name()).collect();
            tell(model, ticket, Severity::Bad, not_changed(&names, &error));
        }
    }
}

/// The probe's report, as a page.
fn probe(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) {
    match reply {
        Ok(Reply::Answered(record)) => {
            tell(model, ticket, Severity::Quiet, "the probe has ended".to_owned());
            let report = record.output.as_deref().and_then(|o| serde_json::from_slice::<Report>(&o.stdout).ok());
            // Not in front of somebody who is at something else by now.
            if let Some(report) = report.filter(|_| model.dialogs.is_empty()) {
                let lines = table(&report, model.snapshot.known).lines().map(str::to_owned).collect();
                page::open(model, "What a helper gets now", lines);
            }
            model.say(ended_in_words(&record).mood, batch::answered(&record));
        }
        Ok(_) => {}
        Err(error) => tell(model, ticket, Severity::Bad, explain(&error)),
    }
}
