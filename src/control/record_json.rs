//! A record as JSON: one object with its keys in this order. The command line, the console's files and the ledger's
//! readers use the same form.

use std::borrow::Cow;

use serde::Serialize;

use crate::abi::actor::{Actor, ChainLink, Origin};
use crate::abi::cap::CapMask;
use crate::abi::error::{Stage, errno_name};
use crate::abi::escape::json;
use crate::abi::launch_spec::{Enforcement, NotEnforced};
use crate::abi::record::Record;
use crate::abi::record::{Kind, Outcome};
use crate::abi::time::rfc3339;
use crate::sys::probe::Sets;

pub use super::json_source::{Source, V};
use super::kernel_json::KernelEntry;

/// The requester. `unit` and `container` are believed, `claims` is what a cgroup's name says that any user can choose.
#[derive(Debug, Serialize)]
pub struct Requester {
    pid: i32,
    uid: u32,
    comm: String,
    unit: Option<String>,
    container: Option<String>,
    claims: Option<String>,
}

impl From<&Actor> for Requester {
    fn from(actor: &Actor) -> Self {
        let (unit, container, claims) = actor.place.as_ref().map(|place| place.named()).unwrap_or_default();
        Self { pid: actor.pid, uid: actor.uid, comm: json(actor.comm.as_bytes()), unit, container, claims }
    }
}

/// One process of the chain of requesters, nearest first.
#[derive(Debug, Serialize)]
pub struct Link {
    pid: i32,
    comm: String,
    known: bool,
}

/// The masks that were given for one call; a mask that was not given is full.
#[derive(Debug, Serialize)]
pub struct Own {
    bset: CapMask,
    inheritable: CapMask,
}

/// A [`Record`] as it is printed. Byte strings are escaped ([`json`]), times are microseconds since the request was
/// made, `errno` is a name.
#[derive(Debug, Serialize)]
#[serde(untagged)]
pub enum Entry<'a> {
    /// A request to an engine.
    Engine(Box<EngineEntry<'a>>),
    /// A helper of this machine's kernel.
    Kernel(Box<KernelEntry<'a>>),
}

/// A request to an engine as it is printed.
#[derive(Debug, Serialize)]
pub struct EngineEntry<'a> {
    v: u8,
    target: &'a str,
    run: &'a str,
    id: u64,
    asked_at: String,
    kind: Kind,
    module: Option<String>,
    path: String,
    argv: Vec<String>,
    env: Vec<String>,
    wait: &'static str,
    origin: Origin,
    requester: Requester,
    chain: Vec<Link>,
    outcome: Outcome,
    exit_code: Option<u8>,
    signal: Option<u8>,
    core: bool,
    errno: Option<String>,
    stage: Option<Stage>,
    reason: Option<Cow<'a, str>>,
    raw: Option<i32>,
    result: Option<i32>,
    enforced: Option<Enforcement>,
    bset: CapMask,
    inheritable: CapMask,
    own: Option<Own>,
    profile: Option<&'a str>,
    caps: Option<Sets>,
    not_enforced: &'a [NotEnforced],
    pid: Option<i32>,
    queued_us: Option<u64>,
    started_us: Option<u64>,
    ended_us: Option<u64>,
    cpu_us: u64,
    max_rss_kib: u64,
    timed_out: bool,
    stdout: String,
    stderr: String,
    dropped_bytes: u64,
}

impl<'a> Entry<'a> {
    /// The object of a record. Its chain is empty unless the record has one: [`Self::with_chain`] sets it.
    pub fn of(r: &'a Record, source: &'a Source) -> Self {
        match &r.kernel {
            None => Self::Engine(Box::new(EngineEntry::of(r, source))),
            Some(kernel) => Self::Kernel(Box::new(KernelEntry::of(r, kernel, source))),
        }
    }

    /// Sets the chain of the record's requester, unless the record has one.
    #[must_use]
    pub fn with_chain(mut self, chain: &[ChainLink]) -> Self {
        if let Self::Engine(entry) = &mut self
            && entry.chain.is_empty()
        {
            entry.chain = links(chain);
        }
        self
    }
}

impl<'a> EngineEntry<'a> {
    fn of(r: &'a Record, source: &'a Source) -> Self {
        let output = r.output.as_deref();
        Self {
            v: V,
            target: &source.target,
            run: &source.run,
            id: r.id,
            asked_at: rfc3339(r.wall),
            kind: r.kind,
            module: r.module.as_deref().map(json),
            path: json(&r.path),
            argv: r.argv().iter().map(|a| json(a)).collect(),
            env: r.env.iter().map(|e| json(e)).collect(),
            wait: r.wait.name(),
            origin: r.actor.origin,
            requester: Requester::from(&*r.actor),
            chain: links(&r.chain),
            outcome: r.outcome,
            exit_code: r.status.and_then(|s| s.exit_code()),
            signal: r.status.and_then(|s| s.signal()),
            core: r.status.is_some_and(|s| s.core()),
            errno: r.errno.map(errno_name),
            stage: r.stage,
            reason: r.why(),
            raw: r.status.map(|s| s.raw()),
            result: r.result,
            enforced: r.enforced,
            bset: r.bset,
            inheritable: r.inheritable,
            own: r.own.as_deref().map(|masks| Own { bset: masks.bset, inheritable: masks.inheritable }),
            profile: r.profile.as_deref(),
            caps: r.caps.as_deref().map(|sets| Sets::from(*sets)),
            not_enforced: &r.not_enforced,
            pid: r.pid,
            queued_us: r.queued_us,
            started_us: r.started_us,
            ended_us: r.ended_us,
            cpu_us: r.cpu_us,
            max_rss_kib: r.max_rss_kib,
            timed_out: r.timed_out,
            stdout: output.map(|o| json(&o.stdout)).unwrap_or_default(),
            stderr: output.map(|o| json(&o.stderr)).unwrap_or_default(),
            dropped_bytes: output.map_or(0, |o| o.dropped),
        }
    }
}

fn links(chain: &[ChainLink]) -> Vec<Link> {
    let link = |link: &ChainLink| Link { pid: link.pid, comm: json(link.comm.as_bytes()), known: link.known };
    chain.iter().map(link).collect()
}
