//! A record as JSON: one object with its keys in this order. The command line and all other interfaces use the same
//! form.

use serde::Serialize;

use crate::abi::cap::CapMask;
use crate::abi::error::errno_name;
use crate::abi::escape::json;
use crate::abi::launch_spec::{Enforcement, NotEnforced};
use crate::abi::record::Record;
use crate::abi::record::{Kind, Outcome};
use crate::sys::probe::Sets;

/// The requester.
#[derive(Debug, Serialize)]
pub struct Requester {
    pid: i32,
    uid: u32,
    comm: String,
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
pub struct Entry<'a> {
    id: u64,
    kind: Kind,
    module: Option<String>,
    path: String,
    argv: Vec<String>,
    env: Vec<String>,
    wait: &'static str,
    requester: Requester,
    outcome: Outcome,
    exit_code: Option<u8>,
    signal: Option<u8>,
    core: bool,
    errno: Option<String>,
    raw: Option<i32>,
    result: Option<i32>,
    enforced: Option<Enforcement>,
    bset: CapMask,
    inheritable: CapMask,
    own: Option<Own>,
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

impl<'a> From<&'a Record> for Entry<'a> {
    fn from(r: &'a Record) -> Self {
        let output = r.output.as_deref();
        Self {
            id: r.id,
            kind: r.kind,
            module: r.module.as_deref().map(json),
            path: json(&r.path),
            argv: r.argv().iter().map(|a| json(a)).collect(),
            env: r.env.iter().map(|e| json(e)).collect(),
            wait: r.wait.name(),
            requester: Requester { pid: r.actor.pid, uid: r.actor.uid, comm: json(r.actor.comm.as_bytes()) },
            outcome: r.outcome,
            exit_code: r.status.and_then(|s| s.exit_code()),
            signal: r.status.and_then(|s| s.signal()),
            core: r.status.is_some_and(|s| s.core()),
            errno: r.errno.map(errno_name),
            raw: r.status.map(|s| s.raw()),
            result: r.result,
            enforced: r.enforced,
            bset: r.bset,
            inheritable: r.inheritable,
            own: r.own.as_deref().map(|masks| Own { bset: masks.bset, inheritable: masks.inheritable }),
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
