//! A helper of this machine's kernel as JSON: the names of records, null for what is not known, and why it is not.

use std::time::SystemTime;

use serde::Serialize;

use crate::abi::escape::json;
use crate::abi::place::{Attribution, Place};
use crate::abi::time::rfc3339;
use crate::abi::wait::WaitStatus;
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::escape::unescape;
    use crate::control::text::kernel::tests::{hostile, lone_end};
    use crate::kernel::knowledge::{NoExits, NoRequesters, NoTrace};
    use std::time::{Duration, UNIX_EPOCH};

    fn object(observation: &Observation) -> serde_json::Value {
        let text = helper("5f1c", 3, observation, UNIX_EPOCH, |time| UNIX_EPOCH + Duration::from_nanos(time));
        assert!(!text.contains('\n'));
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_helper_has_the_names_of_records_and_its_bytes_can_be_read_back() {
        let all = object(&hostile());
        let text = |name: &str| unescape(all[name].as_str().unwrap()).unwrap();
        assert_eq!((text("module"), text("path")), (b"a\x1b]0;\xff\n\"b".to_vec(), b"/sbin/mod\nprobe".to_vec()));
        assert_eq!(all["argv"], serde_json::json!(["/sbin/modprobe", "-q", "--", "a\n"]));
        assert_eq!(all["asked_at"], "1970-01-01T00:00:00.001000Z");
        assert_eq!(all["at"], "1970-01-01T00:00:00.013000Z");
        for (name, value) in [
            ("kind", serde_json::json!("module")),
            ("outcome", "exited".into()),
            ("exit_code", 1.into()),
            ("signal", serde_json::Value::Null),
            ("raw", 256.into()),
            ("started_us", 250.into()),
            ("ended_us", 12_000.into()),
            ("call_site", "0xffffffff81000000".into()),
            ("unknown", serde_json::json!([])),
            ("doubts", serde_json::json!([])),
        ] {
            assert_eq!(all[name], value, "{name}");
        }
        let by = &all["requester"];
        assert_eq!((&by["tid"], &by["pid"], &by["inner_pid"]), (&4122.into(), &4121.into(), &7.into()));
        assert_eq!((&by["unit"], &by["claims"]), (&serde_json::Value::Null, &"cron.service".into()));
        assert_eq!(all["caps"]["bounding"], "0x000001ffffffffff");
    }

    #[test]
    fn what_is_not_known_is_null_and_the_reason_is_told() {
        let all = object(&lone_end());
        for name in ["asked_at", "module", "path", "argv", "requester", "caps", "started_us", "cause"] {
            assert!(all[name].is_null(), "{name}");
        }
        assert_eq!((&all["outcome"], &all["signal"]), (&"killed".into(), &9.into()));
        let missing = |what: &str, why: &str| serde_json::json!({"what": what, "why": why});
        let lost = |what| missing(what, "trace_lost");
        assert_eq!(
            all["unknown"],
            serde_json::json!([lost("requester"), lost("cause"), lost("path"), missing("argv", "gone")])
        );
        assert_eq!(all["doubts"], serde_json::json!(["is_helper"]));
    }

    #[test]
    fn losses_and_states_are_objects() {
        let loss = Loss::Trace { forks: true, count: Some(8773), from: 1, to: 2 };
        let lost: serde_json::Value = serde_json::from_str(&lost("5f1c", &loss)).unwrap();
        assert_eq!(
            (&lost["event"], &lost["source"], &lost["count"]),
            (&"lost".into(), &"helpers".into(), &8773.into())
        );
        let knowledge = Knowledge {
            trace: Err(NoTrace::NotPermitted),
            requesters: Err(NoRequesters::Unsupported),
            exits: Err(NoExits::Silent),
        };
        let states: serde_json::Value = serde_json::from_str(&states("5f1c", UNIX_EPOCH, &knowledge)).unwrap();
        let names: Vec<_> = states["states"].as_array().unwrap().iter().map(|state| state["name"].clone()).collect();
        assert_eq!(names, ["trace_not_permitted", "requesters_without_trace", "exits_silent"]);
    }
}
