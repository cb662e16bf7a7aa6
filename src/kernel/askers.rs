//! Which thread each helper was started for, as soon as the trace tells it: for who must know that while the helper waits.

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::Instant;

/// The most helpers whose requesters are remembered.
const MOST: usize = 1024;

/// The thread that a helper was started for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Asker {
    /// Its id.
    pub tid: i32,
    /// When it asked, in nanoseconds of CLOCK_MONOTONIC.
    pub queued: u64,
    /// When the helper's process was made.
    pub forked: u64,
}

/// The requesters of the newest helpers; a cheap handle.
#[derive(Clone, Debug, Default)]
pub struct Askers(Arc<Shared>);

#[derive(Debug, Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Debug, Default)]
struct State {
    by_pid: HashMap<i32, Asker>,
    /// The pids, the oldest first.
    order: VecDeque<i32>,
    /// Nothing more is told.
    is_over: bool,
}

impl Askers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Requesters of helpers, each with the helper's pid.
    pub(super) fn tell(&self, all: Vec<(i32, Asker)>) {
        if all.is_empty() {
            return;
        }
        let mut state = self.lock();
        for (pid, asker) in all {
            if state.by_pid.insert(pid, asker).is_none() {
                state.order.push_back(pid);
            }
            if state.order.len() > MOST
                && let Some(oldest) = state.order.pop_front()
            {
                state.by_pid.remove(&oldest);
            }
        }
        drop(state);
        self.0.changed.notify_all();
    }

    /// The watch has ended.
    pub(super) fn end(&self) {
        self.lock().is_over = true;
        self.0.changed.notify_all();
    }

    /// The requester of the helper with this pid, if `is_it` by the time of its fork; waits until then for the trace to
    /// tell it.
    pub fn of(&self, pid: i32, is_it: impl Fn(u64) -> bool, until: Instant) -> Option<Asker> {
        let mut state = self.lock();
        loop {
            let found = state.by_pid.get(&pid).copied().filter(|asker| is_it(asker.forked));
            let left = until.saturating_duration_since(Instant::now());
            if found.is_some() || left.is_zero() || state.is_over {
                return found;
            }
            state = self.0.changed.wait_timeout(state, left).unwrap_or_else(PoisonError::into_inner).0;
        }
    }
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    fn asker(tid: i32) -> Asker {
        Asker { tid, queued: 1, forked: 7 }
    }

    #[test]
    fn a_requester_is_waited_for_and_not_longer_than_wanted() {
        let (askers, long) = (Askers::default(), || Instant::now() + Duration::from_secs(600));
        let teller = askers.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || teller.tell(vec![(5, asker(50)), (6, asker(60))]));
            assert_eq!(askers.of(6, |forked| forked == 7, long()), Some(asker(60)));
        });
        // The number was another helper's before.
        assert_eq!(askers.of(5, |forked| forked != 7, Instant::now()), None);
        assert_eq!(askers.of(7, |_| true, Instant::now() + Duration::from_millis(1)), None);
        let teller = askers.clone();
        std::thread::scope(|scope| {
            scope.spawn(move || teller.end());
            assert_eq!(askers.of(7, |_| true, long()), None);
        });
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let askers = Askers::default();
        for pid in 0..3000 {
            askers.tell(vec![(pid, asker(pid)), (pid, asker(pid + 1))]);
        }
        assert_eq!(askers.lock().order.len(), MOST);
        let of = |pid| askers.of(pid, |_| true, Instant::now()).map(|asker| asker.tid);
        assert_eq!((of(1900), of(1976), of(2999)), (None, Some(1977), Some(3000)));
    }
}
