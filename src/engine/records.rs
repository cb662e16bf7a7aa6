//! Access to records, live and ended, and to events. A large read never holds the registry's lock for long.

use std::sync::Arc;

use super::bus::Subscription;
use super::handle::Engine;
use crate::abi::actor::ChainLink;
use crate::abi::event::EventKinds;
use crate::abi::record::Record;
use crate::abi::snapshot::Live;

impl Engine {
    /// One record, live or ended, as it stands.
    pub fn record(&self, id: u64) -> Option<Arc<Record>> {
        self.check_process().ok()?;
        let (call, draft) = {
            let registry = self.inner.registry.lock();
            (registry.call(id), registry.draft(id))
        };
        if let Some(call) = call {
            return Some(call.record());
        }
        let ended = || self.inner.registry.lock().ended().find(|r| r.id == id).cloned();
        draft.or_else(ended)
    }

    /// The newest ended records, newest first.
    pub fn records(&self, most: usize) -> Vec<Arc<Record>> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        self.inner.registry.lock().ended().take(most).cloned().collect()
    }

    /// Who asked whom, nearest first, for any request or process (REQ-12).
    pub fn chain(&self, pid: i32) -> Vec<ChainLink> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        self.inner.chain(pid)
    }

    /// At most `most` ended records from serial number `from` on, oldest first, and the number of the first of them.
    /// Records are numbered from 0 in the order in which they ended; that number is larger than `from` where the older
    /// ones were let go to keep 10,000. What is held of a record's output outlives the budget for text as long as the
    /// record is held.
    pub fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>) {
        if self.check_process().is_err() {
            return (from, Vec::new());
        }
        self.inner.registry.lock().ended_from(from, most)
    }

    /// At most `most` requests that are not over, with ids after `id`, oldest first; each with its record as it was
    /// asked ([`Engine::record`] has it as it stands).
    pub fn live_after(&self, id: u64, most: usize) -> Vec<(Live, Arc<Record>)> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        self.inner.registry.lock().live_after(id, most)
    }

    /// Subscribes to events with a queue of `capacity` of them.
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        self.subscribe_to(capacity, EventKinds::ALL)
    }

    /// Subscribes to events of these kinds, with a queue of `capacity` of them; others are neither queued nor counted as
    /// missed.
    pub fn subscribe_to(&self, capacity: usize, kinds: EventKinds) -> Subscription {
        if self.check_process().is_err() {
            return Subscription::closed();
        }
        self.inner.registry.lock().bus.subscribe(capacity, kinds)
    }

    /// The same for a subscriber that has seen everything up to the event `after`: the number of events since then, of
    /// whatever kind, comes first, as [`super::Received::Missed`].
    pub fn subscribe_after(&self, after: u64, capacity: usize, kinds: EventKinds) -> Subscription {
        if self.check_process().is_err() {
            return Subscription::closed();
        }
        self.inner.registry.lock().bus.subscribe_after(after, capacity, kinds)
    }
}
