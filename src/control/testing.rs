//! Snapshots and records for the tests of this floor and of the floors above.
#![cfg_attr(not(feature = "console"), expect(dead_code, reason = "the tests of the console use the rest"))]

use std::sync::Arc;
use std::time::SystemTime;

use nix::errno::Errno;

use crate::abi::actor::{Actor, ChainLink, Origin};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::era::Era;
use crate::abi::error::Stage;
use crate::abi::event::Level;
use crate::abi::launch_spec::Enforcement;
use crate::abi::log::{Holdout, LogKind, LogLine};
use crate::abi::mask::Masks;
use crate::abi::record::{Args, Kind, Outcome, Record, State};
use crate::abi::snapshot::{Knobs, Live, Slots, Snapshot};
use crate::abi::wait::{WaitMode, WaitStatus};

use super::activity::history::History;

/// Every capability of this fixture's kernel.
pub const KNOWN: CapMask = CapMask::up_to(40);

/// Each stage that refuses, with one of its errnos.
pub const REFUSALS: [(Stage, Errno); 9] = [
    (Stage::Hook, Errno::EPERM),
    (Stage::Gate, Errno::EBUSY),
    (Stage::Limit, Errno::ENOMEM),
    (Stage::Throttle, Errno::ETIME),
    (Stage::Name, Errno::ENAMETOOLONG),
    (Stage::Path, Errno::ENOENT),
    (Stage::Loop, Errno::ELOOP),
    (Stage::Init, Errno::EIO),
    (Stage::Enforce, Errno::EPERM),
];

pub fn actor() -> Actor {
    Actor::new(Origin::Console, 4121, 0, 0, b"khelper")
}

/// An engine that has just started.
pub fn snapshot() -> Snapshot {
    let host = CapSets { permitted: KNOWN, effective: KNOWN, bounding: KNOWN, ..CapSets::default() };
    Snapshot {
        seq: 1,
        knobs: Knobs {
            modprobe: Arc::from(&b"/sbin/modprobe"[..]),
            bset: KNOWN,
            inheritable: KNOWN,
            era: Era::V3_4,
            max_concurrent: 50,
            allow: "".into(),
            deny: "".into(),
        },
        host: host.into(),
        slots: Slots { limit: 50, ..Slots::default() },
        ..Snapshot::unknown(4121, 0, KNOWN)
    }
}

/// The record of a module request that exited with `raw`, 12 ms after it was asked.
pub fn record(id: u64, name: &[u8], raw: i32) -> Record {
    let status = WaitStatus::from_raw(raw);
    Record {
        id,
        kind: Kind::Module,
        module: Some(name.into()),
        path: Arc::from(&b"/sbin/modprobe"[..]),
        args: Args::Module,
        env: Arc::from(Vec::new()),
        wait: WaitMode::PROC,
        actor: actor().into(),
        asked_by: None,
        wall: SystemTime::UNIX_EPOCH,
        at: 0,
        state: State::Ended,
        outcome: if status.signal().is_some() { Outcome::Killed } else { Outcome::Exited },
        stage: None,
        errno: None,
        said: None,
        result: Some(raw),
        status: Some(status),
        abandoned: false,
        timed_out: false,
        enforced: Some(Enforcement::Masks),
        bset: KNOWN,
        inheritable: KNOWN,
        own: None,
        profile: None,
        caps: Some(CapSets { permitted: KNOWN, effective: KNOWN, bounding: KNOWN, ..CapSets::default() }.into()),
        caps_started: None,
        not_enforced: Box::new([]),
        pid: Some(5000),
        queued_us: Some(10),
        started_us: Some(210),
        ended_us: Some(12_300),
        cpu_us: 900,
        max_rss_kib: 1480,
        output: None,
        chain: Box::default(),
        kernel: None,
    }
}

/// The record of a request that was refused.
pub fn refused(id: u64, name: &[u8], stage: Stage, errno: Errno, why: &str) -> Record {
    Record {
        outcome: Outcome::Refused,
        stage: Some(stage),
        errno: Some(errno),
        said: Some(why.into()),
        result: Some(-(errno as i32)),
        status: None,
        enforced: None,
        caps: None,
        pid: None,
        ..record(id, name, 0)
    }
}

/// A request whose helper has been running since `at`.
pub fn live(id: u64, title: &[u8], at: u64) -> Live {
    Live {
        id,
        kind: Kind::Module,
        title: title.into(),
        state: State::Running,
        abandoned: false,
        at,
        pid: Some(5000 + i32::try_from(id).unwrap()),
        actor: actor().into(),
        asked_by: None,
    }
}

/// An engine with `n` helpers that have been running for about 1 s.
pub fn busy(n: u32) -> Snapshot {
    let mut s = snapshot();
    s.now = 90_000_000;
    s.slots.concurrent = n.min(50);
    s.slots.peak = n.min(50);
    s.slots.holders = (1..=u64::from(n.min(50))).collect();
    (s.running_helpers, s.live, s.live_total) = (n, n, n as usize);
    s.running = (1..=u64::from(n.min(256))).map(|id| live(id, b"dummy", 88_800_000)).collect();
    s.totals.launched = u64::from(n);
    s.totals.requests = u64::from(n);
    s.last = vec![Arc::new(record(1001, b"loop", 256)), Arc::new(record(1000, b"ext4", 0))];
    s
}

