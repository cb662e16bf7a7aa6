//! Delivers numbered events to any number of subscribers, through bounded queues. A slow subscriber loses events and
//! gets their count; it never slows the engine.

use std::collections::VecDeque;
use std::sync::{Arc, Weak};

use crate::abi::time::Micros;
use crate::sys::fork::ProcessMark;

use super::sync::Monitor;
use crate::abi::event::{Event, EventKind, EventKinds};

/// What a subscriber receives.
#[derive(Clone, Debug)]
pub enum Received {
    /// The next event.
    Event(Arc<Event>),
    /// This many events were missed: take a new snapshot.
    Missed(u64),
    /// The engine has ended or the subscription was closed: no more events will come.
    Closed,
}

struct Queue {
    events: VecDeque<Arc<Event>>,
    kinds: EventKinds,
    capacity: usize,
    missed: u64,
    closed: bool,
    /// [`Subscription::next`] found the queue empty, or was never called: the next event must wake the subscriber.
    drained: bool,
    /// How many events were queued or missed: each of them wakes the subscriber.
    #[cfg(test)]
    wakes: u64,
}

impl Queue {
    fn take(&mut self) -> Option<Received> {
        if self.missed > 0 {
            return Some(Received::Missed(std::mem::take(&mut self.missed)));
        }
        match self.events.pop_front() {
            Some(event) => Some(Received::Event(event)),
            None if self.closed => Some(Received::Closed),
            None => None,
        }
    }

    fn has_something(&self) -> bool {
        self.missed > 0 || self.closed || !self.events.is_empty()
    }
}

/// A bounded queue of events. Cloning it makes another handle to the same queue, so that another thread can close it.
#[derive(Clone)]
pub struct Subscription {
    queue: Arc<Monitor<Queue>>,
    mark: ProcessMark,
}

impl Subscription {
    /// A subscription that returns [`Received::Closed`] at once.
    pub(super) fn closed() -> Self {
        let mut bus = Bus::default();
        bus.close();
        bus.subscribe(1, EventKinds::NONE)
    }

    /// Waits for the next event. The count of missed events comes before the events that follow them. In a forked child
    /// of the engine's process, returns [`Received::Closed`] at once.
    pub fn recv(&self) -> Received {
        if !self.mark.is_current() {
            return Received::Closed;
        }
        let mut queue = self.queue.lock();
        loop {
            if let Some(received) = queue.take() {
                return received;
            }
            queue = self.queue.wait(queue);
        }
    }

    /// Like [`Self::recv`], without waiting: returns `None` if the queue is empty.
    pub fn next(&self) -> Option<Received> {
        if !self.mark.is_current() {
            return Some(Received::Closed);
        }
        let mut queue = self.queue.lock();
        let received = queue.take();
        queue.drained = received.is_none();
        received
    }

    /// Waits until [`Self::next`] has returned `None` and something has come since. Returns `false` once the
    /// subscription is closed.
    pub fn wait_for_news(&self) -> bool {
        if !self.mark.is_current() {
            return false;
        }
        let mut queue = self.queue.lock();
        while !(queue.closed || queue.drained && queue.has_something()) {
            queue = self.queue.wait(queue);
        }
        queue.drained = false;
        !queue.closed
    }

    /// How often an event has woken this subscriber, or would have if it had waited.
    #[cfg(test)]
    pub(crate) fn wakes(&self) -> u64 {
        self.queue.lock().wakes
    }

    /// Closes the subscription: `recv` returns [`Received::Closed`] once the queued events have been read.
    pub fn close(&self) {
        if !self.mark.is_current() {
            return;
        }
        self.queue.lock().closed = true;
        self.queue.notify();
    }
}

/// Numbers the events and holds the subscribers. The registry's lock guards it, so that numbers and state agree.
#[derive(Default)]
pub(crate) struct Bus {
    seq: u64,
    subscribers: Vec<Weak<Monitor<Queue>>>,
    /// How many events subscribers lost because their queues were full.
    missed: u64,
    closed: bool,
}

impl Bus {
    pub(crate) fn seq(&self) -> u64 {
        self.seq
    }

    /// The number of subscribers.
    pub(crate) fn watchers(&self) -> u32 {
        let held = self.subscribers.iter().filter(|subscriber| subscriber.strong_count() > 0).count();
        u32::try_from(held).unwrap_or(u32::MAX)
    }

    /// How many events subscribers lost because their queues were full.
    pub(crate) fn missed(&self) -> u64 {
        self.missed
    }

