//! The queue of one watch.

use std::collections::VecDeque;
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};

use crate::abi::event::Event;
use crate::control::watch::{Wake, Watched};

/// A queue of events that one reader takes. A full queue counts what it misses.
pub(super) struct Feed {
    queue: Mutex<Queue>,
    changed: Condvar,
    wake: Option<Box<dyn Fn() + Send + Sync>>,
    capacity: usize,
}

struct Queue {
    events: VecDeque<Watched>,
    /// Set once the watch has ended: the item after the queue.
    end: Option<Option<Arc<str>>>,
    /// The reader found the queue empty, so the next item wakes it.
    drained: bool,
}

impl Feed {
    pub(super) fn new(capacity: usize, wake: Wake) -> Self {
        let queue = Queue { events: VecDeque::new(), end: None, drained: true };
        Self { queue: Mutex::new(queue), changed: Condvar::new(), wake: wake.into_fn(), capacity: capacity.max(1) }
    }

    fn lock(&self) -> MutexGuard<'_, Queue> {
        self.queue.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Queues an event.
    pub(super) fn event(&self, event: Arc<Event>) {
        let mut queue = self.lock();
        let full = queue.events.len() >= self.capacity;
        match queue.events.back_mut() {
            Some(Watched::Missed(count)) if full => *count += 1,
            _ if full => queue.events.push_back(Watched::Missed(1)),
            _ => queue.events.push_back(Watched::Event(event)),
        }
        self.news(queue);
    }

    /// Queues a gap that the daemon reported.
    pub(super) fn missed(&self, missed: u64) {
        let mut queue = self.lock();
        match queue.events.back_mut() {
            Some(Watched::Missed(count)) => *count = count.saturating_add(missed),
            _ => queue.events.push_back(Watched::Missed(missed)),
        }
        self.news(queue);
    }

    /// Ends the watch. An end that came before counts.
    pub(super) fn end(&self, why: Option<Arc<str>>) {
        let mut queue = self.lock();
        queue.end.get_or_insert(why);
        self.news(queue);
    }

    /// Whether the watch has ended.
    pub(super) fn has_ended(&self) -> bool {
        self.lock().end.is_some()
    }

    /// Wakes the reader although nothing is queued: the connection is back.
    pub(super) fn poke(&self) {
        let queue = self.lock();
        self.news(queue);
    }

    fn news(&self, mut queue: MutexGuard<'_, Queue>) {
        let waits = std::mem::take(&mut queue.drained);
        drop(queue);
        self.changed.notify_all();
        if let Some(wake) = self.wake.as_ref().filter(|_| waits) {
            wake();
        }
    }

    /// The next item, without blocking.
    pub(super) fn next(&self) -> Option<Watched> {
        let mut queue = self.lock();
        let item = Self::take(&mut queue);
        queue.drained = item.is_none();
        item
    }

    /// Blocks for the next item.
    pub(super) fn wait(&self) -> Watched {
        let mut queue = self.lock();
        loop {
            if let Some(item) = Self::take(&mut queue) {
                return item;
            }
            queue.drained = true;
            queue = self.changed.wait(queue).unwrap_or_else(PoisonError::into_inner);
        }
    }

    fn take(queue: &mut Queue) -> Option<Watched> {
        let end = || queue.end.clone().map(|why| Watched::Closed { why });
        queue.events.pop_front().or_else(end)
    }
}
