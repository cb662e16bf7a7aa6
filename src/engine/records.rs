//! Access to records, live and ended, and to events. A large read never holds the registry's lock for long.

use std::sync::Arc;

use super::bus::Subscription;
use super::handle::Engine;
use super::registry::kept::Kept;
use crate::abi::actor::{Actor, ChainLink, Origin};
use crate::abi::event::EventKinds;
use crate::abi::record::Record;
use crate::abi::snapshot::Live;

impl Engine {
    /// Returns the current record of a request, live or ended.
    pub fn record(&self, id: u64) -> Option<Arc<Record>> {
        self.check_process().ok()?;
        let (call, draft) = {
            let registry = self.inner.registry.lock();
            (registry.call(id), registry.draft(id))
        };
        if let Some(call) = call {
            return Some(call.record());
        }
        let ended = || self.inner.registry.lock().ended().find(|r| r.id() == id).cloned();
        draft.or_else(|| ended().map(|kept| kept.record()))
    }

    /// Returns at most `most` ended records, newest first.
    pub fn records(&self, most: usize) -> Vec<Arc<Record>> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        let kept: Vec<Kept> = self.inner.registry.lock().ended().take(most).cloned().collect();
        kept.iter().map(Kept::record).collect()
    }

    /// Returns the chain of requesters of a process, nearest first (REQ-12).
    pub fn chain(&self, pid: i32) -> Vec<ChainLink> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        self.inner.chain(&Actor::new(Origin::Outside, pid, 0, 0, b"").into()).links
    }

    /// Returns at most `most` ended records from serial number `from` on, oldest first, and the serial number of the
    /// first one. Records are numbered from 0 in the order in which they ended. The number is larger than `from` if
    /// older records were dropped: the newest 10,000 are kept. A returned record keeps its output, even after the
    /// engine has dropped it to stay within its budget for text.
    pub fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>) {
        if self.check_process().is_err() {
            return (from, Vec::new());
        }
        let (first, kept) = self.inner.registry.lock().ended_from(from, most);
        (first, kept.iter().map(Kept::record).collect())
    }

    /// Returns at most `most` live requests with ids above `id`, oldest first, each with its record as it was when
    /// made. [`Engine::record`] returns the current record.
    pub fn live_after(&self, id: u64, most: usize) -> Vec<(Live, Arc<Record>)> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        self.inner.registry.lock().live_after(id, most)
    }

    /// Subscribes to all events, with a queue of `capacity` events.
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        self.subscribe_to(capacity, EventKinds::ALL)
    }

    /// Subscribes to events of these kinds, with a queue of `capacity` events. Other events are neither queued nor
    /// counted as missed.
    pub fn subscribe_to(&self, capacity: usize, kinds: EventKinds) -> Subscription {
        if self.check_process().is_err() {
            return Subscription::closed();
        }
        self.inner.registry.lock().bus.subscribe(capacity, kinds)
    }

    /// Like [`Self::subscribe_to`], for a subscriber that has seen all events up to `after`. The number of events since
    /// then, of any kind, comes first, as [`super::Received::Missed`].
    pub fn subscribe_after(&self, after: u64, capacity: usize, kinds: EventKinds) -> Subscription {
        if self.check_process().is_err() {
            return Subscription::closed();
        }
        self.inner.registry.lock().bus.subscribe_after(after, capacity, kinds)
    }
}
