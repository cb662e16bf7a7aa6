//! Disable and drain (GATE-2), the read side (GATE-4), the depth (GATE-5): the waiting around `policy::gate`.

use std::sync::Arc;
use std::thread;
use std::time::Duration;

use nix::errno::Errno;

use crate::abi::error::{EngineError, Stage};
use crate::policy::gate::{Depth, Gate, Read};

use super::Engine;
use super::event::{EventKind, Level};
use super::inner::Inner;
use super::sync::Monitor;

/// How long a drain waits: 5 s, in microseconds.
const RUNNING_HELPERS_TIMEOUT: u64 = 5_000_000;

/// The read side of the gate, held: it cannot change until this is dropped, on the thread that took it.
pub struct ReadGuard {
    gate: Arc<Monitor<Gate>>,
    thread: thread::ThreadId,
    // Not Send: the gate knows its holders by thread (EDEADLK).
    _not_send: std::marker::PhantomData<*const ()>,
}

impl ReadGuard {
    fn new(gate: &Arc<Monitor<Gate>>) -> Self {
        Self { gate: gate.clone(), thread: thread::current().id(), _not_send: std::marker::PhantomData }
    }
}

impl Drop for ReadGuard {
    fn drop(&mut self) {
        self.gate.lock().read_unlock(self.thread);
        self.gate.notify();
    }
}

impl Engine {
    /// `usermodehelper_disable`: shuts the gate, then waits up to 5 s for the calls in flight to be 0 at one moment.
    ///
    /// `EINVAL` for [`Depth::Enabled`]; `EDEADLK` on a thread that holds the read side; `EAGAIN` if calls held out:
    /// the gate is enabled again then, whatever it was, and the error names them (GATE-2).
    pub fn disable(&self, depth: Depth) -> Result<(), EngineError> {
        let inner = &self.inner;
        let me = thread::current().id();
        let mut gate = inner.gate.lock();
        gate.may_disable(depth, me).map_err(|errno| why_not(depth, errno))?;
        while !gate.try_turn() {
            gate = inner.gate.wait(gate);
        }
        drop(gate);
        inner.write_depth(depth, true);
        let held_out = inner.drain();
        if held_out.is_empty() {
            inner.end_turn();
            return Ok(());
        }
        inner.write_depth(Depth::Enabled, false);
        inner.end_turn();
        inner.emit(EventKind::DrainFailed { holdouts: held_out.clone() });
        let names = inner.name_calls(&held_out);
        inner.log(
            Level::Warning,
            format!("the drain gave up after 5 s and the gate is enabled again; held out: {names}"),
        );
        Err(EngineError::new(
            Stage::Gate,
            Errno::EAGAIN,
            format!("the drain gave up after 5 s and the gate is enabled again; held out: {names}"),
            "wait for these calls, abandon or kill them, and drain again",
        ))
    }

    /// Changes the depth without draining (GATE-5). `EDEADLK` on a thread that holds the read side; `ESHUTDOWN` once
    /// the engine was shut down.
    pub fn set_depth(&self, depth: Depth) -> Result<(), EngineError> {
        self.inner.gate.lock().may_write(thread::current().id()).map_err(|errno| why_not(depth, errno))?;
        self.inner.write_depth(depth, false);
        Ok(())
    }

    /// `usermodehelper_enable`: `set_depth(Enabled)`.
    pub fn enable(&self) -> Result<(), EngineError> {
        self.set_depth(Depth::Enabled)
    }

    /// `usermodehelper_read_trylock`: waits while the gate is freezing; `EAGAIN` when it is disabled (GATE-4).
    pub fn read_trylock(&self) -> Result<ReadGuard, Errno> {
        let me = thread::current().id();
        let mut gate = self.inner.gate.lock();
        loop {
            match gate.read_trylock(me) {
                Read::Taken => return Ok(ReadGuard::new(&self.inner.gate)),
                Read::Refused => return Err(Errno::EAGAIN),
                Read::Wait => gate = self.inner.gate.wait(gate),
            }
        }
    }

