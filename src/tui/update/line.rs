//! The command line: what was typed becomes what its key would have done, or a command through the one door.

use std::os::unix::ffi::OsStrExt;

use clap::error::ErrorKind;

use crate::abi::error::ControlError;
use crate::abi::escape::screen;
use crate::abi::mask::{MaskExpr, every_form};
use crate::control::grammar::line::{Line, Resettable, Verb, Work};
use crate::control::grammar::{Get, Mask, Request, Run, assignment, key};
use crate::control::words::Mood;
use crate::control::{Command, Key, MaskKnob, read};
use crate::tui::history;
use crate::tui::keymap::Action;
use crate::tui::model::dialog::{Dialog, Page};
use crate::tui::model::masks::{KNOBS, live};
use crate::tui::model::{Model, Pending, args, masks};
use crate::tui::msg::Effect;

use super::module::open_series;
use super::replies::explain;
use super::{confirm, gate, refused_read_only};

/// The most requests of one line.
const REQUESTS_MAX: u64 = 100_000;

/// Opens an empty line.
pub(super) fn open(model: &mut Model) {
    model.line.open();
    model.dialogs.push(Dialog::Line);
}

/// Takes the last word as far as it is clear.
pub(super) fn complete(model: &mut Model) {
    let ids = model.snapshot.running.iter().map(|live| live.id).collect();
    model.line.complete(model.snapshot.known, &ids);
}

/// Does what the line says; one that means nothing stays, with what is wrong.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    let bytes = model.line.typed.bytes().to_vec();
    let words = match args::split(&bytes) {
        Ok(words) if words.is_empty() => {
            model.dialogs.pop();
            return Vec::new();
        }
        Ok(words) => words,
        Err(why) => return wrong(model, why),
    };
    let done = Line::read(words).map_err(|e| complaint(&e)).and_then(|line| perform(model, line.verb));
    match done {
        Ok(mut effects) => {
            history::push(&mut model.line.history, &bytes);
            effects.push(Effect::Remember(bytes));
            effects
        }
        Err(why) => wrong(model, why),
    }
}

fn wrong(model: &mut Model, why: String) -> Vec<Effect> {
    model.line.error = Some(why);
    Vec::new()
}

/// What clap says, in one paragraph; it repeats what was typed.
fn complaint(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "give a command: tab shows them".to_owned();
    }
    let text = error.render().to_string();
    // The command itself has no name here: its usage would say nothing.
    let says_nothing = |line: &str| ["For more information", "Usage: : <"].iter().any(|start| line.starts_with(start));
    let lines = text.lines().map(str::trim).filter(|line| !line.is_empty() && !says_nothing(line));
    screen(lines.collect::<Vec<_>>().join(" ").trim_start_matches("error: ").as_bytes()).replace("\\\\", "\\")
}

/// The line is taken off first, so that what it opens stands on top.
fn perform(model: &mut Model, verb: Verb) -> Result<Vec<Effect>, String> {
    let reads = matches!(verb, Verb::Get(_) | Verb::Mask(_));
    if !reads && model.options.read_only {
        model.dialogs.pop();
        refused_read_only(model, "the command");
        return Ok(Vec::new());
    }
    match verb {
        Verb::Get(get) => page_of_knobs(model, &get),
        Verb::Mask(mask) => page_of_masks(model, &mask),
        Verb::Set(set) => set_knobs(model, &set.settings),
        Verb::Request(request) => ask(model, &request),
        Verb::Run(run) => call(model, &run),
        Verb::Probe(_) => {
            model.dialogs.pop();
            model.say(Mood::Quiet, "the probe runs");
            Ok(vec![model.submit(Pending::Probe, Command::Probe { bset: None, inheritable: None })])
        }
        Verb::Gate(work) => {
            model.dialogs.pop();
            let choice = match work.what {
                Work::Freeze => 0,
                Work::Disable => 1,
                Work::Enable => 2,
            };
            Ok(gate::act(model, choice))
        }
        Verb::Reset(reset) => Ok(put_back(model, reset.what)),
        Verb::Kill(kill) => {
            let signal = kill.signal;
            let name = crate::abi::wait::signal_name(u8::try_from(signal).unwrap_or_default());
            Ok(act(model, &kill.ids, &name, |id| Command::Kill { id, signal }))
        }
        Verb::Abandon(abandon) => Ok(act(model, &abandon.ids, "abandoned", Command::Abandon)),
    }
}

fn act(model: &mut Model, ids: &[u64], what: &str, command: impl Fn(u64) -> Command) -> Vec<Effect> {
    model.dialogs.pop();
    ids.iter().map(|id| model.submit(Pending::Act(format!("#{id}: {what}")), command(*id))).collect()
}

fn put_back(model: &mut Model, what: Resettable) -> Vec<Effect> {
    model.dialogs.pop();
    model.masks.column = match what {
        Resettable::Bset => MaskKnob::Bset,
        Resettable::Inheritable => MaskKnob::Inheritable,
        Resettable::LoopMessages => {
            let done = "khelper.loop_messages: counted from 0 again".to_owned();
            return vec![model.submit(Pending::Act(done), Command::ResetLoopMessages)];
        }
    };
    confirm::open_reset(model);
    Vec::new()
}

