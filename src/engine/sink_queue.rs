//! A bounded queue from the engine to the thread of a record sink. Queueing an item never waits: an item that does not
//! fit is counted as lost.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sys::host::{Clock, Micros};

use super::sync::Monitor;

struct State<T> {
    /// Each item, its size, and how many items were lost between it and the one before.
    items: VecDeque<(T, usize, u64)>,
    /// How many were lost after the last of them.
    lost_last: u64,
    /// Sizes of the items that are queued or being handed over, at most `capacity`.
    size: usize,
    capacity: usize,
    /// How many items and losses were queued, and how many of these have been handed over.
    accepted: u64,
    done: u64,
    lost: u64,
    closed: bool,
}

impl<T> State<T> {
    /// One item is lost, after those that are queued.
    fn lose(&mut self) {
        self.lost += 1;
        if !self.closed {
            self.accepted += u64::from(self.lost_last == 0);
            self.lost_last += 1;
        }
    }
}

/// What is handed over.
#[derive(Debug, PartialEq)]
pub(super) enum Handed<T> {
    /// An item.
    Item(T),
    /// So many items were lost at this place.
    Lost(u64),
}

/// A handle to the queue.
pub(super) struct SinkQueue<T>(Arc<Monitor<State<T>>>);

impl<T> Clone for SinkQueue<T> {
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<T: Send + 'static> SinkQueue<T> {
    /// A queue for items whose sizes add up to at most `capacity`.
    pub(super) fn new(capacity: usize) -> Self {
        let items = VecDeque::new();
        Self(Monitor::new(State {
            items,
            lost_last: 0,
            size: 0,
            capacity,
            accepted: 0,
            done: 0,
            lost: 0,
            closed: false,
        }))
    }

    /// Queues an item if it fits. Returns how many items were lost so far.
    pub(super) fn push(&self, item: T, size: usize) -> u64 {
        let mut state = self.0.lock();
        if size > state.capacity.saturating_sub(state.size) || state.closed {
            state.lose();
            let lost = state.lost;
            drop(state);
            self.0.notify();
            return lost;
        }
        let lost_before = std::mem::take(&mut state.lost_last);
        state.items.push_back((item, size, lost_before));
        state.size += size;
        state.accepted += 1;
        let lost = state.lost;
        drop(state);
        self.0.notify();
        lost
    }

    /// How many items did not fit or could not be handed over.
    pub(super) fn lost(&self) -> u64 {
        self.0.lock().lost
    }

    /// Hands over one item after another, without the lock, until the queue is closed and empty; losses come where the
    /// items would have come. If `hand_over` returns false, the item counts as lost. Only one thread may call this.
    pub(super) fn serve(&self, mut hand_over: impl FnMut(Handed<T>) -> bool) {
        let mut state = self.0.lock();
        loop {
            let next = state.items.pop_front();
            let lost = match &next {
                Some((_, _, before)) => *before,
                None => std::mem::take(&mut state.lost_last),
            };
            if next.is_none() && lost == 0 {
                if state.closed {
                    return;
                }
                state = self.0.wait(state);
                continue;
            }
            drop(state);
            if lost > 0 {
                hand_over(Handed::Lost(lost));
            }
            let item = next.map(|(item, size, _)| (size, hand_over(Handed::Item(item))));
            state = self.0.lock();
            state.done += u64::from(lost > 0);
            if let Some((size, handed_over)) = item {
                state.size -= size;
                state.done += 1;
                if !handed_over {
                    state.lose();
                }
            }
            // Wakes `flush`.
            self.0.notify();
        }
    }

    /// Waits until all items that are queued now have been handed over, or until `deadline`. Returns false if the
    /// deadline came first.
    pub(super) fn flush(&self, clock: &dyn Clock, deadline: Micros) -> bool {
        let mut state = self.0.lock();
        let queued = state.accepted;
        while state.done < queued {
            if clock.now() >= deadline {
                return false;
            }
            state = self.0.wait_until(state, clock, deadline);
        }
        true
    }

    /// Closes the queue to new items: `serve` returns once it is empty.
    pub(super) fn close(&self) {
        self.0.lock().closed = true;
        self.0.notify();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::host::Host;
    use crate::sys::linux::LinuxHost;

    #[test]
    fn what_does_not_fit_is_lost_and_counted_and_the_rest_keeps_its_order() {
        let queue = SinkQueue::new(10);
        assert_eq!([queue.push(1, 4), queue.push(2, 7), queue.push(3, 6), queue.push(4, 1)], [0, 1, 1, 2]);
        let host = LinuxHost::new();
        assert!(!queue.flush(host.clock(), host.clock().now()), "no thread serves it yet");
        let mut got = Vec::new();
        queue.serve(|item| {
            let handed_over = item != Handed::Item(3);
            // Once it has been told of all of them.
            if item == Handed::Lost(2) {
                queue.close();
            }
            got.push(item);
            handed_over
        });
        let lost = "one had no room, and one was not handed over";
        assert_eq!(got, [Handed::Item(1), Handed::Lost(1), Handed::Item(3), Handed::Lost(2)], "{lost}");
        assert_eq!(queue.lost(), 3);
    }

    #[test]
    fn an_item_takes_room_until_it_has_been_handed_over() {
        let queue = SinkQueue::new(10);
        assert_eq!(queue.push(1, 6), 0);
        queue.serve(|item| {
            if item == Handed::Item(1) {
                assert_eq!([queue.push(2, 5), queue.push(3, 4)], [1, 1], "6 + 5 > 10");
                queue.close();
            }
            true
        });
        assert_eq!(queue.push(4, 1), 2, "closed");
        let host = LinuxHost::new();
        assert!(queue.flush(host.clock(), host.clock().now()));
    }
}
