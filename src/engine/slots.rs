//! The slots of module requests (REQ-3 to REQ-5, REQ-9): adds waiting to `policy::limit`.

use std::sync::Arc;

use crate::policy::limit::{Admission, Limit, MAX_KMOD_ALL_BUSY_TIMEOUT, Throttle};
use crate::sys::host::Clock;

use super::cancel::Cancel;
use super::sync::{Monitor, MutexGuard};
use super::sysctl::Sysctl;

/// The slots, and the requests that wait for one.
pub(super) struct Slots(Arc<Monitor<Limit>>);

/// How a wait for a slot ended.
pub(super) enum Waited {
    /// The request holds a slot, which must be released.
    Granted,
    /// The wait was cancelled; the request holds no slot.
    Cancelled,
    /// The wait timed out; the request holds no slot.
    TimedOut(Throttle),
}

impl Slots {
    pub(super) fn new() -> Self {
        Self(Monitor::new(Limit::default()))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Limit> {
        self.0.lock()
    }

    /// Era 3.4: grants a slot or refuses, without waiting (REQ-4).
    pub(super) fn admit(&self, id: u64, max: u32) -> Admission {
        self.0.lock().admit(id, max)
    }

    /// Era current: waits up to 5 s for a slot, in order of arrival (REQ-5). The limit is read under the lock of the
    /// slots, so that a concurrent raise of the limit is either seen here or grants the slot itself. `waits` is called
    /// if the request has to wait; the lock is released for it, because `waits` may take the registry's lock, which
    /// comes first in the lock order.
    pub(super) fn wait(
        &self,
        id: u64,
        clock: &dyn Clock,
        sysctl: &Sysctl,
        cancels: [&Cancel; 2],
        waits: impl FnOnce(),
    ) -> Waited {
        let deadline = clock.now() + MAX_KMOD_ALL_BUSY_TIMEOUT;
        let _registered = cancels.map(|c| c.register(self.0.clone()));
        let mut limit = self.0.lock();
        limit.arrive(id, sysctl.slots());
        if !limit.holds(id) {
            drop(limit);
            waits();
            limit = self.0.lock();
        }
        loop {
            if limit.holds(id) {
                return Waited::Granted;
            }
            if cancels.iter().any(|c| c.is_cancelled()) {
                #[cfg(all(test, khelper_models))]
                if super::faults::planted(super::faults::Fault::SlotKeptOnCancel) {
                    return Waited::Cancelled;
                }
                limit.give_up(id);
                return Waited::Cancelled;
            }
            let now = clock.now();
            if now >= deadline {
                limit.give_up(id);
                return Waited::TimedOut(limit.throttled(now));
            }
            limit = self.0.wait_until(limit, clock, deadline);
        }
    }

    /// Releases a slot, which goes to the next waiter if there is one (REQ-9).
    pub(super) fn release(&self, id: u64, sysctl: &Sysctl) {
        let passed_on = {
            let mut limit = self.0.lock();
            limit.release(id, sysctl.slots())
        };
        if passed_on {
            self.0.notify();
        }
    }

    /// Grants slots to waiters after the limit was raised (REQ-3).
    pub(super) fn limit_changed(&self, sysctl: &Sysctl) {
        let granted = {
            let mut limit = self.0.lock();
            limit.grant(sysctl.slots())
        };
        if granted {
            self.0.notify();
        }
    }
}
