//! A helper of this machine's kernel as JSON: the names of records, null for what is not known, and why it is not.

use std::time::SystemTime;

use serde::Serialize;

use crate::abi::escape::json;
use crate::abi::time::rfc3339;
use crate::abi::wait::WaitStatus;
use crate::kernel::attribution::{Attribution, Place};
use crate::kernel::knowledge::Knowledge;
use crate::kernel::observation::{Cause, Executed, Observation, Unknown};
use crate::kernel::watch::Loss;
use crate::sys::probe::Sets;

use super::record_json::V;

/// The requester. `unit` and `container` are believed, `claims` is what a cgroup's name says that any user can choose.
#[derive(Serialize)]
struct Requester {
    tid: i32,
    pid: Option<i32>,
    inner_pid: Option<i32>,
    uid: Option<u32>,
    gid: Option<u32>,
    comm: Option<String>,
    unit: Option<String>,
    container: Option<String>,
    claims: Option<String>,
}

/// Something that is not known.
#[derive(Serialize)]
struct Missing {
    what: &'static str,
    why: &'static str,
}

#[derive(Serialize)]
struct Helper {
    v: u8,
    target: &'static str,
    run: String,
    seq: u64,
    at: String,
    event: &'static str,
    asked_at: Option<String>,
    kind: &'static str,
    cause: Option<&'static str>,
    module: Option<String>,
    call_site: Option<String>,
    path: Option<String>,
    argv: Option<Vec<String>>,
    wait: Option<&'static str>,
    requester: Option<Requester>,
    worker: Option<i32>,
    outcome: Option<&'static str>,
    exit_code: Option<u8>,
    signal: Option<u8>,
    core: Option<bool>,
    raw: Option<i32>,
    caps: Option<Sets>,
    pid: i32,
    queued_us: Option<u64>,
    started_us: Option<u64>,
    ended_us: Option<u64>,
    doubts: Vec<&'static str>,
    unknown: Vec<Missing>,
}

/// The moment of a time of the kernel, by the wall clock.
pub trait Wall: Fn(u64) -> SystemTime {}
impl<F: Fn(u64) -> SystemTime> Wall for F {}

/// One helper. `run` names the watch, `seq` counts its events.
pub fn helper(run: &str, seq: u64, observation: &Observation, now: SystemTime, wall: impl Wall) -> String {
    let (times, cause) = (observation.times, observation.cause.as_ref().ok());
    let request = cause.and_then(|cause| if let Cause::Module(request) = cause { Some(request) } else { None });
    let status = observation.status.ok();
    let since = |time: Option<u64>| Some(time?.saturating_sub(times.queued?) / 1000);
    let facts = observation.facts.as_ref().ok();
    let path = match &observation.executed {
        Executed::Yes { file: Some(file), .. } => Some(json(file)),
        _ => None,
    };
    let arguments = |bytes: &[u8]| bytes.strip_suffix(b"\0").unwrap_or(bytes).split(|b| *b == 0).map(json).collect();
    let caps = facts.and_then(|facts| facts.sets).map(|sets| Sets {
        inheritable: sets.inheritable,
        permitted: sets.permitted,
        effective: sets.effective,
        bounding: sets.bounding,
        ambient: sets.ambient,
    });
    text(&Helper {
        v: V,
        target: "kernel",
        run: run.to_owned(),
        seq,
        at: rfc3339(times.ended.map_or(now, &wall)),
        event: "finished",
        asked_at: times.queued.map(|time| rfc3339(wall(time))),
        kind: if request.is_some() { "module" } else { "helper" },
        cause: cause.map(cause_name),
        module: request.map(|request| json(&request.name)),
        call_site: request.map(|request| format!("{:#018x}", request.call_site)),
        path,
        argv: facts.map(|facts| arguments(&facts.arguments)),
        wait: request.map(|request| if request.waits { "proc" } else { "exec" }),
        requester: observation.requester.as_ref().ok().map(requester),
        worker: observation.worker,
        outcome: outcome(observation),
        exit_code: status.and_then(WaitStatus::exit_code),
        signal: status.and_then(WaitStatus::signal),
        core: status.map(WaitStatus::core),
        raw: status.map(WaitStatus::raw),
        caps,
        pid: observation.pid,
        queued_us: times.queued.map(|_| 0),
        started_us: since(times.forked),
        ended_us: since(times.ended),
        doubts: doubts(observation),
        unknown: unknown(observation),
    })
}

