//! What was and is, in pieces: for who looks at thousands of records without holding the engine up.

use std::sync::Arc;

use super::Engine;
use super::bus::Subscription;
use crate::abi::event::EventKinds;
use crate::abi::record::Record;
use crate::abi::snapshot::Live;

impl Engine {
    /// At most `most` ended records from serial number `from` on, oldest first, and the number of the first of them.
    /// Records are numbered from 0 in the order in which they ended; that number is larger than `from` where the older
    /// ones were let go to keep 10,000. What is held of a record's output outlives the budget for text as long as the
    /// record is held.
    pub fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>) {
        if self.check_process().is_err() {
            return (from, Vec::new());
        }
        self.inner.books.lock().ended_from(from, most)
    }

    /// At most `most` requests that are not over, with ids after `id`, oldest first; each with its record as it was
    /// asked ([`Engine::record`] has it as it stands).
    pub fn live_after(&self, id: u64, most: usize) -> Vec<(Live, Arc<Record>)> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        self.inner.books.lock().live_after(id, most)
    }

    /// Subscribes to events of these kinds, with a queue of `capacity` of them; others are neither queued nor counted as
    /// missed.
    pub fn subscribe_to(&self, capacity: usize, kinds: EventKinds) -> Subscription {
        if self.check_process().is_err() {
            return Subscription::closed();
        }
        self.inner.books.lock().bus.subscribe(capacity, kinds)
    }

    /// The same for a subscriber that has seen everything up to the event `after`: the number of events since then, of
    /// whatever kind, comes first, as [`super::Received::Missed`].
    pub fn subscribe_after(&self, after: u64, capacity: usize, kinds: EventKinds) -> Subscription {
        if self.check_process().is_err() {
            return Subscription::closed();
        }
        self.inner.books.lock().bus.subscribe_after(after, capacity, kinds)
    }
}
