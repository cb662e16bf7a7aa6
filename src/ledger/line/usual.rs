//! The usual value of each field of a record, which a line leaves out. The writer and the reader use the same functions,
//! so that what is left out is what is restored.

use std::sync::{Arc, OnceLock};

use crate::abi::actor::{Actor, ChainLink, Origin};
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::launch_spec::Enforcement;
use crate::abi::record::{Args, Kind, Outcome, Record, State};
use crate::abi::subprocess::HELPER_ENV;
use crate::abi::wait::{WaitMode, WaitStatus};

use super::Head;

const MODPROBE: &[u8] = b"/sbin/modprobe";

/// Usual values that records share.
#[derive(Clone, Debug)]
pub(crate) struct Usual {
    pub(in crate::ledger) modprobe: Arc<[u8]>,
    pub(super) nothing: Arc<[u8]>,
    pub(super) env: Arc<[Box<[u8]>]>,
    pub(super) empty: Arc<[Box<[u8]>]>,
}

impl Default for Usual {
    fn default() -> Self {
        // One copy for all segments.
        static SHARED: OnceLock<Usual> = OnceLock::new();
        let make = || Self {
            modprobe: MODPROBE.into(),
            nothing: Arc::from([]),
            env: HELPER_ENV.iter().map(|e| e.as_bytes().into()).collect(),
            empty: Arc::from([]),
        };
        SHARED.get_or_init(make).clone()
    }
}

impl Usual {
    pub(super) fn args(&self, kind: Kind) -> Args {
        match kind {
            Kind::Module => Args::Module,
            Kind::Helper => Args::List(self.empty.clone()),
        }
    }

    pub(super) fn path(&self, kind: Kind, args: &Args) -> Arc<[u8]> {
        match (kind, args) {
            (Kind::Module, _) => self.modprobe.clone(),
            (Kind::Helper, Args::List(list)) => list.first().map_or_else(|| self.nothing.clone(), |a| (**a).into()),
            (Kind::Helper, Args::Module) => self.nothing.clone(),
        }
    }

    pub(super) fn env(&self, outcome: Outcome) -> Arc<[Box<[u8]>]> {
        match outcome {
            Outcome::Refused | Outcome::Noop => self.empty.clone(),
            _ => self.env.clone(),
        }
    }
}

pub(super) fn kind(has_module: bool) -> Kind {
    if has_module { Kind::Module } else { Kind::Helper }
}

/// The state and the outcome of a request that has ended, or whose helper runs.
pub(super) fn standing(ended: bool) -> (State, Outcome) {
    if ended { (State::Ended, Outcome::Exited) } else { (State::Running, Outcome::Running) }
}

pub(super) fn status(outcome: Outcome) -> Option<WaitStatus> {
    (outcome == Outcome::Exited).then(|| WaitStatus::from_raw(0))
}

pub(super) fn result(r: &Record) -> Option<i32> {
    match (r.outcome, r.errno, r.status, r.wait) {
        // What the kernel's caller got is not known.
        _ if r.kernel.is_some() => None,
        (Outcome::Running, ..) => None,
        (_, Some(errno), ..) => Some(-(errno as i32)),
        (_, None, Some(status), WaitMode::Proc { .. }) => Some(status.raw()),
        _ => Some(0),
    }
}

pub(super) fn enforced(pid: Option<i32>) -> Option<Enforcement> {
    pid.map(|_| Enforcement::Masks)
}

/// The sets that a helper of the engine's user ends with, if it changed none: those of execve(2).
pub(super) fn caps(head: &Head, r: &Record) -> Option<CapSets> {
    let (Some(_), true) = (r.pid, r.outcome != Outcome::Running) else { return None };
    let own = r.own.as_deref().map_or(CapMask::from_bits(u64::MAX), |own| own.bset);
    let bounding = r.bset & own & head.bounding;
    let held = if head.actor.uid == 0 { bounding } else { CapMask::EMPTY };
    Some(CapSets { permitted: held, effective: held, bounding, ..CapSets::default() })
}

/// The sets of a helper of the kernel whose masks are full.
pub(super) fn kernel_caps(head: &Head) -> CapSets {
    CapSets { permitted: head.known, effective: head.known, bounding: head.known, ..CapSets::default() }
}

/// The effective set of a process with this uid.
pub(super) fn effective(head: &Head, uid: u32) -> CapMask {
    if uid == 0 { head.known } else { CapMask::EMPTY }
}

/// Whether this is the engine's process, whatever the origin.
pub(super) fn is_engine(head: &Head, actor: &Actor) -> bool {
    Actor { origin: head.actor.origin, ..actor.clone() } == *head.actor
}

/// The origin of a command by the engine's process, or by another one.
pub(super) fn origin(of_engine: bool) -> Origin {
    if of_engine { Origin::Library } else { Origin::Outside }
}

/// The chain of a requester that lives begins with itself.
pub(super) fn first_link(actor: &Actor) -> ChainLink {
    ChainLink { pid: actor.pid, comm: actor.comm, known: true, helper_of: None }
}
