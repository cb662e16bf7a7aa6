//! A helper of this machine's kernel as JSON: the names of records, null for what is not known, and why it is not.

use serde::Serialize;

use crate::abi::escape::json;
use crate::abi::kernel_helper::{Fact, KernelHelper, Missing, SiteAddress, Unknown};
use crate::abi::record::{Kind, Outcome, Record};
use crate::abi::snapshot::WatchState;
use crate::abi::time::rfc3339;
use crate::sys::probe::Sets;

use super::record_json::{Source, V};

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
            chain: [],
            worker: kernel.worker,
            outcome: not_told.is_none().then_some(r.outcome),
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
    since: String,
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
        let states = watch.states.iter();
        let states = states.map(|s| State { name: &s.name, known: &s.known, unknown: &s.unknown, change: &s.change });
        Self {
            since: rfc3339(watch.since),
            states: states.collect(),
            helpers: watch.helpers,
            requesters: watch.requesters,
            lost: watch.lost,
            missed: watch.missed,
            failed: watch.failed.as_deref(),
        }
    }
}

/// The beginning of a watch, and what can be known.
pub fn watching(source: &Source, watch: &WatchState) -> String {
    let watching = Watching {
        v: V,
        target: &source.target,
        run: &source.run,
        at: rfc3339(watch.since),
        event: "watching",
        watch: watch.into(),
    };
    // It has only strings, numbers and lists of them, which always serialize.
    serde_json::to_string(&watching).unwrap_or_default()
}
