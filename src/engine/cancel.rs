//! A caller's way to stop waiting (UMH-4, REQ-5).

use std::sync::Arc;

use crate::sys::host::Wake;

use super::sync::{Mutex, lock};

/// Given to a call; fired from any thread, once and for good.
#[derive(Clone, Default)]
pub struct Cancel(Arc<Mutex<Inner>>);

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
        let waiters = {
            let mut inner = lock(&self.0);
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
        lock(&self.0).fired
    }

    /// Has `waiter` woken when it fires. Register before looking at `is_cancelled`, look under the waiter's lock.
    pub(crate) fn register(&self, waiter: Arc<dyn Wake>) -> Registered {
        let mut inner = lock(&self.0);
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
        let mut inner = lock(&self.cancel.0);
        inner.waiters.retain(|(key, _)| *key != self.key);
    }
}