const fn cause_name(cause: &Cause) -> &'static str {
    match cause {
        Cause::Module(_) => "module",
        Cause::ReleaseAgent => "release_agent",
        Cause::Other => "other",
    }
}

fn requester(requester: &crate::kernel::observation::Requester) -> Requester {
    let facts = requester.facts.as_ref().ok();
    let place = |believed: bool| facts?.attribution.as_ref().filter(|place| place.is_believed == believed);
    let named = |attribution: &Attribution| match &attribution.place {
        Place::None => (None, None),
        Place::Unit(name) => (Some(json(name)), None),
        Place::Container { runtime, id } => (None, Some(format!("{runtime}:{}", json(id)))),
    };
    let (unit, container) = place(true).map_or((None, None), named);
    let (claimed_unit, claimed_container) = place(false).map_or((None, None), named);
    Requester {
        tid: requester.tid,
        pid: facts.map(|facts| facts.pid),
        inner_pid: facts.and_then(|facts| facts.inner_pid),
        uid: facts.map(|facts| facts.uid),
        gid: facts.map(|facts| facts.gid),
        comm: facts.map(|facts| json(facts.comm.as_bytes())),
        unit,
        container,
        claims: claimed_unit.or(claimed_container),
    }
}

fn outcome(observation: &Observation) -> Option<&'static str> {
    match (&observation.executed, observation.status) {
        (Executed::Failed, _) => Some("exec_failed"),
        (_, Ok(status)) if status.signal().is_some() => Some("killed"),
        (_, Ok(_)) => Some("exited"),
        (_, Err(Unknown::StillRunning)) => Some("running"),
        (_, Err(Unknown::ExitLost)) => Some("lost"),
        (_, Err(_)) => None,
    }
}

fn doubts(observation: &Observation) -> Vec<&'static str> {
    let doubts = observation.doubts;
    let all = [(doubts.requester, "requester"), (doubts.is_helper, "is_helper")];
    all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}

/// Everything that is not known, with the reason.
fn unknown(observation: &Observation) -> Vec<Missing> {
    let requester = match &observation.requester {
        Err(why) => Some(("requester", *why)),
        Ok(requester) => match &requester.facts {
            Err(why) => Some(("requester.pid", *why)),
            Ok(facts) if facts.attribution.is_none() => Some(("requester.unit", Unknown::Gone)),
            Ok(_) => None,
        },
    };
    let executed = if let Executed::Unknown(why) = observation.executed { Some(("path", why)) } else { None };
    let all = [
        requester,
        observation.cause.as_ref().err().map(|why| ("cause", *why)),
        executed,
        observation.facts.as_ref().err().map(|why| ("argv", *why)),
        observation.status.err().map(|why| ("raw", why)),
    ];
    all.into_iter().flatten().map(|(what, why)| Missing { what, why: why.name() }).collect()
}

#[derive(Serialize)]
struct Event {
    v: u8,
    target: &'static str,
    run: String,
    event: &'static str,
    source: &'static str,
    count: Option<u64>,
}

/// Events that are lost.
pub fn lost(run: &str, loss: &Loss) -> String {
    let (source, count) = match loss {
        Loss::Trace { forks: false, count, .. } => ("requests", *count),
        Loss::Trace { forks: true, count, .. } => ("helpers", *count),
        Loss::Exits => ("ends", None),
        Loss::DamagedPage => ("trace", None),
    };
    text(&Event { v: V, target: "kernel", run: run.to_owned(), event: "lost", source, count })
}

/// Items that this reader missed.
pub fn missed(run: &str, count: u64) -> String {
    text(&Event { v: V, target: "kernel", run: run.to_owned(), event: "missed", source: "reader", count: Some(count) })
}

#[derive(Serialize)]
struct States<'a> {
    v: u8,
    target: &'static str,
    run: &'a str,
    at: String,
    event: &'static str,
    states: Vec<State<'a>>,
}

#[derive(Serialize)]
struct State<'a> {
    name: &'a str,
    known: &'a str,
    unknown: &'a str,
    change: &'a str,
}

/// The beginning of a watch, and what can be known.
pub fn states(run: &str, now: SystemTime, knowledge: &Knowledge) -> String {
    let states = knowledge.states();
    let of = states.iter().map(|s| State { name: s.name, known: &s.known, unknown: &s.unknown, change: &s.change });
    text(&States { v: V, target: "kernel", run, at: rfc3339(now), event: "watching", states: of.collect() })
}

/// It has only strings, numbers and lists of them, which always serialize.
fn text(object: &impl Serialize) -> String {
    serde_json::to_string(object).unwrap_or_default()
}
