//! What happens in the engine, numbered, for any number of subscribers.

use std::sync::Arc;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::depth::Depth;
use crate::abi::record::Record;
use crate::abi::time::Micros;

/// How much a line of the log matters.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Level {
    /// For the record.
    Info,
    /// Something an operator should look at.
    Warning,
    /// Something went wrong.
    Error,
}

/// One event. `seq` counts from 1 without gaps; one that is missing was dropped for a slow subscriber.
#[derive(Clone, Debug)]
pub struct Event {
    /// Its number.
    pub seq: u64,
    /// When, on the engine's clock.
    pub at: Micros,
    /// What.
    pub kind: EventKind,
}

/// What happened.
#[derive(Clone, Debug)]
pub enum EventKind {
    /// The tracepoint `module_request`: admitted, before anything else was looked at (REQ-6).
    ModuleRequest {
        /// The request.
        id: u64,
        /// The name, hostile bytes.
        name: Arc<[u8]>,
        /// Whether the caller waits for the end.
        wait: bool,
        /// Who asked.
        actor: Arc<Actor>,
    },
    /// A module request, era current, found every slot taken and has begun to wait for one (REQ-5). At most once for
    /// a request, before everything else that is told of it: its `ModuleRequest` once a slot is its own, or its end
    /// without one: `ETIME` after 5 s, `EINTR` if its caller goes (`Abandoned` comes first). One that gets a slot at
    /// once has none.
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
    /// Over: the helper is gone, or there never was one.
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
        /// Who ended the wait: the caller itself, or who abandoned the request.
        actor: Arc<Actor>,
    },
    /// A helper and its process group were signalled on somebody's command (UMH-14); a time-out has no such event.
    Signalled {
        /// The request whose helper it is.
        id: u64,
        /// The helper.
        pid: i32,
        /// The signal's number.
        signal: i32,
        /// Who sent it.
        actor: Arc<Actor>,
    },
    /// A knob was written.
    KnobChanged {
        /// `kernel.modprobe` and its like.
        key: &'static str,
        /// What it was, as it reads.
        before: String,
        /// What it is.
        after: String,
        /// Who wrote it.
        actor: Arc<Actor>,
    },
    /// A mask was written (also a `KnobChanged`'s kind of event, with the bits).
    MaskChanged {
        /// `kernel.usermodehelper.bset` or `.inheritable`.
        key: &'static str,
        /// What it was.
        before: CapMask,
        /// What it is.
        after: CapMask,
        /// Who wrote it.
        actor: Arc<Actor>,
    },
    /// The gate changed its depth.
    GateChanged {
        /// From.
        from: Depth,
        /// To.
        to: Depth,
        /// Who changed it; after a drain that failed, who began the drain.
        actor: Arc<Actor>,
    },
    /// A drain gave up after 5 s and opened the gate again (GATE-2).
    DrainFailed {
        /// The requests that held out.
        holdouts: Vec<u64>,
        /// Who began the drain.
        actor: Arc<Actor>,
    },
    /// A line of the log (already escaped), the runaway and throttle messages among them.
    Log {
        /// How much it matters.
        level: Level,
        /// The line.
        text: String,
    },
}