    /// `usermodehelper_read_lock_wait`: waits up to `timeout` (microseconds) for the gate to open. The guard comes
    /// with the time that was left; `None` when it ran out. `EINVAL` for a negative time (GATE-4).
    pub fn read_lock_wait(&self, timeout: i64) -> Result<Option<(ReadGuard, Duration)>, Errno> {
        let Ok(timeout) = u64::try_from(timeout) else { return Err(Errno::EINVAL) };
        let me = thread::current().id();
        let clock = self.inner.host.clock();
        let deadline = clock.now().saturating_add(timeout);
        let mut gate = self.inner.gate.lock();
        loop {
            if gate.read_lock(me) == Read::Taken {
                let left = Duration::from_micros(deadline.saturating_sub(clock.now()));
                return Ok(Some((ReadGuard::new(&self.inner.gate), left)));
            }
            if clock.now() >= deadline {
                return Ok(None);
            }
            gate = self.inner.gate.wait_until(gate, clock, deadline);
        }
    }
}

fn why_not(depth: Depth, errno: Errno) -> EngineError {
    match errno {
        Errno::EINVAL => EngineError::new(
            Stage::Gate,
            errno,
            "disabling to `enabled` means nothing",
            "give `freezing` or `disabled`, or enable the gate",
        ),
        Errno::ESHUTDOWN => EngineError::new(
            Stage::Gate,
            errno,
            "the engine has been shut down: its gate stays shut",
            "start another engine",
        ),
        _ => EngineError::new(
            Stage::Gate,
            errno,
            format!(
                "this thread holds the read side of the gate and would wait for itself to set it to {}",
                depth.name()
            ),
            "drop the read guard first",
        ),
    }
}

impl Inner {
    /// The write side: waits for the readers to let go, goes before new ones, wakes every waiter. `drain`: from this
    /// hold on the calls in flight are watched for the moment when there are none.
    fn write_depth(&self, depth: Depth, drain: bool) {
        let mut gate = self.gate.lock();
        gate.writer_arrives();
        let from = loop {
            match gate.try_write(depth) {
                Some(from) => break from,
                None => gate = self.gate.wait(gate),
            }
        };
        if drain {
            gate.start_drain();
        }
        let to = gate.depth();
        drop(gate);
        self.gate.notify();
        if from != to {
            self.emit(EventKind::GateChanged { from, to });
        }
    }

    /// The engine's end (UMH-14): the gate is shut at once and nothing opens it again.
    pub(super) fn shut_for_good(&self) {
        let from = self.gate.lock().shut_for_good();
        self.gate.notify();
        if from != Depth::Disabled {
            self.emit(EventKind::GateChanged { from, to: Depth::Disabled });
        }
    }

    /// Waits up to 5 s for the calls in flight to be 0 at one moment; who held out otherwise.
    fn drain(&self) -> Vec<u64> {
        let clock = self.host.clock();
        let deadline = clock.now() + RUNNING_HELPERS_TIMEOUT;
        let mut gate = self.gate.lock();
        loop {
            if gate.drained() {
                return Vec::new();
            }
            if clock.now() >= deadline {
                return gate.running().collect();
            }
            gate = self.gate.wait_until(gate, clock, deadline);
        }
    }

    fn end_turn(&self) {
        self.gate.lock().end_turn();
        self.gate.notify();
    }

    /// Counts a call, then looks at the gate, in one hold (GATE-3).
    pub(super) fn enter(&self, id: u64) -> Result<(), Errno> {
        let mut gate = self.gate.lock();
        gate.enter(id);
        gate.admits()
    }

    /// Uncounts a call; `cleanup` has run by now where this side owned it (UMH-5).
    pub(super) fn leave(&self, id: u64) {
        if self.gate.lock().leave(id) {
            self.gate.notify();
        }
    }
}
