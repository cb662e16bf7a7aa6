//! What receives an engine's records as they are made: a ledger, a log, a program's own monitoring.

use std::sync::Arc;
use std::time::SystemTime;

use super::event::{Event, EventKind};
use super::record::Record;

/// Receives the records and changes of an engine, one at a time and in the order in which they happened.
///
/// The engine never waits for a sink: it puts what it has into a bounded queue, and a thread that it starts for the sink
/// calls these methods. What does not fit into the queue is lost, and counted in `Totals::records_lost`. So is an item
/// during which a method panics. The methods may take as long as they want and may call the engine, but a sink that holds
/// an engine keeps it alive. In a forked child nothing is called.
pub trait RecordSink: Send + Sync {
    /// exec succeeded: a helper runs. The record is as it was then, with `pid` and `started_us`.
    fn started(&self, record: &Arc<Record>);

    /// A request is over, with or without a helper. A helper that was executed has been given to [`Self::started`] before,
    /// unless that was lost.
    fn finished(&self, record: &Arc<Record>);

    /// A knob or the gate was changed.
    fn changed(&self, change: &Changed);
}

/// A change of a knob or of the gate.
#[derive(Clone, Debug)]
pub struct Changed {
    /// When, by the wall clock.
    pub wall: SystemTime,
    /// What was changed, from what to what and by whom.
    pub event: Event,
}

impl Changed {
    /// Whether an event of this kind is a change, and so goes to a sink.
    pub fn includes(kind: &EventKind) -> bool {
        matches!(kind, EventKind::KnobChanged { .. } | EventKind::GateChanged { .. })
    }
}
