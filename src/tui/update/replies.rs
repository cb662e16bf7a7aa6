//! Handles the replies to submitted commands.

use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::error::ControlError;
use crate::control::text::change;
use crate::control::text::error::{explain, not, not_changed};
use crate::control::text::outcome::{Severity, answered, ended_in_words};
use crate::control::text::probe_report::{read, table};
use crate::control::text::ps::chain_ended;
use crate::control::text::target::object;
use crate::control::{Change, Key, KnobValue, MaskKnob, Reply};
use crate::tui::dialogs::command_line::CommandLine;
use crate::tui::dialogs::{page, rehearsal};
use crate::tui::keymap::Action;
use crate::tui::model::masks::{key, live};
use crate::tui::model::{Model, Pending};
use crate::tui::msg::{Effect, Ticket};

use super::activity;
use super::readback::take_written;

/// Handles a reply. A reply to an unknown ticket is ignored.
pub(super) fn take(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) -> Vec<Effect> {
    let Some(pending) = model.pending.remove(&ticket) else { return Vec::new() };
    match pending {
        Pending::Request(batch) => request(model, batch, &reply),
        Pending::Series(batch) => {
            request(model, batch, &reply);
            if model.batches.contains_key(&batch) {
                model.pending.insert(ticket, Pending::Series(batch));
            }
        }
        Pending::Set(keys) => set(model, ticket, &keys, reply),
        Pending::Probe => probe(model, ticket, reply),
        Pending::Act(done) => match reply {
            Ok(Reply::ChainEnded(ended)) => {
                let severity = if ended.is_whole() { Severity::Good } else { Severity::Bad };
                report(model, ticket, severity, format!("{done}: {}", chain_ended(&ended)));
            }
            Ok(_) => report(model, ticket, Severity::Good, done),
            Err(error) => {
                report(model, ticket, Severity::Bad, format!("{done}: {}: {}", not(&error, "done"), explain(&error)));
            }
        },
        Pending::LoopMessages => {
            let name = Key::LoopMessages.name();
            match reply {
                Ok(_) => {
                    model.away.dismiss_runaway(&model.snapshot);
                    report(model, ticket, Severity::Good, format!("{name}: counted from 0 again"));
                }
                Err(error) => report(model, ticket, Severity::Bad, format!("{name}: {}", explain(&error))),
            }
        }
        Pending::Helper(which, done) => match reply {
            Ok(_) => model.say(Severity::Good, format!("{which}: {done}")),
            Err(error) => model.say(Severity::Bad, format!("{which}: {}: {}", not(&error, "done"), explain(&error))),
        },
        Pending::Bulk(batch) => bulk(model, batch, reply),
        Pending::Matching(query, action) => match reply {
            Ok(Reply::Matching(ids)) => activity::matching(model, &query, action, &ids),
            Ok(_) => {}
            Err(error) => model.say(Severity::Bad, format!("nothing is marked: {}", explain(&error))),
        },
        Pending::Path => set(model, ticket, &[Key::Modprobe], reply),
        Pending::Gate(words, before) => gate(model, ticket, (words, before), reply),
        Pending::Undo(asked) => undone(model, ticket, &asked, reply),
        Pending::Masks(asked) => masks(model, ticket, &asked, reply),
        Pending::Reset(knob) => reset(model, ticket, knob, reply),
        Pending::Rehearsal => return rehearsal::answered(model, ticket, reply),
        // A helper may end before its signal comes: the snapshots show whether it is alive.
        Pending::Quitting => {}
    }
    Vec::new()
}

/// Handles one answer to a batch of requests.
fn request(model: &mut Model, batch: u64, reply: &Result<Reply, ControlError>) {
    let Some(tally) = model.batches.get_mut(&batch) else { return };
    let (mood, text) = tally.take(reply);
    if tally.is_complete() {
        model.batches.remove(&batch);
    }
    model.say_of_batch(batch, mood, text);
}

/// Handles one answer to an act on many requests.
fn bulk(model: &mut Model, batch: u64, reply: Result<Reply, ControlError>) {
    let Some(bulk) = model.bulks.get_mut(&batch) else { return };
    let (mood, text) = bulk.take(reply.map(drop).map_err(|error| explain(&error)));
    if bulk.is_complete() {
        model.bulks.remove(&batch);
    }
    model.say_of_batch(batch, mood, text);
}

