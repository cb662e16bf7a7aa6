//! The events of the engine, numbered, for any number of subscribers.

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::abi::actor::Actor;
use crate::abi::depth::Depth;
use crate::abi::knob::Key;
use crate::abi::knob_value::Change;
pub use crate::abi::log::Level;
use crate::abi::log::LogKind;
use crate::abi::record::{Outcome, Record};
use crate::abi::safe_text::SafeText;
use crate::abi::time::Micros;
use crate::abi::wait::WaitMode;
use crate::abi::wire;

/// One event. `seq` counts from 1 without gaps; a missing number is an event that was dropped for a slow subscriber.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Event {
    /// Its number.
    pub seq: u64,
    /// When, on the engine's clock.
    pub at: Micros,
    /// What happened.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum EventKind {
    /// The tracepoint `module_request`: a request was admitted; nothing else has been checked yet (REQ-6).
    ModuleRequest {
        /// The request.
        id: u64,
        /// The name, hostile bytes.
        #[serde(with = "wire::bytes")]
        name: Arc<[u8]>,
        /// Whether the caller waits for the end.
        wait: bool,
        /// The process that made the request.
        actor: Arc<Actor>,
    },
    /// A module request, era current, found every slot taken and has begun to wait for one (REQ-5). It is the first
    /// event of the request and occurs at most once; a request that gets a slot at once has no such event. Next comes
    /// `ModuleRequest` once the request has a slot, or its end without one: `ETIME` after 5 s, or `EINTR` if its caller
    /// stops waiting (`Abandoned` comes first).
    Waiting {
        /// The request.
        id: u64,
    },
    /// Queued for a worker.
    Queued {
        /// The request.
        id: u64,
    },
    /// exec succeeded.
    Started {
        /// The request.
        id: u64,
        /// Its helper.
        pid: i32,
    },
    /// The request has ended: its helper was reaped, or none was started.
    Finished(Arc<Record>),
    /// A module request has given its slot back (REQ-9); the last of its events.
    Released {
        /// The request.
        id: u64,
    },
    /// The caller stopped waiting; the helper lives on.
    Abandoned {
        /// The request.
        id: u64,
        /// The process that ended the wait: the caller itself, or the one that abandoned the request.
        actor: Arc<Actor>,
    },
    /// An operator's command signalled a helper and its process group (UMH-14). A time-out causes no such event.
    Signalled {
        /// The request whose helper it is.
        id: u64,
        /// The helper.
        pid: i32,
        /// The signal's number.
        signal: i32,
        /// The process that sent it.
        actor: Arc<Actor>,
    },
    /// A knob was written or a counter reset. The gate has a separate event.
    KnobChanged {
        /// The knob, before and after.
        change: Arc<Change>,
        /// The process that wrote it.
        actor: Arc<Actor>,
    },
    /// The gate changed its depth.
    GateChanged {
        /// The depth before.
        from: Depth,
        /// The depth now.
        to: Depth,
        /// The process that changed it; after a drain that failed, the one that began the drain.
        actor: Arc<Actor>,
    },
    /// A drain gave up after 5 s and opened the gate again (GATE-2).
    DrainFailed {
        /// The requests that were still running.
        holdouts: Vec<u64>,
        /// The process that began the drain.
        actor: Arc<Actor>,
    },
    /// Something about helpers of this machine's kernel is lost.
    Lost {
        /// What.
        source: LossSource,
        /// How much; `None` if the kernel did not say.
        count: Option<u64>,
    },
    /// What was kept of knobs for the next start was removed. Their values did not change.
    Unpersisted {
        /// The knobs.
        keys: Vec<Key>,
        /// The process that did it.
        actor: Arc<Actor>,
    },
    /// A command that came over a socket was denied (AUTH-2).
    Denied {
        /// Its method.
        method: SafeText,
        /// The reason.
        why: SafeText,
        /// How many were denied since the last such event, and have none of their own.
        more: u64,
        /// The process that gave it.
        actor: Arc<Actor>,
    },
    /// A line of the log, the runaway and throttle messages among them.
    Log(LogKind),
}

/// What is lost of the helpers of this machine's kernel.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum LossSource {
    /// Trace events about requests: requesters of that time may be wrong.
    Requests,
    /// Trace events about starts of helpers.
    Helpers,
    /// Reports of ends.
    Ends,
    /// A page of trace events that has not the format that the kernel describes.
    Trace,
    /// Helpers or losses that a reader of this program was too slow for.
    Reader,
}

