//! Writes a line.

use std::sync::Arc;

use crate::abi::actor::Actor;
use crate::abi::escape::json;
use crate::abi::event::{Event, EventKind};
use crate::abi::glob::Globs;
use crate::abi::knob_value::{Change, KnobValue};
use crate::abi::launch_spec::NotEnforced;
use crate::abi::record::{Args, Outcome, Output, Record};
use crate::control::target_info::RunId;

use super::object::Object;
use super::{Head, Item, KeepOutput, MAX_LINE, OUTPUT, Running, VERSION, Wall, micros, usual};

/// The most bytes of arguments, and of environment, in a line that would be too long. A byte can take six in JSON, so
/// this is halved until the line fits.
const SHORT: usize = 8 * 1024;

/// The bytes of a line, with its newline. `run` is the run that the line is about, if it is not the segment's. A record
/// that would be too long loses its output first, and then arguments and variables.
pub(crate) fn encode(head: &Head, about: (Wall, u64, Option<RunId>), item: &Item, keep: KeepOutput) -> Vec<u8> {
    let mut bytes = whole(head, about, item, keep);
    let mut short = SHORT;
    while bytes.len() > MAX_LINE {
        let Some(shorter) = shorter(item, short) else { break };
        bytes = whole(head, about, &shorter, KeepOutput::None);
        if short == 0 {
            break;
        }
        short /= 2;
    }
    bytes
}

/// The item with at most `short` bytes of arguments, of environment and of each value; `None` if it has none of them.
fn shorter(item: &Item, short: usize) -> Option<Item> {
    let running = |h: &Running| Running { record: Arc::new(shortened(&h.record, short)), start_time: h.start_time };
    Some(match item {
        Item::Ended(r) => Item::Ended(Arc::new(shortened(r, short))),
        Item::Started(h) => Item::Started(running(h)),
        Item::Open(h) => Item::Open(running(h)),
        Item::StillRunning(h) => Item::StillRunning(running(h)),
        Item::Changed(event) => Item::Changed(Event { kind: shorter_change(&event.kind, short)?, ..*event }),
        _ => return None,
    })
}

/// A change with at most `short` bytes of each value, or as many requests; `None` if it is short in any case.
fn shorter_change(kind: &EventKind, short: usize) -> Option<EventKind> {
    let value = |value: &KnobValue| match value {
        KnobValue::Globs(globs) => KnobValue::Globs(shorter_list(globs, short)),
        other => other.clone(),
    };
    match kind {
        EventKind::KnobChanged { change, actor } => {
            let (before, after) = (value(&change.before), value(&change.after));
            let change = Change { before, after, ..Change::clone(change) }.into();
            Some(EventKind::KnobChanged { change, actor: actor.clone() })
        }
        EventKind::DrainFailed { holdouts, actor } => {
            let holdouts = holdouts.iter().take(short / 20).copied().collect();
            Some(EventKind::DrainFailed { holdouts, actor: actor.clone() })
        }
        _ => None,
    }
}

/// The first globs of a list, and three dots for the others.
fn shorter_list(globs: &Globs, short: usize) -> Globs {
    let text = globs.text();
    if text.len() <= short {
        return globs.clone();
    }
    let ends = text.match_indices(' ').map(|(at, _)| at).take_while(|at| *at <= short);
    let kept = ends.last().map_or("", |end| &text[..end]);
    // A part of a list is a list.
    Globs::parse(format!("{kept} ...").as_bytes()).unwrap_or_default()
}

fn whole(head: &Head, (wall, n, run): (Wall, u64, Option<RunId>), item: &Item, keep: KeepOutput) -> Vec<u8> {
    let mut line = Object::new();
    line.number("v", VERSION).number("t", wall).number("n", n);
    if let Some(run) = run.filter(|run| *run != head.run) {
        line.plain("run", &run.to_string());
    }
    match item {
        Item::Segment(head) => segment(&mut line, head),
        Item::Started(running) => running_helper(&mut line, "started", head, wall, running),
        Item::Open(running) => running_helper(&mut line, "open", head, wall, running),
        Item::StillRunning(running) => running_helper(&mut line, "still_running", head, wall, running),
        Item::Ended(r) => {
            record(&mut line, head, r, true);
            chain(&mut line, r);
            line.number("lag", since(wall, r, r.ended_us));
            output(&mut line, r, keep);
        }
        Item::Changed(event) => {
            line.plain("event", "changed").number("seq", event.seq).number("at", event.at).value("what", &event.kind);
        }
        Item::Lost { count, errno } => {
            line.plain("event", "lost").number("count", *count);
            errno.iter().for_each(|errno| _ = line.number("errno", *errno as i32));
        }
        Item::End { next_id, open } => _ = line.plain("event", "end").number("next_id", *next_id).number("open", *open),
    }
    line.finish()
}

