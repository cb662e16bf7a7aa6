//! Which thread each helper was started for, as soon as the trace tells it: for who must know that while the helper waits.

use std::collections::{HashMap, VecDeque};
use std::os::fd::OwnedFd;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

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
pub struct Askers(Arc<Mutex<State>>);

#[derive(Debug, Default)]
struct State {
    by_pid: HashMap<i32, Asker>,
    /// The pids, the oldest first.
    order: VecDeque<i32>,
    /// The eventfd to which 1 is added when there are new ones.
    wake: Option<Arc<OwnedFd>>,
}

impl Askers {
    fn lock(&self) -> MutexGuard<'_, State> {
        self.0.lock().unwrap_or_else(PoisonError::into_inner)
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
        if let Some(wake) = &state.wake {
            // A full counter wakes its reader just as well.
            let _ = rustix::io::write(&**wake, &1u64.to_ne_bytes());
        }
    }

    /// From now on 1 is added to this eventfd whenever requesters are told.
    pub fn wake(&self, by: Arc<OwnedFd>) {
        self.lock().wake = Some(by);
    }

    /// The requester of the helper with this pid, if it has been told and `is_it` by the time of its fork.
    pub fn of(&self, pid: i32, is_it: impl Fn(u64) -> bool) -> Option<Asker> {
        self.lock().by_pid.get(&pid).copied().filter(|asker| is_it(asker.forked))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn asker(tid: i32) -> Asker {
        Asker { tid, queued: 1, forked: 7 }
    }

    #[test]
    fn a_requester_is_known_once_it_is_told_and_who_waits_is_woken() {
        use rustix::event::{EventfdFlags, eventfd};
        let (askers, woken) = (Askers::default(), Arc::new(eventfd(0, EventfdFlags::NONBLOCK).unwrap()));
        let has_woken = || rustix::io::read(&*woken, &mut [0; 8]).is_ok();
        askers.wake(woken.clone());
        assert_eq!((askers.of(6, |_| true), has_woken()), (None, false));
        askers.tell(Vec::new());
        assert!(!has_woken());
        askers.tell(vec![(5, asker(50)), (6, asker(60))]);
        assert_eq!((askers.of(6, |forked| forked == 7), has_woken()), (Some(asker(60)), true));
        // The number was another helper's before.
        assert_eq!(askers.of(5, |forked| forked != 7), None);
    }

    #[test]
    fn only_the_newest_are_remembered() {
        let askers = Askers::default();
        for pid in 0..3000 {
            askers.tell(vec![(pid, asker(pid)), (pid, asker(pid + 1))]);
        }
        assert_eq!(askers.lock().order.len(), MOST);
        let of = |pid| askers.of(pid, |_| true).map(|asker| asker.tid);
        assert_eq!((of(1900), of(1976), of(2999)), (None, Some(1977), Some(3000)));
    }
}
