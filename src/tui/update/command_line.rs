//! The command line: what was typed becomes what its key would have done, or a command through the one door.

use std::os::unix::ffi::OsStrExt;

use clap::error::ErrorKind;

use crate::abi::error::{ControlError, Explain, ParseError};
use crate::abi::escape::screen;
use crate::abi::mask::{MaskExpr, every_form};
use crate::abi::module::ModuleName;
use crate::abi::subprocess::SubprocessInfo;
use crate::control::text::outcome::{self, Severity};
use crate::control::{Command, Key, MaskKnob, read};
use crate::tui::line_history;
use crate::tui::model::dialog::{Dialog, Page};
use crate::tui::model::masks::{KNOBS, live};
use crate::tui::model::warnings::screen_again;
use crate::tui::model::{Model, Pending, argv_text, masks};
use crate::tui::msg::{Effect, Ticket};
use crate::verbs::options::{Get, Mask, Request, Run, assignment, key};
use crate::verbs::verb::{Line, Resettable, Verb, Work};

use super::{confirm, gate};
use crate::tui::model::explain::explain;
use crate::tui::model::read_only::read_only;

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

/// Does what the line says. It stays until that is answered, and for good with what is wrong if it means nothing or was
/// refused. Requests alone are let go at once: how they end is told as ever.
pub(super) fn submit(model: &mut Model) -> Vec<Effect> {
    if !model.line.asked.is_empty() {
        return Vec::new();
    }
    let bytes = model.line.typed.bytes().to_vec();
    let words = match argv_text::split(&bytes) {
        Ok(words) if words.is_empty() => {
            model.dialogs.pop();
            return Vec::new();
        }
        Ok(words) => words,
        Err(why) => return wrong(model, why),
    };
    let done = match Line::read(words) {
        Ok(line) => perform(model, line.verb),
        Err(help) if help.kind() == ErrorKind::DisplayHelp => {
            let lines = help.render().to_string().lines().map(|line| screen(line.as_bytes())).collect();
            open_page(model, "What the commands do", lines);
            Ok(Vec::new())
        }
        Err(error) => Err(complaint(&error)),
    };
    match done {
        Ok(mut effects) => {
            line_history::push(&mut model.line.history, &bytes);
            if matches!(model.dialogs.last(), Some(Dialog::Line)) {
                model.line.asked = effects.iter().filter_map(ticket).collect();
                model.line.error = None;
            }
            effects.push(Effect::Remember(bytes));
            effects
        }
        Err(why) => wrong(model, why),
    }
}

const fn ticket(effect: &Effect) -> Option<Ticket> {
    match effect {
        Effect::Submit { ticket, .. } => Some(*ticket),
        _ => None,
    }
}

fn wrong(model: &mut Model, why: String) -> Vec<Effect> {
    model.line.error = Some(why);
    Vec::new()
}

/// What clap says, in its lines; it repeats what was typed.
fn complaint(error: &clap::Error) -> String {
    if error.kind() == ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand {
        return "give a command: tab shows them, `help` explains them".to_owned();
    }
    let text = error.render().to_string();
    // The command itself has no name here: its usage would say nothing.
    let says_nothing = |line: &str| ["For more information", "Usage: : <"].iter().any(|start| line.starts_with(start));
    let lines = text.lines().filter(|line| !line.trim().is_empty() && !says_nothing(line));
    let lines = lines.map(|line| screen_again(line.trim_end().trim_start_matches("error: ")));
    lines.collect::<Vec<_>>().join("\n")
}

