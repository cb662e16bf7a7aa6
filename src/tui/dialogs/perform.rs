//! Runs the verbs of the command line: turns each into effects, dialogs and pages.

use crate::abi::error::{ControlError, Explain, ParseError};
use crate::abi::escape::screen;
use crate::abi::module::ModuleName;
use crate::abi::subprocess::SubprocessInfo;
use crate::control::config;
use crate::control::rules::text::NONE;
use crate::control::text::error::explain;
use crate::control::text::outcome::{self, Severity};
use crate::control::text::provenance::came_from;
use crate::control::text::{ps, status, tree};
use crate::control::tree::Tree;
use crate::control::{Call, Command, Key, KnobValue, metrics, read};
use crate::tui::model::masks::{KNOBS, live};
use crate::tui::model::read_only::read_only;
use crate::tui::model::{After, Model, Pending, masks};
use crate::tui::msg::Effect;
use crate::verbs::knobs::Form;
use crate::verbs::operate::Draft;
use crate::verbs::perform::{self, Act, Ask, Masks, Requests, no_helper};
use crate::verbs::verb::Verb;

use super::{apply, gate, kernel_write, page, rehearsal, reset};

/// The most requests that one command may make.
const REQUESTS_MAX: usize = 100_000;

/// Runs the verb. The command line stays open for the replies, or closes if a dialog or page opens.
pub(super) fn perform(model: &mut Model, verb: &Verb) -> Result<After, String> {
    if !verb.only_reads() && model.options.read_only {
        return Err(format!("{}; `get`, `mask` and `help` work", read_only("this command")));
    }
    let ask = perform::perform(verb, model.snapshot.known).map_err(|e| explain(&e))?;
    submit(model, ask)
}

fn submit(model: &mut Model, ask: Ask) -> Result<After, String> {
    match ask {
        Ask::Requests(requests) => submit_requests(model, requests),
        Ask::Call(call) => submit_call(model, call),
        Ask::Probe => {
            model.say(Severity::Quiet, "the probe is running");
            Ok(After::Stay(vec![model.submit(Pending::Probe, Command::Probe { bset: None, inheritable: None })]))
        }
        Ask::Knobs(keys, form) => page_of_knobs(model, keys, form),
        Ask::Diff | Ask::Set(_) => Err("this works only at the shell: `khelper diff`".to_owned()),
        Ask::Masks(masks) => page_of_masks(model, masks),
        Ask::Rehearse(draft) => rehearse(model, draft),
        Ask::Ps { tree } => {
            let (s, name) = (&model.snapshot, model.link.info.short_name());
            let lines = if tree { tree::lines(&Tree::of(s, &s.running)) } else { ps::table(name, s.now, &s.running) };
            show(model, "Requests that have not ended", lines)
        }
        Ask::Status => {
            let lines = status::lines(&model.link.info, &model.snapshot);
            show(model, "The state of the engine", lines)
        }
        Ask::Metrics(None) => {
            let text = metrics::text(&model.link.info, &model.snapshot, metrics::Form::OpenMetrics);
            show(model, "The engine's counters", text.lines().map(str::to_owned).collect())
        }
        Ask::Metrics(Some(_)) => Err("--textfile works only at the shell".to_owned()),
        Ask::Watch { .. } => {
            Err("the Log screen (4) shows events as they happen; `watch` works at the shell".to_owned())
        }
        Ask::Acts(acts) => act(model, acts),
    }
}

fn show(model: &mut Model, title: &'static str, lines: Vec<String>) -> Result<After, String> {
    page::open(model, title, lines);
    Ok(After::CLOSE)
}

/// The drafts of the Masks screen stay as they are.
fn rehearse(model: &mut Model, draft: Draft) -> Result<After, String> {
    let masks = draft.masks(KNOBS.map(|knob| live(&model.snapshot, knob)), model.snapshot.known);
    Ok(After::Close(rehearsal::open(model, draft.run, masks)))
}

/// Masks are confirmed first; everything else is submitted at once.
fn act(model: &mut Model, acts: Vec<Act>) -> Result<After, String> {
    let writes = acts.iter().filter_map(|act| match act {
        Act::Write(writes) => Some(writes),
        _ => None,
    });
    let all: Vec<&(Key, KnobValue)> = writes.flatten().collect();
    if all.iter().any(|(key, _)| key.is_mask()) {
        return set_masks(model, &all);
    }
    if let [Act::Reset(knob)] = acts[..] {
        let reset = reset::question(model, knob).map_err(|(_, why)| why)?;
        model.masks.column = knob;
        model.open(reset);
        return Ok(After::CLOSE);
    }
    Ok(After::Stay(acts.into_iter().flat_map(|act| submit_act(model, act)).collect()))
}

