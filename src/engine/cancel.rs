//! Cancellation of a caller's wait (UMH-4, REQ-5).

use std::sync::Arc;

use crate::sys::fork::ProcessMark;
use crate::sys::host::Wake;

use super::sync::{Mutex, lock};

/// Cancels the waits of the calls that it is given to. Any thread may cancel it; it stays cancelled.
///
/// In a forked child of the process that made it, it counts as cancelled and does nothing else, because its lock may be
/// held by a thread that the child does not have.
#[derive(Clone, Default)]
pub struct Cancel {
    inner: Arc<Mutex<Inner>>,
    mark: ProcessMark,
}

#[derive(Default)]
struct Inner {
    fired: bool,
    waiters: Vec<(u64, Arc<dyn Wake>)>,
    next: u64,
}

impl Cancel {
    /// Returns a `Cancel` that is not cancelled.
    pub fn new() -> Self {
        Self::default()
    }

    /// Cancels every wait that uses it.
    pub fn cancel(&self) {
        if !self.mark.is_current() {
            return;
        }
        let waiters = {
            let mut inner = lock(&self.inner);
            inner.fired = true;
            std::mem::take(&mut inner.waiters)
        };
        // The lock is released first, because `wake` takes the waiter's lock.
        for (_, waiter) in waiters {
            waiter.wake();
        }
    }

    /// Whether it was cancelled.
    pub fn is_cancelled(&self) -> bool {
        !self.mark.is_current() || lock(&self.inner).fired
    }

    /// Registers `waiter`, which is woken on cancellation. Register before checking `is_cancelled`, and check it under
    /// the waiter's lock.
    pub(crate) fn register(&self, waiter: Arc<dyn Wake>) -> Registered {
        if !self.mark.is_current() {
            return Registered { cancel: self.clone(), key: 0 };
        }
        let mut inner = lock(&self.inner);
        let key = inner.next;
        inner.next += 1;
        if !inner.fired {
            inner.waiters.push((key, waiter));
        }
        Registered { cancel: self.clone(), key }
    }
}

/// Removes the waiter from the list when dropped.
pub(crate) struct Registered {
    cancel: Cancel,
    key: u64,
}

impl Drop for Registered {
    fn drop(&mut self) {
        if !self.cancel.mark.is_current() {
            return;
        }
        let mut inner = lock(&self.cancel.inner);
        inner.waiters.retain(|(key, _)| *key != self.key);
    }
}
