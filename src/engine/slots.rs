//! The slots of module requests (REQ-3 to REQ-5, REQ-9): the waiting around `policy::limit`.

use std::sync::Arc;

use crate::policy::limit::{Admission, Limit, MAX_KMOD_ALL_BUSY_TIMEOUT, Throttle};
use crate::sys::host::Clock;

use super::cancel::Cancel;
use super::sync::{Monitor, MutexGuard};
use super::sysctl::Sysctl;

/// The slots, and who waits for one.
pub(super) struct Slots(Arc<Monitor<Limit>>);

/// How a wait for a slot ended.
pub(super) enum Waited {
    /// It holds one, which has to be released.
    Granted,
    /// Its caller has gone; it holds none.
    Cancelled,
    /// Time ran out; it holds none.
    TimedOut(Throttle),
}

impl Slots {
    pub(super) fn new() -> Self {
        Self(Monitor::new(Limit::default()))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Limit> {
        self.0.lock()
    }

    /// 3.4: a slot or a refusal, at once (REQ-4).
    pub(super) fn admit(&self, id: u64, max: u32) -> Admission {
        self.0.lock().admit(id, max)
    }

    /// current: in order of arrival, up to 5 s (REQ-5). The limit is read under the lock of who waits: a limit that
    /// is raised at the same time is either seen here or grants the slot itself. `waits` is told if it has to wait,
    /// without the lock: it may take the registry', which goes before it.
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

    /// Gives a slot back, and on to who waits (REQ-9).
    pub(super) fn release(&self, id: u64, sysctl: &Sysctl) {
        let passed_on = {
            let mut limit = self.0.lock();
            limit.release(id, sysctl.slots())
        };
        if passed_on {
            self.0.notify();
        }
    }

    /// A raised limit wakes who waits for a slot (REQ-3).
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