/// An engine whose counters all differ and are not 0.
pub fn distinct() -> Snapshot {
    let mut s = busy(3);
    (s.running_helpers, s.live, s.queued, s.live_total) = (21, 22, 23, 24);
    (s.slots.limit, s.slots.concurrent, s.slots.waiting, s.slots.peak) = (47, 31, 32, 33);
    (s.slots.loop_messages, s.slots.suppressed) = (4, 34);
    (s.totals.requests, s.totals.launched, s.totals.abandoned) = (501, 402, 403);
    for (at, count) in s.totals.by_outcome.iter_mut().enumerate() {
        *count = 60 + at as u64;
    }
    (s.totals.refused_limit, s.totals.refused_gate, s.totals.refused_hook, s.totals.throttled) = (11, 12, 13, 14);
    s
}

/// A runaway loop: 50 requests hold the slots, and 30 were refused.
pub fn overflowing() -> Snapshot {
    let mut s = busy(50);
    s.totals.requests = 80;
    s.totals.by_outcome[Outcome::Refused as usize] = 30;
    s.totals.refused_limit = 30;
    s.slots.loop_messages = 5;
    let why = "50 requests are in progress, the limit is 50";
    s.last = (51..=80)
        .rev()
        .map(|id| Arc::new(refused(id, b"dummy", Stage::Limit, nix::errno::Errno::ENOMEM, why)))
        .collect();
    s.totals.refused_limit_at = Some(1);
    s.warnings = vec![LogLine { at: 1, kind: LogKind::Runaway { module: b"dummy"[..].into() } }; 5];
    s
}

/// A log line.
pub fn logged(at: u64, level: Level, text: &str) -> LogLine {
    LogLine { at, kind: LogKind::Note { level, text: text.into() } }
}

/// The log line of a failed drain.
pub fn drain_failed(at: u64) -> LogLine {
    let holdout = Holdout { id: 3, title: Some(b"foo"[..].into()), pid: None };
    LogLine { at, kind: LogKind::DrainFailed { holdouts: vec![holdout] } }
}

/// A record in which every field is set.
pub fn full(id: u64) -> Record {
    use crate::abi::actor::Comm;
    use crate::abi::launch_spec::NotEnforced;
    use crate::abi::record::Output;
    let link = |pid, comm: &[u8], known| ChainLink { pid, comm: Comm::new(comm), known, helper_of: None };
    let few = CapMask::from_bits(0b11);
    Record {
        kind: Kind::Helper,
        module: None,
        path: Arc::from(&b"/usr/bin/frob\x1b[2J"[..]),
        args: Args::List(vec![b"/usr/bin/frob\x1b[2J"[..].into(), b"--all"[..].into(), b"a\tb"[..].into()].into()),
        env: Arc::from(vec![b"HOME=/"[..].into(), b"X=\xff"[..].into()]),
        own: Some(Box::new(Masks::new(few, CapMask::EMPTY))),
        profile: Some("tight".into()),
        caps: Some(CapSets { permitted: few, effective: few, bounding: few, ..CapSets::default() }.into()),
        enforced: Some(Enforcement::NoNewPrivs),
        not_enforced: Box::new([NotEnforced::Nice, NotEnforced::Groups]),
        output: Some(Arc::new(Output {
            stdout: b"one\n\x1b]0;two\x07\n".to_vec(),
            stderr: "frob: \u{202e}cannot\n".as_bytes().to_vec(),
            dropped: 9,
        })),
        chain: vec![link(4121, b"khelper", true), link(4000, b"ba\x1bsh", false)].into(),
        ..record(id, b"", 256)
    }
}

/// The record of a request that has not ended.
pub fn open(id: u64, name: &[u8], state: State, pid: Option<i32>) -> Record {
    Record {
        state,
        outcome: Outcome::Running,
        result: None,
        status: None,
        caps: None,
        pid,
        started_us: pid.map(|_| 210),
        ended_us: None,
        ..record(id, name, 0)
    }
}

/// A history of these records, in this order; those that have not ended are live.
pub struct Kept(pub Vec<Arc<Record>>);

impl History for Kept {
    fn record(&self, id: u64) -> Option<Arc<Record>> {
        self.0.iter().find(|record| record.id == id).cloned()
    }
    fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>) {
        let ended = self.0.iter().filter(|record| record.state == State::Ended);
        (from, ended.skip(usize::try_from(from).unwrap()).take(most).cloned().collect())
    }
    fn live_after(&self, id: u64, most: usize) -> Vec<(Live, Arc<Record>)> {
        let of = |r: &Arc<Record>| {
            let (state, pid, abandoned, asked_by) = (r.state, r.pid, r.abandoned, r.asked_by);
            (Live { state, pid, abandoned, asked_by, ..live(r.id, r.title(), r.at) }, r.clone())
        };
        let mut found: Vec<_> = self.0.iter().filter(|r| r.state != State::Ended && r.id > id).map(of).collect();
        found.sort_by_key(|(live, _)| live.id);
        found.truncate(most);
        found
    }
    fn chain(&self, _: i32) -> Vec<ChainLink> {
        Vec::new()
    }
}