/// Reports the answer to a command of the command line or of a key. A command line stays open while one of its commands
/// is unanswered or refused; it closes when all are done.
fn report(model: &mut Model, ticket: Ticket, mood: Severity, text: String) {
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

/// Handles the answer to a write of these knobs. Returns what was written: the dialog that waited for it is closed, and
/// the screen shows the new values. A refusal is shown in that dialog, else where the command came from.
fn written(
    model: &mut Model,
    ticket: Ticket,
    names: &[&str],
    reply: Result<Reply, ControlError>,
) -> Option<Vec<Change>> {
    let at = model.waiting(ticket);
    match reply {
        Ok(Reply::Written(written)) => {
            if let Some(at) = at {
                model.dialogs.remove(at);
            }
            take_written(model, &written);
            Some(written)
        }
        Ok(_) => None,
        Err(error) => {
            let why = not_changed(names, &error);
            match at.and_then(|at| model.dialogs.get_mut(at)) {
                Some(dialog) => dialog.refused(why),
                None => report(model, ticket, Severity::Bad, why),
            }
            None
        }
    }
}

/// How a change is taken back, if it changed something.
fn can_undo(model: &Model, written: &[Change]) -> String {
    match written.iter().any(|change| change.before != change.after && !change.key.is_mask()) {
        true => format!(" ({} undoes it)", model.keys.key(Action::UndoKnob)),
        false => String::new(),
    }
}

/// Handles the answer to a write of the values of before: done only if each reads back as it was asked for.
fn undone(model: &mut Model, ticket: Ticket, asked: &[(Key, KnobValue)], reply: Result<Reply, ControlError>) {
    let names: Vec<&str> = asked.iter().map(|(key, _)| key.name()).collect();
    let Some(written) = written(model, ticket, &names, reply) else { return };
    model.changes.taken_back();
    let reads = |(key, value): &(Key, KnobValue)| written.iter().any(|w| w.key == *key && w.after.is_like(value));
    let (target, (mood, text)) = (object(&model.link.info), change::changed(&written));
    match asked.iter().all(reads) {
        true => model.say(mood, format!("undone and read back, on {target}: {text}")),
        false => model.say(Severity::Bad, format!("undone on {target}, but it reads back otherwise: {text}")),
    }
}

fn gate(model: &mut Model, ticket: Ticket, (words, before): (&str, Depth), reply: Result<Reply, ControlError>) {
    let (mood, text) = match reply {
        Ok(reply) => {
            model.away.dismiss_drains(&model.snapshot);
            let (written, change) = match reply {
                Reply::Written(written) => {
                    let changes = written.iter().map(|w| format!("{} -> {}", w.before, w.after));
                    let text = format!(", {}", changes.collect::<Vec<_>>().join("; "));
                    (written, text)
                }
                _ => (vec![Change::new(Key::Gate, before, Depth::Enabled)], String::new()),
            };
            model.changes.keep(&written);
            let undo = can_undo(model, &written);
            (Severity::Good, format!("khelper.gate: {words}: done{change}{undo}"))
        }
        Err(error) => (Severity::Bad, format!("khelper.gate: {words}: {}", explain(&error))),
    };
    report(model, ticket, mood, text);
}

fn masks(model: &mut Model, ticket: Ticket, asked: &[(MaskKnob, CapMask)], reply: Result<Reply, ControlError>) {
    let names: Vec<&str> = asked.iter().map(|(knob, _)| key(*knob).name()).collect();
    let Some(written) = written(model, ticket, &names, reply) else { return };
    model.changes.keep(&written);
    // Bits toggled since stay; the rest is rebased on what was read back.
    for (knob, mask) in asked {
        if model.masks.draft(*knob) == *mask {
            model.masks.settle(*knob, live(&model.snapshot, *knob));
        }
    }
    let (mood, text) = change::applied(asked, &written, model.snapshot.known, |knob| live(&model.snapshot, knob));
    model.say(mood, text);
}

fn reset(model: &mut Model, ticket: Ticket, knob: MaskKnob, reply: Result<Reply, ControlError>) {
    let before = live(&model.snapshot, knob);
    let Some(written) = written(model, ticket, &[key(knob).name()], reply) else { return };
    model.changes.keep(&written);
    model.masks.rebase(knob, before, live(&model.snapshot, knob));
    model.say(Severity::Good, change::was_reset(knob, &written));
}

/// Handles the answer to a write of knobs by the command line, or by a dialog.
fn set(model: &mut Model, ticket: Ticket, keys: &[Key], reply: Result<Reply, ControlError>) {
    let names: Vec<&str> = keys.iter().map(|key| key.name()).collect();
    let Some(written) = written(model, ticket, &names, reply) else { return };
    model.changes.keep(&written);
    if keys.contains(&Key::Gate) {
        model.away.dismiss_drains(&model.snapshot);
    }
    let (mood, text) = change::changed(&written);
    let undo = can_undo(model, &written);
    report(model, ticket, mood, format!("{text}{undo}"));
}

/// Shows the probe's report as a page.
fn probe(model: &mut Model, ticket: Ticket, reply: Result<Reply, ControlError>) {
    match reply {
        Ok(Reply::Answered(record)) => {
            report(model, ticket, Severity::Quiet, "the probe has ended".to_owned());
            let report = record.output.as_deref().and_then(|o| read(&o.stdout));
            // Never in front of a dialog that was opened meanwhile.
            if let Some(report) = report.filter(|_| model.dialogs.is_empty()) {
                let lines = table(&report, model.snapshot.known).lines().map(str::to_owned).collect();
                page::open(model, "What a helper gets now", lines);
            }
            model.say(ended_in_words(&record).mood, answered(&record));
        }
        Ok(_) => {}
        Err(error) => report(model, ticket, Severity::Bad, explain(&error)),
    }
}
