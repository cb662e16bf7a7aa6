//! A caller's way to stop waiting (UMH-4, REQ-5).

use std::sync::Arc;

use crate::sys::fork::ProcessMark;
use crate::sys::host::Wake;

use super::sync::{Mutex, lock};

/// Given to a call; fired from any thread, once and for good.
///
/// In a forked child of the process that made it, it counts as fired and does nothing else: its lock may be held there
/// by a thread that the child does not have.
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
    /// One that has not fired.
    pub fn new() -> Self {
        Self::default()
    }

    /// Tells whoever waits with it to stop waiting.
    pub fn cancel(&self) {
        if !self.mark.is_current() {
            return;
        }
        let waiters = {
            let mut inner = lock(&self.inner);
            inner.fired = true;
            std::mem::take(&mut inner.waiters)
        };
        // Woken without our lock: `wake` takes the waiter's own.
        for (_, waiter) in waiters {
            waiter.wake();
        }
    }

    /// Whether it has fired.
    pub fn is_cancelled(&self) -> bool {
        !self.mark.is_current() || lock(&self.inner).fired
    }

    /// Has `waiter` woken when it fires. Register before looking at `is_cancelled`, look under the waiter's lock.
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

/// Takes the waiter off the list when dropped.
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