fn submit_act(model: &mut Model, act: Act) -> Vec<Effect> {
    match act {
        Act::Write(writes) if kernel_write::is_kernel(model) => {
            kernel_write::open(model, writes);
            Vec::new()
        }
        Act::Write(writes) => {
            let keys = writes.iter().map(|(key, _)| *key).collect();
            vec![model.submit(Pending::Set(keys), Command::Write(writes))]
        }
        Act::Persist(writes) => {
            let keys = writes.iter().map(|(key, _)| *key).collect();
            vec![model.submit(Pending::Set(keys), Command::Persist(writes))]
        }
        Act::Unpersist(keys) => {
            let names = keys.iter().map(|key| key.name()).collect::<Vec<_>>().join(", ");
            vec![model.submit(Pending::Act(format!("{names}: no longer kept")), Command::Unpersist(keys))]
        }
        Act::Gate(depth) => gate::act(model, depth),
        Act::Reset(knob) => vec![model.submit(Pending::Reset(knob), Command::Reset(knob))],
        Act::ResetLoopMessages => vec![model.submit(Pending::LoopMessages, Command::ResetLoopMessages)],
        Act::OnRequest { command, what } => vec![model.submit(Pending::Act(what), command)],
        Act::OnProcess { pid, chain, signal, what } => {
            match model.snapshot.running.iter().find(|live| live.pid == Some(pid)).map(|live| live.id) {
                Some(id) => vec![model.submit(Pending::Act(what), Act::signal(id, chain, signal))],
                None => {
                    model.say(Severity::Bad, no_helper(pid).to_string());
                    Vec::new()
                }
            }
        }
    }
}

pub(super) fn set_masks(model: &mut Model, writes: &[&(Key, KnobValue)]) -> Result<After, String> {
    let known = model.snapshot.known;
    let mut draft = KNOBS.map(|knob| live(&model.snapshot, knob));
    for (key, value) in writes {
        let knob = KNOBS.into_iter().find(|knob| masks::key(*knob) == *key);
        let (Some(knob), KnobValue::Mask(expr)) = (knob, value) else {
            return Err(format!(
                "{} is not a mask: set it in a separate command, because masks are confirmed first",
                key.name()
            ));
        };
        draft[knob as usize] = expr.resolve(live(&model.snapshot, knob), known);
    }
    let before = model.masks.drafts();
    model.masks.set_both(draft);
    match apply::question(model) {
        Ok(mut apply) => {
            // The draft was made for this question and is dropped with it.
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

fn submit_requests(model: &mut Model, requests: Requests) -> Result<After, String> {
    let total = requests.total();
    if total > REQUESTS_MAX {
        return Err(format!("{total} requests are more than one command may make ({REQUESTS_MAX})"));
    }
    for name in &requests.names {
        let wrong = |error: ParseError| format!("{error}: {}", error.advice());
        ModuleName::parse(name).map_err(wrong)?;
    }
    Ok(After::Close(vec![model.open_series(requests.title(), requests.batch())]))
}

fn submit_call(model: &mut Model, call: Call) -> Result<After, String> {
    let argv = std::iter::once(call.path.clone()).chain(call.args.iter().cloned());
    let wrong = |error| explain(&ControlError::Value { key: "call".to_owned(), error });
    SubprocessInfo::setup(Some(call.path.clone()), argv, call.env.clone()).map_err(wrong)?;
    let batch = model.open_batch(screen(&call.path), 1);
    Ok(After::Close(vec![model.submit(Pending::Request(batch), Command::Call(call))]))
}

fn page_of_knobs(model: &mut Model, keys: Vec<Result<Key, ControlError>>, form: Form) -> Result<After, String> {
    let mut lines = Vec::new();
    for key in keys {
        let key = key.map_err(|e| explain(&e))?;
        if key == Key::RulesMode && model.snapshot.rules.is_none() {
            if form.mode_is_named {
                return Err(NONE.to_owned());
            }
            continue;
        }
        let mut line = form.line(key, &read(&model.snapshot, key).text()).replace('\t', " ");
        if form.provenance {
            line.push_str(&format!("  ({})", came_from(&config::came_from(&model.snapshot, key))));
        }
        lines.push(line);
    }
    page::open(model, "Values of the knobs", lines);
    Ok(After::CLOSE)
}

fn page_of_masks(model: &mut Model, masks: Masks) -> Result<After, String> {
    let known = model.snapshot.known;
    let mut lines = Vec::new();
    for mask in masks.0 {
        let wrong = |error| explain(&ControlError::Value { key: "mask".to_owned(), error });
        lines.extend(mask.map_err(wrong)?.lines(known).iter().map(|line| line.replace('\t', " ")));
    }
    lines.push(format!("note: {}", outcome::MASKS_AND_ROOT));
    page::open(model, "Masks in every form", lines);
    Ok(After::CLOSE)
}