fn segment(line: &mut Object, head: &Head) {
    line.plain("event", "segment").plain("run", &head.run.to_string()).plain("target", &head.target);
    line.plain("boot", &head.boot).number("mono", head.mono).number("next_id", head.next_id);
    line.mask("known", head.known).mask("bounding", head.bounding).value("requester", &head.actor);
}

fn running_helper(line: &mut Object, event: &str, head: &Head, wall: Wall, running: &Running) {
    line.plain("event", event);
    record(line, head, &running.record, false);
    running.start_time.iter().for_each(|ticks| _ = line.number("start_time", *ticks));
    line.number("lag", since(wall, &running.record, running.record.started_us));
}

/// From the event to the line: the event was `after` the request.
fn since(wall: Wall, r: &Record, after: Option<u64>) -> i64 {
    let after = after.and_then(|us| i64::try_from(us).ok()).unwrap_or(0);
    wall.wrapping_sub(micros(r.wall)).wrapping_sub(after)
}

fn record(line: &mut Object, head: &Head, r: &Record, ended: bool) {
    line.number("id", r.id);
    request(line, head, r);
    let (state, outcome) = usual::standing(ended);
    if r.outcome != outcome {
        line.plain("outcome", r.outcome.name());
    }
    if r.state != state {
        line.value("state", &r.state);
    }
    r.stage.iter().for_each(|stage| _ = line.value("stage", stage));
    r.errno.iter().for_each(|errno| _ = line.number("errno", *errno as i32));
    r.said.iter().for_each(|said| _ = line.plain("reason", said));
    if r.status != usual::status(r.outcome) {
        line.value("raw", &r.status);
    }
    if r.result != usual::result(r) {
        line.value("result", &r.result);
    }
    if r.abandoned {
        line.value("abandoned", &true);
    }
    if r.timed_out {
        line.value("timed_out", &true);
    }
    launch(line, head, r);
    line.number("at", r.at);
    for (key, us) in [("queued_us", r.queued_us), ("started_us", r.started_us), ("ended_us", r.ended_us)] {
        us.iter().for_each(|us| _ = line.number(key, *us));
    }
    for (key, n) in [("cpu_us", r.cpu_us), ("max_rss_kib", r.max_rss_kib)] {
        if n > 0 {
            line.number(key, n);
        }
    }
}

/// The chain as `[pid, comm]`, `[pid, comm, known]` or `[pid, comm, known, helper_of]`; `null` is the requester itself.
/// A start has none: it is in the line of the end.
fn chain(line: &mut Object, r: &Record) {
    if r.chain.is_empty() {
        return;
    }
    line.key("chain");
    line.raw("[");
    for (at, link) in r.chain.iter().enumerate() {
        let comma = if at == 0 { "" } else { "," };
        if usual::first_link(&r.actor) == *link && at == 0 {
            line.raw("null");
            continue;
        }
        // A text can always be written as JSON.
        let comm = serde_json::to_string(&json(link.comm.as_bytes())).unwrap_or_default();
        line.raw(&format!("{comma}[{},{comm}", link.pid));
        match link.helper_of {
            Some(id) => line.raw(&format!(",{},{id}", link.known)),
            None if !link.known => line.raw(",false"),
            None => {}
        }
        line.raw("]");
    }
    line.raw("]");
}

/// What was asked, and by which process.
fn request(line: &mut Object, head: &Head, r: &Record) {
    r.module.iter().for_each(|name| _ = line.bytes("module", name));
    if r.kind != usual::kind(r.module.is_some()) {
        line.value("kind", &r.kind);
    }
    if r.args != head.usual.args(r.kind) {
        match &r.args {
            Args::Module => line.value("argv", &()),
            Args::List(list) => line.list("argv", list),
        };
    }
    if r.path != head.usual.path(r.kind, &r.args) {
        line.bytes("path", &r.path);
    }
    if r.env != head.usual.env(r.outcome) {
        line.list("env", &r.env);
    }
    if r.wait != crate::abi::wait::WaitMode::PROC {
        line.value("wait", &r.wait);
    }
    r.asked_by.iter().for_each(|id| _ = line.number("asked_by", *id));
    let of_engine = usual::is_engine(head, &r.actor);
    if r.actor.origin != usual::origin(of_engine) {
        line.value("origin", &r.actor.origin);
    }
    if !of_engine {
        requester(line, head, &r.actor);
    }
}

fn requester(line: &mut Object, head: &Head, actor: &Actor) {
    let mut object = Object::new();
    object.number("pid", actor.pid).number("uid", actor.uid);
    if actor.gid != actor.uid {
        object.number("gid", actor.gid);
    }
    object.bytes("comm", actor.comm.as_bytes());
    actor.start_time.iter().for_each(|ticks| _ = object.number("start_time", *ticks));
    actor.loginuid.iter().for_each(|uid| _ = object.number("loginuid", *uid));
    if actor.effective != usual::effective(head, actor.uid) {
        object.mask("effective", actor.effective);
    }
    line.object("requester", object);
}