    pub(crate) fn subscribe(&mut self, capacity: usize, kinds: EventKinds) -> Subscription {
        let (events, capacity, closed) = (VecDeque::new(), capacity.max(1), self.closed);
        let queue = Monitor::new(Queue {
            events,
            kinds,
            capacity,
            missed: 0,
            closed,
            drained: true,
            #[cfg(test)]
            wakes: 0,
        });
        self.subscribers.push(Arc::downgrade(&queue));
        Subscription { queue, mark: ProcessMark::current() }
    }

    /// Subscribes from the event `after` on: every event since then counts as missed, whatever its kind.
    pub(crate) fn subscribe_after(&mut self, after: u64, capacity: usize, kinds: EventKinds) -> Subscription {
        let subscription = self.subscribe(capacity, kinds);
        subscription.queue.lock().missed = self.seq.saturating_sub(after);
        subscription
    }

    pub(crate) fn emit(&mut self, at: Micros, kind: EventKind) {
        self.seq += 1;
        if self.subscribers.is_empty() {
            return;
        }
        let event = Arc::new(Event { seq: self.seq, at, kind });
        self.subscribers.retain(|subscriber| {
            let Some(monitor) = subscriber.upgrade() else { return false };
            let mut queue = monitor.lock();
            if queue.closed {
                return false;
            }
            if !queue.kinds.has(&event.kind) {
                return true;
            }
            if queue.events.len() == queue.capacity {
                // Drops the whole queue: after a gap the subscriber needs a new snapshot, which covers these events
                // too.
                let dropped = queue.events.len() as u64 + 1;
                queue.missed += dropped;
                self.missed += dropped;
                queue.events.clear();
            } else if queue.missed > 0 {
                queue.missed += 1;
                self.missed += 1;
            } else {
                queue.events.push_back(event.clone());
            }
            #[cfg(test)]
            {
                queue.wakes += 1;
            }
            drop(queue);
            monitor.notify();
            true
        });
    }

    /// Closes every subscription: the engine has ended.
    pub(crate) fn close(&mut self) {
        self.closed = true;
        for monitor in self.subscribers.drain(..).filter_map(|s| s.upgrade()) {
            monitor.lock().closed = true;
            monitor.notify();
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::log::LogKind;

    fn log(bus: &mut Bus) {
        bus.emit(0, EventKind::Log(LogKind::Suppressed { count: 1 }));
    }

    #[test]
    fn a_slow_subscriber_learns_how_many_it_missed() {
        let mut bus = Bus::default();
        let all = EventKinds::ALL;
        let (slow, quick) = (bus.subscribe(2, all), bus.subscribe(10, all));
        let picky = bus.subscribe(1, EventKinds::FINISHED.or(EventKinds::STARTED));
        (0..5).for_each(|_| log(&mut bus));
        assert_eq!((bus.missed(), bus.watchers()), (5, 3), "the totals of all subscribers");
        assert!(matches!(slow.recv(), Received::Missed(5)));
        log(&mut bus);
        bus.close();
        assert!(matches!(slow.recv(), Received::Event(e) if e.seq == 6));
        assert!(matches!(slow.recv(), Received::Closed));
        for seq in 1..=6 {
            assert!(matches!(quick.recv(), Received::Event(e) if e.seq == seq));
        }
        assert!(matches!(picky.recv(), Received::Closed), "events of other kinds are not missed");
        assert_eq!((quick.wakes(), slow.wakes(), picky.wakes()), (6, 6, 0), "and do not wake the subscriber");
        assert!(matches!(bus.subscribe(1, all).recv(), Received::Closed));
    }

    #[test]
    fn a_subscriber_that_polls_is_woken_once_for_all_queued_events() {
        let mut bus = Bus::default();
        let events = bus.subscribe(10, EventKinds::LOG);
        assert!(events.next().is_none());
        (0..3).for_each(|_| log(&mut bus));
        assert!(events.wait_for_news());
        assert!(!events.queue.lock().drained, "not woken again before it has read all");
        for seq in 1..=3 {
            assert!(matches!(events.next(), Some(Received::Event(e)) if e.seq == seq));
        }
        assert!(events.next().is_none() && events.queue.lock().drained);
        bus.close();
        assert!(!events.wait_for_news());
        assert!(matches!(events.next(), Some(Received::Closed)));
    }

    #[test]
    fn a_subscriber_that_returns_gets_the_count_of_missed_events() {
        let mut bus = Bus::default();
        (0..5).for_each(|_| log(&mut bus));
        let back = bus.subscribe_after(2, 10, EventKinds::ALL);
        log(&mut bus);
        assert!(matches!(back.next(), Some(Received::Missed(4))), "the gap and the event after it");
        assert!(bus.subscribe_after(6, 10, EventKinds::ALL).next().is_none());
    }
}
