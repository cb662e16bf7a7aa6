//! Writes a line.

use crate::abi::actor::Actor;
use crate::abi::escape::json;
use crate::abi::launch_spec::NotEnforced;
use crate::abi::place::Place;
use crate::abi::record::{Args, Outcome, Output, Record};
use crate::control::target_info::RunId;

use super::object::Object;
use super::shorter::shorter;
use super::{Head, Item, KeepOutput, MAX_LINE, OUTPUT, Running, VERSION, Wall, kernel, micros, usual};

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

fn whole(head: &Head, (wall, n, run): (Wall, u64, Option<RunId>), item: &Item, keep: KeepOutput) -> Vec<u8> {
    let mut line = Object::new();
    line.number("v", version(item)).number("t", wall).number("n", n);
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

/// The oldest version that has everything of this line.
fn version(item: &Item) -> u32 {
    let is_of_kernel = match item {
        Item::Ended(record) => record.kernel.is_some(),
        Item::Started(running) | Item::Open(running) | Item::StillRunning(running) => running.record.kernel.is_some(),
        Item::Segment(_) | Item::Changed(_) | Item::Lost { .. } | Item::End { .. } => false,
    };
    if is_of_kernel { VERSION } else { 1 }
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
    // Before the pid: a reader of the shown fields alone passes over what follows it.
    r.kernel.iter().for_each(|of| _ = line.value("kernel", &kernel::short(r, of)));
    r.profile.iter().for_each(|name| _ = line.plain("profile", name));
    launch(line, head, r);
    line.number("at", r.at);
    match &r.kernel {
        None => r.queued_us.iter().for_each(|us| _ = line.number("queued_us", *us)),
        Some(of) if r.queued_us != kernel::queued(of) => _ = line.value("queued_us", &r.queued_us),
        Some(_) => {}
    }
    for (key, us) in [("started_us", r.started_us), ("ended_us", r.ended_us)] {
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
    let usual_args = r.kernel.as_ref().map_or_else(|| head.usual.args(r.kind), |_| kernel::args(&head.usual, r));
    if r.args != usual_args {
        match &r.args {
            Args::Module => line.value("argv", &()),
            Args::List(list) => line.list("argv", list),
        };
    }
    if r.path != head.usual.path(r.kind, &r.args) {
        line.bytes("path", &r.path);
    }
    // The environment of the kernel's helpers is not read.
    if r.kernel.is_none() && r.env != head.usual.env(r.outcome) {
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
        requester(line, head, r);
    }
}

fn requester(line: &mut Object, head: &Head, r: &Record) {
    let actor: &Actor = &r.actor;
    let mut object = Object::new();
    object.number("pid", actor.pid).number("uid", actor.uid);
    if actor.gid != actor.uid {
        object.number("gid", actor.gid);
    }
    object.bytes("comm", actor.comm.as_bytes());
    actor.start_time.iter().for_each(|ticks| _ = object.number("start_time", *ticks));
    actor.loginuid.iter().for_each(|uid| _ = object.number("loginuid", *uid));
    match &r.kernel {
        // For the filter of units; the place is in what is known of the helper.
        Some(kernel) => {
            let unit = kernel.place.as_ref().and_then(|place| place.name(true).0);
            unit.iter().for_each(|unit| _ = object.bytes("unit", unit));
        }
        None if actor.effective != usual::effective(head, actor.uid) => _ = object.mask("effective", actor.effective),
        None => {}
    }
    if let Some(of) = &actor.place {
        match &of.place {
            Place::None => {}
            Place::Unit(name) => _ = object.bytes("unit", name),
            Place::Container { runtime, id } => _ = object.plain("runtime", runtime).bytes("container", id),
        }
        if !of.is_believed {
            object.value("claims", &true);
        }
    }
    line.object("requester", object);
}

/// What the helper was given.
fn launch(line: &mut Object, head: &Head, r: &Record) {
    r.pid.iter().for_each(|pid| _ = line.number("pid", *pid));
    if r.kernel.is_some() {
        match r.caps.as_deref() {
            None => {}
            Some(caps) if *caps == usual::kernel_caps(head) => _ = line.value("caps", &true),
            Some(caps) => _ = line.value("caps", caps),
        }
        return;
    }
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
