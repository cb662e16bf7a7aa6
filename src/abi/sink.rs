//! The interface for a receiver of an engine's records: a ledger, a log, a program's monitoring.

use std::sync::Arc;
use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use super::event::{Event, EventKind, EventKinds};
use super::record::Record;
use super::safe_text::SafeText;

/// Receives the records and changes of an engine, one at a time and in the order in which they happened.
///
/// The engine never waits for a sink: it puts items into a bounded queue, and a thread that it starts for the sink
/// calls these methods. An item that does not fit into the queue is lost and counted in `Totals::records_lost`, and so
/// is an item whose method panics. The methods may take any time and may call the engine, but a sink that holds an
/// engine keeps it alive. In a forked child no method is called.
pub trait RecordSink: Send + Sync {
    /// exec succeeded: a helper runs. The record shows the state at that time, with `pid` and `started_us`.
    fn started(&self, record: &Arc<Record>);

    /// A request has ended, with or without a helper. If a helper was executed, [`Self::started`] was called before,
    /// unless that item was lost.
    fn finished(&self, record: &Arc<Record>);

    /// A knob or the gate was changed, or an operator acted on a request ([`Changed`]).
    fn changed(&self, change: &Changed);

    /// Items before the next one, or at the end of those queued, were lost.
    fn lost(&self, count: u64) {
        let _ = count;
    }

    /// The state of a sink that is a ledger; it is part of every snapshot. Must not wait for a write.
    fn ledger(&self) -> Option<LedgerState> {
        None
    }
}

/// The state of a ledger that is being written.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct LedgerState {
    /// How long the line that is being written has waited, in microseconds; 0 if none waits.
    pub lag_us: u64,
    /// The bytes of all segments, those of other processes included.
    pub bytes: u64,
    /// Lines written by this process.
    pub written: u64,
    /// Lines that could not be written.
    pub lost: u64,
    /// Failures that could not be written to the series of failures, which is kept for longer.
    #[serde(default)]
    pub failures_lost: u64,
    /// Why the last write failed, with advice; `None` once one has succeeded again.
    pub error: Option<SafeText>,
}

/// A change of a knob or of the gate, a drain that failed, a caller that stopped waiting, or a signal that an operator
/// sent to a helper.
#[derive(Clone, Debug)]
pub struct Changed {
    /// When, by the wall clock.
    pub wall: SystemTime,
    /// What happened, with the process that caused it.
    pub event: Event,
}

impl Changed {
    /// The kinds of events that a sink receives as changes.
    pub const KINDS: EventKinds = EventKinds::KNOB_CHANGED
        .or(EventKinds::GATE_CHANGED)
        .or(EventKinds::DRAIN_FAILED)
        .or(EventKinds::ABANDONED)
        .or(EventKinds::SIGNALLED)
        .or(EventKinds::LOST);

    /// Whether an event of this kind is a change, which a sink receives.
    pub fn includes(kind: &EventKind) -> bool {
        Self::KINDS.has(kind)
    }
}
