//! How an operator ends a caller's wait (UMH-4), a helper, or the engine (UMH-14).

use std::time::Duration;

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::{EngineError, Stage};
use crate::abi::event::EventKind;
use crate::policy::completion::End;

use super::handle::Engine;
use super::inner::Inner;
use crate::abi::snapshot::Live;

/// How much longer `shutdown` waits for queued calls: 1 s, in microseconds.
const QUEUE_PATIENCE: u64 = 1_000_000;

impl Engine {
    /// Ends the wait of a request's caller, which gets `EINTR`; the helper keeps running (UMH-4).
    ///
    /// # Errors
    /// `ESRCH` if no caller waits for this request; `EOWNERDEAD` in a forked child.
    pub fn abandon(&self, id: u64) -> Result<(), EngineError> {
        self.abandon_as(id, self.inner.actors.me(Origin::Library))
    }

    /// Like [`Self::abandon`], on behalf of `actor`, which the event
    /// [`EventKind::Abandoned`](crate::abi::event::EventKind::Abandoned) names.
    pub fn abandon_as(&self, id: u64, actor: &Actor) -> Result<(), EngineError> {
        self.check_process()?;
        let not_waiting = || {
            EngineError::new(
                Stage::Cancel,
                Errno::ESRCH,
                format!("no caller waits for request {id}"),
                "it has ended, or was made without a wait",
            )
        };
        let registry = self.inner.registry.lock();
        if !registry.knows(id) {
            return Err(no_request(id));
        }
        let live = registry.live().find(|l| l.id == id).ok_or_else(not_waiting)?;
        if live.abandoned || registry.draft(id).is_some_and(|d| !d.wait.killable()) {
            return Err(not_waiting());
        }
        let cancel = registry.cancel(id).ok_or_else(not_waiting)?;
        let call = registry.call(id);
        drop(registry);
        if call.is_some_and(|c| c.state.lock().end != End::Waited) {
            return Err(not_waiting());
        }
        self.inner.registry.lock().note_abandoned_by(id, self.inner.actors.share(actor));
        cancel.cancel();
        Ok(())
    }

    /// Sends `signal` to a helper and its process group, as long as the helper is not reaped (UMH-14).
    ///
    /// # Errors
    /// `ESRCH` if the request has no running helper; any errno of kill(2); `EOWNERDEAD` in a forked child.
    pub fn kill(&self, id: u64, signal: i32) -> Result<(), EngineError> {
        self.kill_as(id, signal, self.inner.actors.me(Origin::Library))
    }

    /// Like [`Self::kill`], on behalf of `actor`, which the event [`EventKind::Signalled`] names.
    pub fn kill_as(&self, id: u64, signal: i32, actor: &Actor) -> Result<(), EngineError> {
        self.check_process()?;
        self.inner.kill(id, signal, actor)
    }

    /// Disables the gate for good, waits up to `patience` for live requests to end, and returns those that have not,
    /// which keep running (UMH-14). It does not wait for holders of the read side. Queued calls get up to one more
    /// second to be launched, and the record sink gets one second to take its queue.
    pub fn shutdown(&self, patience: Duration) -> Vec<Live> {
        self.shutdown_as(patience, self.inner.actors.me(Origin::Library))
    }

    /// Like [`Self::shutdown`], on behalf of `actor`, which the gate's event names.
    pub fn shutdown_as(&self, patience: Duration, actor: &Actor) -> Vec<Live> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        let inner = &self.inner;
        inner.gate.shut_for_good(&|from, to| inner.gate_changed(from, to, actor));
        let clock = inner.host.clock();
        let deadline = clock.now().saturating_add(u64::try_from(patience.as_micros()).unwrap_or(u64::MAX));
        let mut registry = inner.registry.lock();
        while registry.live().len() > 0 && clock.now() < deadline {
            registry = inner.registry.wait_until(registry, clock, deadline);
        }
        // Queued calls are launched or refused before this returns. That takes microseconds, unless an exec hangs.
        let deadline = clock.now().saturating_add(QUEUE_PATIENCE);
        while registry.queued > 0 && clock.now() < deadline {
            registry = inner.registry.wait_until(registry, clock, deadline);
        }
        let left = registry.live().cloned().collect();
        drop(registry);
        inner.report_suppressed();
        inner.flush_sink();
        left
    }
}

impl Inner {
    /// Sends `signal` to a helper and its process group, as long as the helper is not reaped (UMH-14).
    pub(super) fn kill(&self, id: u64, signal: i32, actor: &Actor) -> Result<(), EngineError> {
        let no_helper = |why: String| {
            EngineError::new(Stage::Lost, Errno::ESRCH, why, "see the request's record for how the helper ended")
        };
        let (call, known) = {
            let registry = self.registry.lock();
            (registry.call(id), registry.knows(id))
        };
        if !known {
            return Err(no_request(id));
        }
        let call = call.ok_or_else(|| no_helper(format!("request {id} has no running helper")))?;
        let sent = call
            .signal(self.now(), signal, |pid| self.host.kill(pid, signal).map(|()| pid).map_err(|errno| (pid, errno)))
            .ok_or_else(|| no_helper(format!("request {id} has no running helper")))?;
        let pid = sent.map_err(|(pid, errno)| {
            EngineError::new(
                Stage::Lost,
                errno,
                format!("signal {signal} could not be sent to pid {pid}"),
                "the helper may have ended, or may now run as another user",
            )
        })?;
        self.emit(EventKind::Signalled { id, pid, signal, actor: self.actors.share(actor) });
        Ok(())
    }
}

/// `ESRCH`: no request has had this id.
pub(super) fn no_request(id: u64) -> EngineError {
    let advice = "give the id of a request that has not ended";
    EngineError::new(Stage::Lost, Errno::ESRCH, format!("there is no request {id}"), advice)
}
