//! Locks, conditions and threads: the standard library's, or the model checker's. Every wait with a time-out uses the
//! host's clock, so that a virtual clock can end it.
//!
//! With `--cfg khelper_models` (docs/testing.md has the command) the tests of this crate run on loom's locks,
//! conditions, atomics and threads. The models in `engine::models` then explore every interleaving of the engine's
//! code, up to the bound given there, and a model must find each fault of `engine::faults`. loom's locks work only
//! inside a model, so only the tests named `model_` can run in such a build.

use std::sync::{Arc, PoisonError};
use std::time::Duration;

use crate::sys::host::{Clock, Micros, Wake};

#[cfg(not(all(test, khelper_models)))]
mod parts {
    pub(crate) use std::sync::atomic::{AtomicU32, Ordering};
    pub(crate) use std::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use std::thread;

    pub(crate) use crate::sys::thread::{spawn, spawn_with};
}
#[cfg(all(test, khelper_models))]
mod parts {
    pub(crate) use loom::sync::atomic::{AtomicU32, Ordering};
    pub(crate) use loom::sync::{Condvar, Mutex, MutexGuard};
    pub(crate) use loom::thread;

    pub(crate) fn spawn(_: &str, work: impl FnOnce() + Send + 'static) -> std::io::Result<thread::JoinHandle<()>> {
        thread::Builder::new().spawn(work)
    }

    pub(crate) fn spawn_with(
        name: &str,
        _: usize,
        work: impl FnOnce() + Send + 'static,
    ) -> std::io::Result<thread::JoinHandle<()>> {
        spawn(name, work)
    }
}
use parts::{AtomicU32, Condvar, Ordering};
pub(crate) use parts::{Mutex, MutexGuard, spawn, spawn_with, thread};

/// Locks `mutex` even if it is poisoned: hooks run outside every lock, so a panic leaves the state consistent.
pub(crate) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}

/// State with a lock and a condition. Call `notify` after every change that a waiter may wait for.
#[derive(Debug)]
pub(crate) struct Monitor<T> {
    state: Mutex<T>,
    changed: Condvar,
    /// Threads that sleep here. A thread increments this under the lock before it sleeps, so a later change sees the
    /// waiter, and an earlier change has no waiter to wake. It saves the system call of a wake-up, because most changes
    /// have no waiter.
    waiters: AtomicU32,
}

impl<T: Send + 'static> Monitor<T> {
    pub(crate) fn new(state: T) -> Arc<Self> {
        Arc::new(Self { state: Mutex::new(state), changed: Condvar::new(), waiters: AtomicU32::new(0) })
    }

    pub(crate) fn lock(&self) -> MutexGuard<'_, T> {
        lock(&self.state)
    }

    /// Wakes every waiter. Make the change under the lock, and release the lock before this call.
    pub(crate) fn notify(&self) {
        if self.waiters.load(Ordering::Acquire) > 0 {
            self.changed.notify_all();
        }
    }

    /// The number of threads that sleep here. Exact while the lock is held: a thread is counted before it releases the
    /// lock to sleep.
    pub(crate) fn waiters(&self) -> u32 {
        self.waiters.load(Ordering::Acquire)
    }

    /// Sleeps until notified. Wake-ups may be spurious: check the state again.
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

    /// Sleeps until notified or until `deadline`; the caller checks the clock.
    pub(crate) fn wait_until<'a>(
        self: &'a Arc<Self>,
        guard: MutexGuard<'a, T>,
        clock: &dyn Clock,
        deadline: Micros,
    ) -> MutexGuard<'a, T> {
        // The timer is armed under the lock, and a virtual clock takes the same lock to wake: no wake-up is lost
        // between the two lines.
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
