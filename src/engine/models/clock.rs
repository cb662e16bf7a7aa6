//! A virtual clock on the model checker's locks.

use std::collections::BTreeMap;
use std::sync::Arc;
use std::time::SystemTime;

use super::super::sync::{Mutex, lock};
use crate::sys::host::{Armed, Clock, Micros, Wake};

#[derive(Default)]
struct State {
    now: Micros,
    timers: BTreeMap<u64, (Micros, Arc<dyn Wake>)>,
    next: u64,
}

/// Starts at 0. Time passes only when a thread of the model calls `advance`.
#[derive(Clone, Default)]
pub(super) struct ModelClock(Arc<Mutex<State>>);

impl ModelClock {
    /// Advances the time, and wakes the threads whose deadline has come.
    pub(super) fn advance(&self, by: Micros) {
        let due: Vec<_> = {
            let mut state = lock(&self.0);
            state.now += by;
            let now = state.now;
            state.timers.values().filter(|(deadline, _)| *deadline <= now).map(|(_, waiter)| waiter.clone()).collect()
        };
        // The clock's lock is released first: `wake` takes the waiter's lock, under which the waiter armed its timer.
        due.iter().for_each(|waiter| waiter.wake());
    }
}

struct Timer(ModelClock, u64);

impl Drop for Timer {
    fn drop(&mut self) {
        lock(&self.0.0).timers.remove(&self.1);
    }
}

impl Clock for ModelClock {
    fn now(&self) -> Micros {
        lock(&self.0).now
    }
    fn wall(&self) -> SystemTime {
        SystemTime::UNIX_EPOCH
    }
    fn arm(&self, deadline: Micros, waiter: Arc<dyn Wake>) -> Option<Armed> {
        let mut state = lock(&self.0);
        let key = state.next;
        state.next += 1;
        state.timers.insert(key, (deadline, waiter));
        drop(state);
        Some(Box::new(Timer(self.clone(), key)))
    }
}
