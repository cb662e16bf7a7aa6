//! What rules have to do with the kernel's helpers: who asked for one, and what was decided about it.

use std::os::fd::OwnedFd;
use std::sync::Arc;

use crate::sys::linux::waiting::Waiter;

use super::store::Ruling;
use super::{HostKernel, birth};

impl HostKernel {
    /// Who waits for the helper with this pid and start time, by the kernel's trace, which tells it some milliseconds after
    /// the start. `None` if it has not told it; of one that was killed nothing is known.
    pub fn waiter(&self, pid: i32, start_time: u64) -> Option<Waiter> {
        let asker = self.askers.of(pid, |forked| birth::is_made_at(start_time, forked))?;
        Some(Waiter::traced(asker.tid, |started| birth::made_at(started) <= asker.queued))
    }

    /// From now on 1 is added to this eventfd whenever [`Self::waiter`] knows more.
    pub fn wake(&self, by: Arc<OwnedFd>) {
        self.askers.wake(by);
    }

    /// Rules have decided about the helper with this pid and start time. This is told before the helper is, so that its
    /// record has the rule.
    pub fn ruled(&self, pid: i32, start_time: u64, ruling: Ruling) {
        self.store.ruled(pid, start_time, ruling);
    }

    /// The helper with this pid has not taken what was decided about it.
    pub fn unruled(&self, pid: i32) {
        self.store.unruled(pid);
    }
}
