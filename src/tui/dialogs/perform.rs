//! The verbs of the command line.

use std::os::unix::ffi::OsStrExt;

use crate::abi::cap::CapMask;
use crate::abi::error::{ControlError, Explain, ParseError};
use crate::abi::escape::screen;
use crate::abi::mask::{MaskExpr, every_form};
use crate::abi::module::ModuleName;
use crate::abi::subprocess::SubprocessInfo;
use crate::control::text::error::{explain, not_changed};
use crate::control::text::outcome::{self, Severity};
use crate::control::{Command, Key, KnobValue, MaskKnob, read};
use crate::tui::model::masks::{KNOBS, live};
use crate::tui::model::read_only::read_only;
use crate::tui::model::{After, Model, Pending, masks};
use crate::verbs::options::{Get, Mask, Request, Run, assignment, key};
use crate::verbs::verb::{Resettable, Verb, Work};

use super::{apply, gate, page, reset};

/// The most requests of one line.
const REQUESTS_MAX: u64 = 100_000;

/// Does what the verb says. The line stays for the replies, or is closed where something else opens.
pub(super) fn perform(model: &mut Model, verb: Verb) -> Result<After, String> {
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
            Ok(After::Stay(vec![model.submit(Pending::Probe, Command::Probe { bset: None, inheritable: None })]))
        }
        Verb::Gate(work) => {
            let choice = match work.what {
                Work::Freeze => 0,
                Work::Disable => 1,
                Work::Enable => 2,
            };
            Ok(After::Stay(gate::act(model, choice)))
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

fn act(model: &mut Model, ids: &[u64], what: &str, command: impl Fn(u64) -> Command) -> After {
    After::Stay(ids.iter().map(|id| model.submit(Pending::Act(format!("#{id}: {what}")), command(*id))).collect())
}

fn put_back(model: &mut Model, what: Resettable) -> Result<After, String> {
    let knob = match what {
        Resettable::Bset => MaskKnob::Bset,
        Resettable::Inheritable => MaskKnob::Inheritable,
        Resettable::LoopMessages => {
            return Ok(After::Stay(vec![model.submit(Pending::LoopMessages, Command::ResetLoopMessages)]));
        }
    };
    let reset = reset::question(model, knob).map_err(|(_, why)| why)?;
    model.masks.column = knob;
    model.open(reset);
    Ok(After::CLOSE)
}

/// Masks become the draft and are confirmed as ever; other knobs are written at once. The gate stands alone.
fn set_knobs(model: &mut Model, settings: &[std::ffi::OsString]) -> Result<After, String> {
    let writes: Result<Vec<_>, ControlError> = settings.iter().map(|s| assignment("set", s.as_bytes())).collect();
    let writes = writes.map_err(|e| explain(&e))?;
    if let Some((key, _)) = writes.iter().find(|(key, _)| !key.writable()) {
        return Err(explain(&ControlError::ReadOnly(key.name().to_owned())));
    }
    if writes.iter().any(|(key, _)| key.is_mask()) {
        return set_masks(model, &writes);
    }
    let known = model.snapshot.known;
    let (gates, knobs): (Vec<_>, Vec<_>) = writes.into_iter().partition(|(key, _)| *key == Key::Gate);
    let batches = std::iter::once(knobs).chain(gates.into_iter().map(|gate| vec![gate])).filter(|b| !b.is_empty());
    // All of the line is read before anything of it is written.
    let batches = batches.map(|batch| read_values(batch, known)).collect::<Result<Vec<_>, _>>()?;
    let write = |batch: Vec<(Key, KnobValue)>| {
        let keys = batch.iter().map(|(key, _)| *key).collect();
        model.submit(Pending::Set(keys), Command::Write(batch))
    };
    Ok(After::Stay(batches.into_iter().map(write).collect()))
}

/// The values that were typed for knobs which are written together.
fn read_values(batch: Vec<(Key, Vec<u8>)>, known: CapMask) -> Result<Vec<(Key, KnobValue)>, String> {
    let names: Vec<&str> = batch.iter().map(|(key, _)| key.name()).collect();
    let value = |(key, text): (Key, Vec<u8>)| key.parse_value(&text, known).map(|value| (key, value));
    batch.into_iter().map(value).collect::<Result<_, _>>().map_err(|error| not_changed(&names, &error))
}

fn set_masks(model: &mut Model, writes: &[(Key, Vec<u8>)]) -> Result<After, String> {
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
    match apply::question(model) {
        Ok(mut apply) => {
            // It was made for this question, and goes with it.
            apply.made = before != draft;
            model.open(apply);
            Ok(After::CLOSE)
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
fn ask(model: &mut Model, request: &Request) -> Result<After, String> {
    let total = (request.names.len() as u64).saturating_mul(u64::from(request.repeat));
    if total > REQUESTS_MAX {
        return Err(format!("{total} requests are more than one line may ask for ({REQUESTS_MAX})"));
    }
    for name in &request.names {
        let wrong = |error: ParseError| format!("{error}: {}", error.advice());
        ModuleName::parse(name.as_bytes()).map_err(wrong)?;
    }
    let names: Vec<Vec<u8>> = request.names.iter().map(|name| name.as_bytes().to_vec()).collect();
    let title = names.iter().map(|name| screen(name)).collect::<Vec<_>>().join(" ");
    let total = u32::try_from(total).unwrap_or(u32::MAX);
    let parallel = u32::from(request.parallel);
    Ok(After::Close(vec![model.open_series(title, names, !request.nowait, total, parallel)]))
}

fn call(model: &mut Model, run: &Run) -> Result<After, String> {
    let call = run.call(model.snapshot.known).map_err(|e| explain(&e))?;
    let argv = std::iter::once(call.path.clone()).chain(call.args.iter().cloned());
    let wrong = |error| explain(&ControlError::Value { key: "call".to_owned(), error });
    SubprocessInfo::setup(Some(call.path.clone()), argv, call.env.clone()).map_err(wrong)?;
    let batch = model.open_batch(screen(&call.path), 1);
    Ok(After::Close(vec![model.submit(Pending::Request(batch), Command::Call(call))]))
}

fn page_of_knobs(model: &mut Model, get: &Get) -> Result<After, String> {
    let mut lines = Vec::new();
    let all = Key::ALL.iter().filter(|_| get.all).map(|key| Ok(*key));
    for key in all.chain(get.keys.iter().map(|name| key(name.as_bytes()))) {
        match key {
            Ok(key) => {
                let value = read(&model.snapshot, key).text().replace('\t', " ");
                lines.push(if get.values { value } else { format!("{} = {value}", key.name()) });
            }
            Err(ControlError::UnknownKey(_)) if get.ignore => {}
            Err(error) => return Err(explain(&error)),
        }
    }
    page::open(model, "As the knobs read", lines);
    Ok(After::CLOSE)
}

fn page_of_masks(model: &mut Model, mask: &Mask) -> Result<After, String> {
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
    page::open(model, "Masks in every form", lines);
    Ok(After::CLOSE)
}