/// Masks become the draft and are confirmed as ever; other knobs are written at once. The gate stands alone.
fn set_knobs(model: &mut Model, settings: &[std::ffi::OsString]) -> Result<Vec<Effect>, String> {
    let writes: Result<Vec<_>, ControlError> = settings.iter().map(|s| assignment("set", s.as_bytes())).collect();
    let writes = writes.map_err(|e| explain(&e))?;
    if let Some((key, _)) = writes.iter().find(|(key, _)| !key.writable()) {
        return Err(explain(&ControlError::ReadOnly(key.name().to_owned())));
    }
    if writes.iter().any(|(key, _)| key.is_mask()) {
        return set_masks(model, &writes);
    }
    model.dialogs.pop();
    let (gates, knobs): (Vec<_>, Vec<_>) = writes.into_iter().partition(|(key, _)| *key == Key::Gate);
    let batches =
        std::iter::once(knobs).chain(gates.into_iter().map(|gate| vec![gate])).filter(|batch| !batch.is_empty());
    Ok(batches
        .map(|batch| {
            let keys = batch.iter().map(|(key, _)| *key).collect();
            model.submit(Pending::Set(keys), Command::Write(batch))
        })
        .collect())
}

fn set_masks(model: &mut Model, writes: &[(Key, Vec<u8>)]) -> Result<Vec<Effect>, String> {
    let known = model.snapshot.known;
    let mut draft = KNOBS.map(|knob| live(&model.snapshot, knob));
    for (key, value) in writes {
        let Some(knob) = KNOBS.into_iter().find(|knob| masks::key(*knob) == *key) else {
            return Err(format!("{} is no mask: set it in a line of its own, masks are confirmed first", key.name()));
        };
        let wrong = |error| explain(&ControlError::Value { key: key.name().to_owned(), error });
        let expr = MaskExpr::parse(value, known).map_err(wrong)?;
        draft[knob as usize] = expr.resolve(live(&model.snapshot, knob), known);
    }
    model.dialogs.pop();
    model.masks.set_both(draft);
    let text = format!("draft: {} ({}: back)", super::changes(model, draft), model.keys.key(Action::Undo));
    model.say(Mood::Quiet, text);
    confirm::open_apply(model);
    Ok(Vec::new())
}

/// As the shell's: up to `--parallel` at the same time, the list `--repeat` times.
fn ask(model: &mut Model, request: &Request) -> Result<Vec<Effect>, String> {
    let total = (request.names.len() as u64).saturating_mul(u64::from(request.repeat));
    if total > REQUESTS_MAX {
        return Err(format!("{total} requests are more than one line may ask for ({REQUESTS_MAX})"));
    }
    model.dialogs.pop();
    let names: Vec<Vec<u8>> = request.names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let title = names.iter().map(|name| screen(name)).collect::<Vec<_>>().join(" ");
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    Ok(vec![open_series(model, title, names, !request.nowait, total, u32::from(request.parallel))])
}

fn call(model: &mut Model, run: &Run) -> Result<Vec<Effect>, String> {
    let call = run.call(model.snapshot.known).map_err(|e| explain(&e))?;
    model.dialogs.pop();
    let batch = super::module::open_batch(model, screen(&call.path), 1);
    Ok(vec![model.submit(Pending::Request(batch), Command::Call(call))])
}

fn page_of_knobs(model: &mut Model, get: &Get) -> Result<Vec<Effect>, String> {
    let mut lines = Vec::new();
    let all = Key::ALL.iter().filter(|_| get.all).map(|key| Ok(*key));
    for key in all.chain(get.keys.iter().map(|name| key(name.as_bytes()))) {
        match key {
            Ok(key) => {
                let value = read(&model.snapshot, key).replace('\t', " ");
                lines.push(if get.values { value } else { format!("{} = {value}", key.name()) });
            }
            Err(ControlError::UnknownKey(_)) if get.ignore => {}
            Err(error) => return Err(explain(&error)),
        }
    }
    open_page(model, "As the knobs read", lines);
    Ok(Vec::new())
}

fn page_of_masks(model: &mut Model, mask: &Mask) -> Result<Vec<Effect>, String> {
    let known = model.snapshot.known;
    let mut lines = Vec::new();
    for text in &mask.masks {
        let wrong = |error| explain(&ControlError::Value { key: "mask".to_owned(), error });
        let expr = MaskExpr::parse(text.as_bytes(), known).map_err(wrong)?;
        lines.push(screen(text.as_bytes()));
        let forms = every_form(expr.resolve(known, known), known);
        lines.extend(forms.map(|(name, value)| format!("  {name:<8} {}", value.replace('\t', " "))));
    }
    open_page(model, "Masks in every form", lines);
    Ok(Vec::new())
}

/// A page to read in place of the line. Every line is escaped.
pub(super) fn open_page(model: &mut Model, title: &str, lines: Vec<String>) {
    if matches!(model.dialogs.last(), Some(Dialog::Line)) {
        model.dialogs.pop();
    }
    model.dialogs.push(Dialog::Page(Page { title: title.to_owned(), lines, scroll: 0 }));
}
