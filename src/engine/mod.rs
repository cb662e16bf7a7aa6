//! Floor 2: where judgement meets the machine.
#![forbid(unsafe_code)]

pub mod cancel;
pub mod event;
pub mod record;
pub mod snapshot;

pub use cancel::Cancel;
pub use record::Record;

use snapshot::Snapshot;
use std::sync::Arc;

/// A cheap handle to an engine, usable from any thread.
#[derive(Clone)]
pub struct Engine {}

/// What a subscriber is handed.
#[derive(Clone, Debug)]
pub enum Received {
    /// The next event.
    Event(Arc<event::Event>),
    /// So many events were missed: take a fresh snapshot.
    Missed(u64),
    /// The engine has ended; nothing more will come.
    Closed,
}

/// A bounded queue of events.
pub struct Subscription {}
impl Subscription {
    /// Blocks for the next event.
    pub fn recv(&self) -> Received {
        todo!()
    }
    /// Makes `recv` return `Closed`, from another thread.
    pub fn close(&self) {
        todo!()
    }
}

impl Engine {
    /// The state at this moment.
    pub fn snapshot(&self) -> Snapshot {
        todo!()
    }
    /// One record, live or ended, as it stands.
    pub fn record(&self, _id: u64) -> Option<Arc<Record>> {
        todo!()
    }
    /// Subscribes with a queue of `capacity` events.
    pub fn subscribe(&self, _capacity: usize) -> Subscription {
        todo!()
    }
    /// Shuts the gate, waits up to `patience` for what runs, and names what is left, which runs on (UMH-14).
    pub fn shutdown(&self, _patience: std::time::Duration) -> Vec<snapshot::Live> {
        todo!()
    }
}