/// What the helper was given.
fn launch(line: &mut Object, head: &Head, r: &Record) {
    r.pid.iter().for_each(|pid| _ = line.number("pid", *pid));
    if r.enforced != usual::enforced(r.pid) {
        line.value("enforced", &r.enforced);
    }
    for (key, mask) in [("bset", r.bset), ("inheritable", r.inheritable)] {
        if mask != head.known {
            line.mask(key, mask);
        }
    }
    r.own.iter().for_each(|own| _ = line.value("own", own));
    if r.caps.as_deref() != usual::caps(head, r).as_ref() {
        line.value("caps", &r.caps);
    }
    match &r.caps_started {
        None => {}
        started if *started == r.caps => _ = line.value("caps_started", &true),
        started => _ = line.value("caps_started", started),
    }
    if !r.not_enforced.is_empty() {
        let names: Vec<&str> = r.not_enforced.iter().copied().map(NotEnforced::name).collect();
        line.value("not_enforced", &names);
    }
}

fn output(line: &mut Object, r: &Record, keep: KeepOutput) {
    let well = r.outcome == Outcome::Exited && r.status.is_some_and(|s| s.exit_code() == Some(0)) && !r.timed_out;
    let kept = match keep {
        KeepOutput::None => false,
        KeepOutput::Failures => !well,
        KeepOutput::All => true,
    };
    let Some(Output { stdout, stderr, dropped }) = r.output.as_deref().filter(|_| kept) else { return };
    let tail = |bytes: &[u8]| bytes[bytes.len().saturating_sub(OUTPUT)..].to_vec();
    let (out, err) = (tail(stdout), tail(stderr));
    let dropped = dropped + (stdout.len() - out.len() + stderr.len() - err.len()) as u64;
    line.bytes("stdout", &out);
    if !err.is_empty() {
        line.bytes("stderr", &err);
    }
    if dropped > 0 {
        line.number("dropped_bytes", dropped);
    }
}

/// The record with the first arguments and variables alone.
fn shortened(r: &Record, most: usize) -> Record {
    let short = |list: &[Box<[u8]>]| {
        let mut left = most;
        let kept = list.iter().take_while(|bytes| {
            let fits = bytes.len() < left;
            left = left.saturating_sub(bytes.len() + 1);
            fits
        });
        kept.cloned().collect::<Arc<[_]>>()
    };
    let args = match &r.args {
        Args::Module => Args::Module,
        Args::List(list) => Args::List(short(list)),
    };
    let said = r.said.as_deref().map(|said| said.chars().take(1024).collect());
    let chain = r.chain.iter().take(64).cloned().collect();
    Record { args, env: short(&r.env), output: None, said, chain, ..r.clone() }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::knob::Key;
    use crate::ledger::line::decode;
    use crate::ledger::line::tests::head;

    fn read_back(kind: EventKind) -> EventKind {
        let item = Item::Changed(Event { seq: 3, at: 4, kind });
        let line = encode(&head(), (head().wall, 7, None), &item, KeepOutput::All);
        assert!(line.len() <= MAX_LINE, "{}", line.len());
        match decode(Some(&head()), line.strip_suffix(b"\n").unwrap()).unwrap().item {
            Item::Changed(event) => event.kind,
            other => panic!("{other:?}"),
        }
    }

    #[test]
    fn a_change_with_long_values_is_cut_with_a_mark_and_can_be_read_back() {
        let list = |names: &[String]| KnobValue::Globs(Globs::parse(names.join(" ").as_bytes()).unwrap());
        let many: Vec<String> = (0..20_000).map(|n| format!("mod-{n}-*")).collect();
        for after in [list(&many), list(&["x".repeat(100_000)]), list(&many[..3])] {
            let change = Change::new(Key::Deny, list(&many), after.clone());
            let EventKind::KnobChanged { change, actor } =
                read_back(EventKind::KnobChanged { change: change.into(), actor: head().actor })
            else {
                panic!()
            };
            let text = change.before.text();
            assert!(text.starts_with("mod-0-* mod-1-* ") && text.ends_with("-* ..."), "{}", text.len());
            let short = after.text().len() < 100;
            assert!(if short { change.after == after } else { change.after.text().ends_with("...") });
            assert_eq!(*actor, *head().actor);
        }
        let holdouts: Vec<u64> = (0..30_000).collect();
        let kind = read_back(EventKind::DrainFailed { holdouts: holdouts.clone(), actor: head().actor });
        let EventKind::DrainFailed { holdouts: read, .. } = kind else { panic!() };
        assert!(read.len() > 100 && holdouts.starts_with(&read));
    }
}