impl LossSource {
    /// As JSON spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Requests => "requests",
            Self::Helpers => "helpers",
            Self::Ends => "ends",
            Self::Trace => "trace",
            Self::Reader => "reader",
        }
    }
}

/// A set of kinds of events: what a subscriber asks for. Events of other kinds are neither queued for it nor counted as
/// missed, and do not wake it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct EventKinds(u32);

impl EventKinds {
    /// No event.
    pub const NONE: Self = Self(0);
    /// [`EventKind::ModuleRequest`].
    pub const MODULE_REQUEST: Self = Self(1);
    /// [`EventKind::Waiting`].
    pub const WAITING: Self = Self(1 << 1);
    /// [`EventKind::Queued`].
    pub const QUEUED: Self = Self(1 << 2);
    /// [`EventKind::Started`].
    pub const STARTED: Self = Self(1 << 3);
    /// [`EventKind::Finished`] of a helper that exited with status 0 in time.
    pub const FINISHED_WELL: Self = Self(1 << 4);
    /// Every other [`EventKind::Finished`] of a request whose caller waited and knows the result.
    pub const FAILED: Self = Self(1 << 5);
    /// The same of a request with UMH_NO_WAIT: no caller knows the result.
    pub const FAILED_NO_WAIT: Self = Self(1 << 6);
    /// [`EventKind::Released`].
    pub const RELEASED: Self = Self(1 << 7);
    /// [`EventKind::Abandoned`].
    pub const ABANDONED: Self = Self(1 << 8);
    /// [`EventKind::KnobChanged`].
    pub const KNOB_CHANGED: Self = Self(1 << 9);
    /// [`EventKind::GateChanged`].
    pub const GATE_CHANGED: Self = Self(1 << 10);
    /// [`EventKind::DrainFailed`].
    pub const DRAIN_FAILED: Self = Self(1 << 11);
    /// [`EventKind::Log`].
    pub const LOG: Self = Self(1 << 12);
    /// [`EventKind::Signalled`].
    pub const SIGNALLED: Self = Self(1 << 13);
    /// [`EventKind::Lost`].
    pub const LOST: Self = Self(1 << 14);
    /// [`EventKind::Unpersisted`].
    pub const UNPERSISTED: Self = Self(1 << 15);
    /// [`EventKind::Denied`].
    pub const DENIED: Self = Self(1 << 16);
    /// Every [`EventKind::Finished`].
    pub const FINISHED: Self = Self::FINISHED_WELL.or(Self::FAILED).or(Self::FAILED_NO_WAIT);
    /// Every event.
    pub const ALL: Self = Self((1 << 17) - 1);

    /// Both sets together.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// This set without the kinds of `other`.
    #[must_use]
    pub const fn without(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }

    /// Whether every kind of `other` is in this set.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }

    /// Whether the event is of one of these kinds.
    pub fn has(self, event: &EventKind) -> bool {
        self.0 & event.kind().0 != 0
    }
}

impl EventKind {
    /// The set that contains just this event's kind.
    pub fn kind(&self) -> EventKinds {
        match self {
            Self::ModuleRequest { .. } => EventKinds::MODULE_REQUEST,
            Self::Waiting { .. } => EventKinds::WAITING,
            Self::Queued { .. } => EventKinds::QUEUED,
            Self::Started { .. } => EventKinds::STARTED,
            Self::Finished(record) if ended_well(record) => EventKinds::FINISHED_WELL,
            Self::Finished(record) if record.wait == WaitMode::NoWait => EventKinds::FAILED_NO_WAIT,
            Self::Finished(_) => EventKinds::FAILED,
            Self::Released { .. } => EventKinds::RELEASED,
            Self::Abandoned { .. } => EventKinds::ABANDONED,
            Self::Signalled { .. } => EventKinds::SIGNALLED,
            Self::KnobChanged { .. } => EventKinds::KNOB_CHANGED,
            Self::GateChanged { .. } => EventKinds::GATE_CHANGED,
            Self::DrainFailed { .. } => EventKinds::DRAIN_FAILED,
            Self::Lost { .. } => EventKinds::LOST,
            Self::Unpersisted { .. } => EventKinds::UNPERSISTED,
            Self::Denied { .. } => EventKinds::DENIED,
            Self::Log(_) => EventKinds::LOG,
        }
    }
}

fn ended_well(record: &Record) -> bool {
    let code = record.status.and_then(|status| status.exit_code());
    record.outcome == Outcome::Exited && code == Some(0) && !record.timed_out
}