/// Where something opens, the line is taken off first, so that it stands on top.
fn perform(model: &mut Model, verb: Verb) -> Result<Vec<Effect>, String> {
    let reads = matches!(verb, Verb::Get(_) | Verb::Mask(_));
    if !reads && model.options.read_only {
        return Err(format!("{}; `get`, `mask` and `help` work", read_only("this command")));
    }
    match verb {
        Verb::Get(get) => page_of_knobs(model, &get),
        Verb::Mask(mask) => page_of_masks(model, &mask),
        Verb::Set(set) => set_knobs(model, &set.settings),
        Verb::Request(request) => ask(model, &request),
        Verb::Run(run) => call(model, &run),
        Verb::Probe(_) => {
            model.say(Severity::Quiet, "the probe runs");
            Ok(vec![model.submit(Pending::Probe, Command::Probe { bset: None, inheritable: None })])
        }
        Verb::Gate(work) => {
            let choice = match work.what {
                Work::Freeze => 0,
                Work::Disable => 1,
                Work::Enable => 2,
            };
            Ok(gate::act(model, choice))
        }
        Verb::Reset(reset) => put_back(model, reset.what),
        Verb::Kill(kill) => {
            let signal = kill.signal;
            let name = crate::abi::wait::signal_name(u8::try_from(signal).unwrap_or_default());
            Ok(act(model, &kill.ids, &name, |id| Command::Kill { id, signal }))
        }
        Verb::Abandon(abandon) => Ok(act(model, &abandon.ids, "abandoned", Command::Abandon)),
    }
}

fn act(model: &mut Model, ids: &[u64], what: &str, command: impl Fn(u64) -> Command) -> Vec<Effect> {
    ids.iter().map(|id| model.submit(Pending::Act(format!("#{id}: {what}")), command(*id))).collect()
}

fn put_back(model: &mut Model, what: Resettable) -> Result<Vec<Effect>, String> {
    let knob = match what {
        Resettable::Bset => MaskKnob::Bset,
        Resettable::Inheritable => MaskKnob::Inheritable,
        Resettable::LoopMessages => {
            return Ok(vec![model.submit(Pending::LoopMessages, Command::ResetLoopMessages)]);
        }
    };
    let reset = confirm::reset(model, knob).map_err(|(_, why)| why)?;
    model.masks.column = knob;
    model.dialogs.pop();
    model.dialogs.push(reset);
    Ok(Vec::new())
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
    let before = model.masks.drafts();
    model.masks.set_both(draft);
    match confirm::apply(model) {
        Ok(mut apply) => {
            // It was made for this question, and goes with it.
            apply.made = before != draft;
            model.dialogs.pop();
            model.dialogs.push(Dialog::Apply(apply));
            Ok(Vec::new())
        }
        Err((_, why)) => {
            if before != draft {
                model.masks.step(true);
            }
            Err(why)
        }
    }
}

/// As the shell's: up to `--parallel` at the same time, the list `--repeat` times.
fn ask(model: &mut Model, request: &Request) -> Result<Vec<Effect>, String> {
    let total = (request.names.len() as u64).saturating_mul(u64::from(request.repeat));
    if total > REQUESTS_MAX {
        return Err(format!("{total} requests are more than one line may ask for ({REQUESTS_MAX})"));
    }
    for name in &request.names {
        let wrong = |error: ParseError| format!("{error}: {}", error.advice());
        ModuleName::parse(name.as_bytes()).map_err(wrong)?;
    }
    model.dialogs.pop();
    let names: Vec<Vec<u8>> = request.names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let title = names.iter().map(|name| screen(name)).collect::<Vec<_>>().join(" ");
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    Ok(vec![model.open_series(title, names, !request.nowait, total, u32::from(request.parallel))])
}

fn call(model: &mut Model, run: &Run) -> Result<Vec<Effect>, String> {
    let call = run.call(model.snapshot.known).map_err(|e| explain(&e))?;
    let argv = std::iter::once(call.path.clone()).chain(call.args.iter().cloned());
    let wrong = |error| explain(&ControlError::Value { key: "call".to_owned(), error });
    SubprocessInfo::setup(Some(call.path.clone()), argv, call.env.clone()).map_err(wrong)?;
    model.dialogs.pop();
    let batch = model.open_batch(screen(&call.path), 1);
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
    lines.push(format!("note: {}", outcome::MASKS_AND_ROOT));
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
