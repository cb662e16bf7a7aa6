//! A helper of this machine's kernel as JSON: the names of records, null for what is not known, and why it is not.

use std::time::SystemTime;

use serde::Serialize;

use crate::abi::escape::json;
use crate::abi::kernel_helper::{Fact, KernelHelper, Missing, SiteAddress, Unknown};
use crate::abi::record::{Kind, Outcome, Record};
use crate::abi::sink::LedgerState;
use crate::abi::snapshot::{KnownState, Snapshot, WatchState};
use crate::abi::time::rfc3339;
use crate::control::target_info::TargetInfo;
use crate::sys::probe::Sets;

use super::json_source::{Source, V};

/// The requester. `unit` and `container` are believed, `claims` is what a cgroup's name says that any user can choose.
#[derive(Debug, Serialize)]
struct Requester {
    tid: Option<i32>,
    pid: Option<i32>,
    inner_pid: Option<i32>,
    uid: Option<u32>,
    gid: Option<u32>,
    comm: Option<String>,
    unit: Option<String>,
    container: Option<String>,
    claims: Option<String>,
}

/// A record of a helper of the kernel as it is printed.
#[derive(Debug, Serialize)]
pub struct KernelEntry<'a> {
    v: u8,
    target: &'a str,
    run: &'a str,
    id: u64,
    asked_at: Option<String>,
    kind: Kind,
    cause: Option<&'static str>,
    module: Option<String>,
    call_site: Option<SiteAddress>,
    path: Option<String>,
    argv: Option<Vec<String>>,
    env: Option<()>,
    wait: Option<&'static str>,
    origin: Option<()>,
    requester: Option<Requester>,
    #[serde(skip_serializing_if = "Option::is_none")]
    asked_by: Option<u64>,
    chain: [(); 0],
    worker: Option<i32>,
    outcome: Option<Outcome>,
    exit_code: Option<u8>,
    signal: Option<u8>,
    core: Option<bool>,
    errno: Option<()>,
    stage: Option<&'static str>,
    reason: Option<&'a str>,
    raw: Option<i32>,
    caps: Option<Sets>,
    pid: Option<i32>,
    queued_us: Option<u64>,
    started_us: Option<u64>,
    ended_us: Option<u64>,
    doubts: Vec<&'static str>,
    unknown: &'a [Missing],
}

impl<'a> KernelEntry<'a> {
    /// The object of a record that has what is known of a helper of the kernel.
    pub(super) fn of(r: &'a Record, kernel: &'a KernelHelper, source: &'a Source) -> Self {
        let knows = |what| kernel.why_unknown(what).is_none();
        let has_argv = knows(Fact::Arguments) && r.outcome != Outcome::ExecFailed;
        let not_told =
            kernel.why_unknown(Fact::Status).filter(|why| !matches!(why, Unknown::StillRunning | Unknown::ExitLost));
        Self {
            v: V,
            target: &source.target,
            run: &source.run,
            id: r.id,
            asked_at: r.queued_us.map(|_| rfc3339(r.wall)),
            kind: r.kind,
            cause: kernel.cause.map(crate::abi::kernel_helper::Cause::name),
            module: r.module.as_deref().map(json),
            call_site: kernel.call_site,
            path: (!r.path.is_empty()).then(|| json(&r.path)),
            argv: has_argv.then(|| r.argv().iter().map(|arg| json(arg)).collect()),
            env: None,
            wait: r.module.as_ref().map(|_| r.wait.name()),
            origin: None,
            requester: kernel.tid.map(|_| requester(r, kernel)),
            asked_by: r.asked_by,
            chain: [],
            worker: kernel.worker,
            outcome: (not_told.is_none() || r.outcome == Outcome::Refused).then_some(r.outcome),
            exit_code: r.status.and_then(|s| s.exit_code()),
            signal: r.status.and_then(|s| s.signal()),
            core: r.status.map(|s| s.core()),
            errno: None,
            stage: r.stage.map(|stage| stage.name()),
            reason: r.said.as_deref(),
            raw: r.status.map(|s| s.raw()),
            caps: r.caps.as_deref().map(|sets| Sets::from(*sets)),
            pid: r.pid,
            queued_us: r.queued_us,
            started_us: r.started_us,
            ended_us: r.ended_us,
            doubts: doubts(kernel),
            unknown: &kernel.unknown,
        }
    }
}

