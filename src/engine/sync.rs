//! Locks and waits behind one name: the standard library's, or the model checker's. Every wait with a time-out goes
//! through the host's clock, so that a virtual clock can fire it.
//!
//! With `--cfg khelper_models` (docs/testing.md has the command) the tests of this crate run on loom's locks, conditions,
//! atomics and threads. The models in `engine::models` then explore every interleaving of the engine's own code, up to the
//! bound given there, and each fault of `engine::faults` has to be found by a model. loom's locks work only inside a
//! model, so only the tests named `model_` can run in such a build.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::sys::host::{Clock, Micros, Wake};

#[cfg(not(all(test, khelper_models)))]
mod parts {
    pub(crate) use std::sync::atomic::{AtomicU32, Ordering};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread;
}
#[cfg(all(test, khelper_models))]
mod parts {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread;
}
use parts::{AtomicU32, Condvar, Ordering};
pub(crate) use parts::{Mutex, MutexGuard, thread};

/// A lock that a panic elsewhere cannot take away: hooks run outside of every lock, so the state is whole.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// State with a lock and a condition: every change that a waiter may look for is followed by `notify`.
#[derive(Debug)]
pub(crate) struct Monitor<T> {
    state: Mutex<T>,
    changed: Condvar,
    /// Raised under the lock before the sleep: who changes the state after that sees it, and who changed it before has
    /// nobody to wake. A wake-up costs a system call, and most changes are awaited by nobody.
    waiters: AtomicU32,
}

impl<T: Send + 'static> Monitor<T> {
    pub(crate) fn new(state: T) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), waiters: AtomicU32::new(0) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.state)
    }

    /// Wakes every waiter. The change was made under the lock, which is better let go before.
    pub(crate) fn notify(&self) {
        if self.waiters.load(Ordering::Acquire) > 0 {
            self.changed.notify_all();
        }
    }

    /// Threads that sleep here. Exact while the lock is held: a thread is counted before it lets go of the lock to sleep.
    pub(crate) fn waiters(&self) -> u32 {
        self.waiters.load(Ordering::Acquire)
    }

    /// Sleeps until notified (or for no reason: look again).
    pub(crate) fn wait<'a>(&'a self, guard: MutexGuard<'a, T>) -> MutexGuard<'a, T> {
        #[cfg(all(test, khelper_models))]
        let guard = if super::faults::planted(super::faults::Fault::LostWakeUp) {
            drop(guard);
            self.lock()
        } else {
            guard
        };
        self.waiters.fetch_add(1, Ordering::AcqRel);
        let guard = self.changed.wait(guard).unwrap_or_else(PoisonError::into_inner);
        self.waiters.fetch_sub(1, Ordering::AcqRel);
        guard
    }

    /// Sleeps until notified or `deadline` has come; the caller looks at the clock itself.
    pub(crate) fn wait_until<'a>(
        self: &'a Arc<Self>,
        guard: MutexGuard<'a, T>,
        clock: &dyn Clock,
        deadline: Micros,
    ) -> MutexGuard<'a, T> {
        // Armed under our lock, and a virtual clock wakes under it too: no wake-up falls between the two lines.
        if let Some(_armed) = clock.arm(deadline, self.clone()) {
            if clock.now() >= deadline {
                return guard;
            }
            return self.wait(guard);
        }
        let left = Duration::from_micros(deadline.saturating_sub(clock.now()));
        self.waiters.fetch_add(1, Ordering::AcqRel);
        let guard = self.changed.wait_timeout(guard, left).unwrap_or_else(PoisonError::into_inner).0;
        self.waiters.fetch_sub(1, Ordering::AcqRel);
        guard
    }
}

impl<T: Send + 'static> Wake for Monitor<T> {
    fn wake(&self) {
        drop(self.lock());
        self.notify();
    }
}
