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

/// How much longer `shutdown` waits for what is queued: 1 s, in microseconds.
const QUEUE_PATIENCE: u64 = 1_000_000;

impl Engine {
    /// Stops the wait of a request's caller: `EINTR` for it, its helper lives on (UMH-4). `ESRCH` if nobody waits.
    pub fn abandon(&self, id: u64) -> Result<(), EngineError> {
        self.abandon_as(id, self.inner.actors.me(Origin::Library))
    }

    /// The same on another's command: the event [`EventKind::Abandoned`](crate::abi::event::EventKind::Abandoned) names
    /// `actor`.
    pub fn abandon_as(&self, id: u64, actor: &Actor) -> Result<(), EngineError> {
        self.check_process()?;
        let nobody = || {
            EngineError::new(
                Stage::Cancel,
                Errno::ESRCH,
                format!("nobody waits for request {id}"),
                "it is over, or was never waited for",
            )
        };
        let registry = self.inner.registry.lock();
        if !registry.knows(id) {
            return Err(no_request(id));
        }
        let live = registry.live().find(|l| l.id == id).ok_or_else(nobody)?;
        if live.abandoned || registry.draft(id).is_some_and(|d| !d.wait.killable()) {
            return Err(nobody());
        }
        let cancel = registry.cancel(id).ok_or_else(nobody)?;
        let call = registry.call(id);
        drop(registry);
        if call.is_some_and(|c| c.state.lock().end != End::Waited) {
            return Err(nobody());
        }
        self.inner.registry.lock().abandons(id, self.inner.actors.share(actor));
        cancel.cancel();
        Ok(())
    }

    /// Signals a helper and its group, only while it is not reaped (UMH-14). `ESRCH` if there is none.
    pub fn kill(&self, id: u64, signal: i32) -> Result<(), EngineError> {
        self.kill_as(id, signal, self.inner.actors.me(Origin::Library))
    }

    /// The same on another's command: the event [`EventKind::Signalled`] names
    /// `actor`.
    pub fn kill_as(&self, id: u64, signal: i32, actor: &Actor) -> Result<(), EngineError> {
        self.check_process()?;
        self.inner.kill(id, signal, actor)
    }

    /// Shuts the gate for good, waits up to `patience` for what runs, and names what is left, which runs on (UMH-14).
    /// It asks no holder of the read side: the engine's end is not put off by one. What is queued still gets up to
    /// a second more to be launched, and the record sink a second to take what is queued for it.
    pub fn shutdown(&self, patience: Duration) -> Vec<Live> {
        self.shutdown_as(patience, self.inner.actors.me(Origin::Library))
    }

    /// The same on another's command: the event of the gate names `actor`.
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
        // What is queued is launched or decided before this returns: a matter of microseconds, unless an exec hangs.
        let deadline = clock.now().saturating_add(QUEUE_PATIENCE);
        while registry.queued > 0 && clock.now() < deadline {
            registry = inner.registry.wait_until(registry, clock, deadline);
        }
        let left = registry.live().cloned().collect();
        drop(registry);
        inner.tell_suppressed();
        inner.flush_sink();
        left
    }
}

impl Inner {
    /// Signals a helper and its group, only while it is not reaped (UMH-14).
    fn kill(&self, id: u64, signal: i32, actor: &Actor) -> Result<(), EngineError> {
        let gone = |why: String| {
            EngineError::new(Stage::Lost, Errno::ESRCH, why, "look at the record: it says how the helper ended")
        };
        let (call, known) = {
            let registry = self.registry.lock();
            (registry.call(id), registry.knows(id))
        };
        if !known {
            return Err(no_request(id));
        }
        let call = call.ok_or_else(|| gone(format!("request {id} has no helper that lives")))?;
        let sent = call
            .signal(self.now(), signal, |pid| self.host.kill(pid, signal).map(|()| pid).map_err(|errno| (pid, errno)))
            .ok_or_else(|| gone(format!("request {id} has no helper that lives")))?;
        let pid = sent.map_err(|(pid, errno)| {
            EngineError::new(
                Stage::Lost,
                errno,
                format!("signal {signal} could not be sent to pid {pid}"),
                "the helper may be gone, or be another user's by now",
            )
        })?;
        self.emit(EventKind::Signalled { id, pid, signal, actor: self.actors.share(actor) });
        Ok(())
    }
}

/// `ESRCH`: no request has had this number.
fn no_request(id: u64) -> EngineError {
    let advice = "give the number of a request that is not over";
    EngineError::new(Stage::Lost, Errno::ESRCH, format!("there is no request {id}"), advice)
}
