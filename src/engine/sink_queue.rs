//! A bounded queue from the engine to the thread of a record sink. Queueing an item never waits: an item that does not
//! fit is counted as lost.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sys::host::{Clock, Micros};

use super::sync::Monitor;

struct State<T> {
    /// Each item and its size.
    items: VecDeque<(T, usize)>,
    /// Sizes of the items that are queued or being handed over, at most `capacity`.
    size: usize,
    capacity: usize,
    /// How many items were queued, and how many of these have been handed over.
    accepted: u64,
    done: u64,
    lost: u64,
    closed: bool,
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
        Self(Monitor::new(State { items, size: 0, capacity, accepted: 0, done: 0, lost: 0, closed: false }))
    }

    /// Queues an item if it fits. Returns how many items were lost so far.
    pub(super) fn push(&self, item: T, size: usize) -> u64 {
        let mut state = self.0.lock();
        if state.closed || size > state.capacity.saturating_sub(state.size) {
            state.lost += 1;
            return state.lost;
        }
        state.items.push_back((item, size));
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

    /// Hands over one item after another, without the lock, until the queue is closed and empty. If `hand_over` returns
    /// false, the item counts as lost. Only one thread may call this.
    pub(super) fn serve(&self, mut hand_over: impl FnMut(T) -> bool) {
        let mut state = self.0.lock();
        loop {
            let Some((item, size)) = state.items.pop_front() else {
                if state.closed {
                    return;
                }
                state = self.0.wait(state);
                continue;
            };
            drop(state);
            let handed_over = hand_over(item);
            state = self.0.lock();
            state.size -= size;
            state.done += 1;
            state.lost += u64::from(!handed_over);
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
        queue.close();
        let mut got = Vec::new();
        queue.serve(|item| {
            got.push(item);
            item != 3
        });
        assert_eq!((got, queue.lost()), (vec![1, 3], 3), "the last was not handed over");
    }

    #[test]
    fn an_item_takes_room_until_it_has_been_handed_over() {
        let queue = SinkQueue::new(10);
        assert_eq!(queue.push(1, 6), 0);
        queue.serve(|item| {
            if item == 1 {
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