fn requester(r: &Record, kernel: &KernelHelper) -> Requester {
    let (actor, is_known) = (&r.actor, r.actor.is_known());
    let text = |bytes: std::borrow::Cow<'_, [u8]>| json(&bytes);
    let named = |believed| kernel.place.as_ref().map_or((None, None), |place| place.name(believed));
    let ((unit, container), (claimed_unit, claimed_container)) = (named(true), named(false));
    Requester {
        tid: kernel.tid,
        pid: is_known.then_some(actor.pid),
        inner_pid: kernel.inner_pid,
        uid: is_known.then_some(actor.uid),
        gid: is_known.then_some(actor.gid),
        comm: is_known.then(|| json(actor.comm.as_bytes())),
        unit: unit.map(text),
        container: container.map(text),
        claims: claimed_unit.or(claimed_container).map(text),
    }
}

fn doubts(kernel: &KernelHelper) -> Vec<&'static str> {
    let all = [(kernel.doubts.requester, "requester"), (kernel.doubts.is_helper, "is_helper")];
    all.into_iter().filter(|(is, _)| *is).map(|(_, name)| name).collect()
}

#[derive(Serialize)]
struct Watching<'a> {
    v: u8,
    target: &'a str,
    run: &'a str,
    at: String,
    event: &'static str,
    #[serde(flatten)]
    watch: Watch<'a>,
}

/// The state of a watch as JSON.
#[derive(Debug, Serialize)]
pub struct Watch<'a> {
    since: Option<String>,
    states: Vec<State<'a>>,
    helpers: u64,
    requesters: u64,
    lost: u64,
    missed: u64,
    failed: Option<&'a str>,
}

#[derive(Debug, Serialize)]
struct State<'a> {
    name: &'a str,
    known: &'a str,
    unknown: &'a str,
    change: &'a str,
}

impl<'a> From<&'a WatchState> for Watch<'a> {
    fn from(watch: &'a WatchState) -> Self {
        Self {
            since: watch.since.map(rfc3339),
            states: states(&watch.states),
            helpers: watch.helpers,
            requesters: watch.requesters,
            lost: watch.lost,
            missed: watch.missed,
            failed: watch.failed.as_deref(),
        }
    }
}

fn states(states: &[KnownState]) -> Vec<State<'_>> {
    let all = states.iter();
    all.map(|s| State { name: &s.name, known: &s.known, unknown: &s.unknown, change: &s.change }).collect()
}

#[derive(Serialize)]
struct NotWatched<'a> {
    v: u8,
    target: &'static str,
    event: &'static str,
    states: Vec<State<'a>>,
}

/// Nothing can be known here, and why.
pub fn not_watched(known: &[KnownState]) -> String {
    let object = NotWatched { v: V, target: "kernel", event: "not_watched", states: states(known) };
    // It has only strings, numbers and lists of them, which always serialize.
    serde_json::to_string(&object).unwrap_or_default()
}

/// `status --json` of the kernel as a target.
#[derive(Serialize)]
struct Status<'a> {
    v: u8,
    target: &'a str,
    run: String,
    version: &'a str,
    pid: i32,
    uid: u32,
    running: u32,
    #[serde(flatten)]
    watch: Watch<'a>,
    ledger: Option<&'a LedgerState>,
}

/// The state of the kernel as a target.
pub fn status(info: &TargetInfo, s: &Snapshot, watch: &WatchState) -> String {
    let status = Status {
        v: V,
        target: info.short_name(),
        run: info.run.to_string(),
        version: &info.version,
        pid: info.pid,
        uid: info.uid,
        running: s.live,
        watch: watch.into(),
        ledger: s.ledger.as_ref(),
    };
    // It has only strings, numbers and lists of them, which always serialize.
    serde_json::to_string(&status).unwrap_or_default()
}

/// The beginning of a watch, and what can be known.
pub fn watching(source: &Source, now: SystemTime, watch: &WatchState) -> String {
    let watching = Watching {
        v: V,
        target: &source.target,
        run: &source.run,
        at: rfc3339(watch.since.unwrap_or(now)),
        event: "watching",
        watch: watch.into(),
    };
    // It has only strings, numbers and lists of them, which always serialize.
    serde_json::to_string(&watching).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::escape::unescape;
    use crate::control::host::tests::{hostile, lone_end, not_executed, record};
    use crate::control::record_json::Entry;
    use crate::control::target_info::RunId;
    use crate::kernel::observation::Observation;
    use serde_json::{Value, json};

    fn source() -> Source {
        Source::new("kernel", RunId { started: 0x5f1c, pid: 7 })
    }

    fn object(observation: &Observation) -> Value {
        let text = serde_json::to_string(&Entry::of(&record(observation), &source())).unwrap();
        assert!(!text.contains('\n') && !text.contains('\u{1b}'), "{text}");
        serde_json::from_str(&text).unwrap()
    }

    #[test]
    fn a_helper_has_the_names_of_records_and_its_bytes_can_be_read_back() {
        let all = object(&hostile());
        let text = |name: &str| unescape(all[name].as_str().unwrap()).unwrap();
        assert_eq!((text("module"), text("path")), (b"a\x1b]0;\xff\n\"b".to_vec(), b"/sbin/mod\nprobe".to_vec()));
        assert_eq!(all["argv"], json!(["/sbin/modprobe", "-q", "--", "a\n"]));
        for (name, value) in [
            ("id", json!(88)),
            ("asked_at", "1970-01-01T00:00:00.001000Z".into()),
            ("kind", "module".into()),
            ("cause", "module".into()),
            ("outcome", "exited".into()),
            ("exit_code", 1.into()),
            ("signal", Value::Null),
            ("raw", 256.into()),
            ("queued_us", 0.into()),
            ("started_us", 300.into()),
            ("ended_us", 12_000.into()),
            ("call_site", "0xffffffff81000000".into()),
            ("wait", "proc".into()),
            ("unknown", json!([])),
            ("doubts", json!([])),
        ] {
            assert_eq!(all[name], value, "{name}");
        }
        let by = &all["requester"];
        assert_eq!((&by["tid"], &by["pid"], &by["inner_pid"]), (&4122.into(), &4121.into(), &7.into()));
        assert_eq!((&by["unit"], &by["claims"]), (&Value::Null, &"cron.service".into()));
        assert_eq!(all["caps"]["bounding"], "0x000001ffffffffff");
    }

    #[test]
    fn what_is_not_known_is_null_and_the_reason_is_told() {
        let all = object(&lone_end());
        for name in ["asked_at", "module", "path", "argv", "requester", "caps", "started_us", "cause", "wait", "env"] {
            assert!(all.get(name).is_some_and(Value::is_null), "{name}");
        }
        assert_eq!((&all["outcome"], &all["signal"]), (&"killed".into(), &9.into()));
        let missing = |what: &str, why: &str| json!({"what": what, "why": why});
        let lost = |what| missing(what, "trace_lost");
        assert_eq!(all["unknown"], json!([lost("requester"), lost("cause"), lost("path"), missing("argv", "gone")]));
        assert_eq!(all["doubts"], json!(["is_helper"]));
        let gone = object(&not_executed());
        assert_eq!((&gone["requester"]["tid"], &gone["requester"]["uid"]), (&9.into(), &Value::Null));
        assert_eq!((&gone["outcome"], &gone["stage"]), (&"exec_failed".into(), &"exec".into()));
        let not_told = Observation { status: Err(Unknown::NotTold), ..hostile() };
        assert_eq!(object(&not_told)["outcome"], Value::Null);
    }

    #[test]
    fn the_beginning_of_a_watch_says_what_can_be_known() {
        let state =
            KnownState { name: "requesters".into(), known: "a".into(), unknown: "b".into(), change: "c".into() };
        let watch = WatchState {
            since: Some(std::time::UNIX_EPOCH),
            states: vec![state],
            helpers: 1,
            requesters: 2,
            lost: 3,
            missed: 4,
            failed: None,
        };
        let all: Value = serde_json::from_str(&watching(&source(), std::time::UNIX_EPOCH, &watch)).unwrap();
        assert_eq!((&all["event"], &all["run"]), (&"watching".into(), &"5f1c-7".into()));
        assert_eq!(all["states"], json!([{"name": "requesters", "known": "a", "unknown": "b", "change": "c"}]));
        assert_eq!(
            (&all["helpers"], &all["requesters"], &all["lost"], &all["missed"]),
            (&1.into(), &2.into(), &3.into(), &4.into())
        );
    }
}
