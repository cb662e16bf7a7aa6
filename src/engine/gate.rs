//! Disable and drain (GATE-2), the read side (GATE-4), the depth (GATE-5): the waiting around `policy::gate`, and the
//! doors to it.

use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;

use crate::abi::depth::Depth;
use crate::abi::error::{EngineError, Stage};
use crate::policy::gate::{Gate, Read};
use crate::sys::fork::ProcessMark;
use crate::sys::host::{Clock, Micros};

use super::Engine;
use super::inner::Inner;
use super::sync::thread::{self, ThreadId};
use super::sync::{Monitor, MutexGuard};
use crate::abi::event::{EventKind, Level};
use crate::abi::snapshot::DRAIN_FAILED;

/// How long a drain waits: 5 s, in microseconds.
const RUNNING_HELPERS_TIMEOUT: u64 = 5_000_000;

type State = Monitor<Gate<ThreadId>>;

/// The gate and who waits at it.
pub(super) struct Gatekeeper(Arc<State>);

/// Told of every change of depth, from and to, once the gate is let go.
type Changed<'a> = &'a dyn Fn(Depth, Depth);

/// The read side of the gate, held: it cannot change until this is dropped, on the thread that took it.
pub struct ReadGuard {
    gate: Arc<State>,
    thread: ThreadId,
    mark: ProcessMark,
    // Not Send: the gate knows its holders by thread (EDEADLK).
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for ReadGuard {
    fn drop(&mut self) {
        // In a forked child the lock may be held by a thread that it does not have.
        if !self.mark.is_current() {
            return;
        }
        self.gate.lock().read_unlock(self.thread);
        self.gate.notify();
    }
}

impl Gatekeeper {
    pub(super) fn new() -> Self {
        Self(Monitor::new(Gate::default()))
    }

    pub(super) fn lock(&self) -> MutexGuard<'_, Gate<ThreadId>> {
        self.0.lock()
    }

    fn waiters(&self) -> u32 {
        let _exact = self.0.lock();
        self.0.waiters()
    }

    /// Shuts the gate and waits up to 5 s for the calls in flight to be 0 at one moment. Who held out, if anybody
    /// did: the gate is enabled again then (GATE-2).
    pub(super) fn disable(&self, clock: &dyn Clock, depth: Depth, changed: Changed) -> Result<Vec<u64>, Errno> {
        let mut gate = self.0.lock();
        gate.may_disable(depth, thread::current().id())?;
        while !gate.try_turn() {
            gate = self.0.wait(gate);
        }
        drop(gate);
        self.write(depth, true, changed);
        let held_out = self.drain(clock);
        if !held_out.is_empty() {
            self.write(Depth::Enabled, false, changed);
        }
        self.0.lock().end_turn();
        self.0.notify();
        Ok(held_out)
    }

    /// Changes the depth without draining (GATE-5).
    pub(super) fn set_depth(&self, depth: Depth, changed: Changed) -> Result<(), Errno> {
        self.0.lock().may_write(thread::current().id())?;
        self.write(depth, false, changed);
        Ok(())
    }

    /// The write side: waits for the readers to let go, goes before new ones, wakes every waiter. `drain`: from this
    /// hold on the calls in flight are watched for the moment when there are none.
    fn write(&self, depth: Depth, drain: bool, changed: Changed) {
        let mut gate = self.0.lock();
        gate.writer_arrives();
        let from = loop {
            match gate.try_write(depth) {
                Some(from) => break from,
                None => gate = self.0.wait(gate),
            }
        };
        if drain {
            gate.start_drain();
        }
        let to = gate.depth();
        drop(gate);
        self.0.notify();
        if from != to {
            changed(from, to);
        }
    }

    /// The engine's end (UMH-14): the gate is shut at once and nothing opens it again.
    pub(super) fn shut_for_good(&self, changed: Changed) {
        let from = self.0.lock().shut_for_good();
        self.0.notify();
        if from != Depth::Disabled {
            changed(from, Depth::Disabled);
        }
    }

    /// Waits up to 5 s for the calls in flight to be 0 at one moment; who held out otherwise.
    fn drain(&self, clock: &dyn Clock) -> Vec<u64> {
        let deadline = clock.now() + RUNNING_HELPERS_TIMEOUT;
        let mut gate = self.0.lock();
        loop {
            if gate.drained() {
                return Vec::new();
            }
            if clock.now() >= deadline {
                return gate.running().collect();
            }
            gate = self.0.wait_until(gate, clock, deadline);
        }
    }

    /// Counts a call, then looks at the gate, in one hold (GATE-3).
    pub(super) fn enter(&self, id: u64) -> Result<(), Errno> {
        #[cfg(all(test, khelper_models))]
        if super::faults::planted(super::faults::Fault::CountAfterGate) {
            let admitted = self.0.lock().admits();
            self.0.lock().enter(id);
            return admitted;
        }
        let mut gate = self.0.lock();
        gate.enter(id);
        gate.admits()
    }

    /// Uncounts a call; `cleanup` has run by now where this side owned it (UMH-5).
    pub(super) fn leave(&self, id: u64) {
        if self.0.lock().leave(id) {
            self.0.notify();
        }
    }

    fn guard(&self) -> ReadGuard {
        ReadGuard {
            gate: self.0.clone(),
            thread: thread::current().id(),
            mark: ProcessMark::current(),
            _not_send: std::marker::PhantomData,
        }
    }

    pub(super) fn read_trylock(&self) -> Result<ReadGuard, Errno> {
        let me = thread::current().id();
        let mut gate = self.0.lock();
        loop {
            match gate.read_trylock(me) {
                Read::Taken => return Ok(self.guard()),
                Read::Refused => return Err(Errno::EAGAIN),
                Read::Wait => gate = self.0.wait(gate),
            }
        }
    }

    /// The guard and the time that was left, or `None` when there is none left.
    pub(super) fn read_lock_wait(&self, clock: &dyn Clock, timeout: Micros) -> Option<(ReadGuard, Duration)> {
        let me = thread::current().id();
        let deadline = clock.now().saturating_add(timeout);
        let mut gate = self.0.lock();
        loop {
            if gate.read_lock(me) == Read::Taken {
                let left = Duration::from_micros(deadline.saturating_sub(clock.now()));
                return Some((self.guard(), left));
            }
            if clock.now() >= deadline {
                return None;
            }
            gate = self.0.wait_until(gate, clock, deadline);
        }
    }
}

impl Engine {
    /// `usermodehelper_disable`: shuts the gate, then waits up to 5 s for the calls in flight to be 0 at one moment.
    ///
    /// `EINVAL` for [`Depth::Enabled`]; `EDEADLK` on a thread that holds the read side; `EAGAIN` if calls held out:
    /// the gate is enabled again then, whatever it was, and the error names them (GATE-2).
    pub fn disable(&self, depth: Depth) -> Result<(), EngineError> {
        self.check_process()?;
        let inner = &self.inner;
        let held_out = inner
            .gate
            .disable(inner.host.clock(), depth, &|from, to| inner.gate_changed(from, to))
            .map_err(|errno| why_not(depth, errno))?;
        if held_out.is_empty() {
            return Ok(());
        }
        inner.emit(EventKind::DrainFailed { holdouts: held_out.clone() });
        let names = inner.name_calls(&held_out);
        let text = format!("{DRAIN_FAILED}after 5 s and the gate is enabled again; held out: {names}");
        inner.log(Level::Warning, text.clone());
        Err(EngineError::new(
            Stage::Gate,
            Errno::EAGAIN,
            text,
            "wait for these calls, abandon or kill them, and drain again",
        ))
    }

    /// Changes the depth without draining (GATE-5). `EDEADLK` on a thread that holds the read side; `ESHUTDOWN` once
    /// the engine was shut down.
    pub fn set_depth(&self, depth: Depth) -> Result<(), EngineError> {
        self.check_process()?;
        let inner = &self.inner;
        inner.gate.set_depth(depth, &|from, to| inner.gate_changed(from, to)).map_err(|errno| why_not(depth, errno))
    }

    /// `usermodehelper_enable`: `set_depth(Enabled)`.
    pub fn enable(&self) -> Result<(), EngineError> {
        self.set_depth(Depth::Enabled)
    }

    /// Threads that sleep at the gate at this moment: readers until it opens, writers until the readers are gone, a drain
    /// until the calls in flight have ended. Each of them has looked at the gate as it is.
    pub fn gate_waiters(&self) -> u32 {
        self.inner.gate.waiters()
    }

    /// `usermodehelper_read_trylock`: waits while the gate is freezing; `EAGAIN` when it is disabled (GATE-4).
    pub fn read_trylock(&self) -> Result<ReadGuard, Errno> {
        self.check_process().map_err(|e| e.errno)?;
        self.inner.gate.read_trylock()
    }

    /// `usermodehelper_read_lock_wait`: waits up to `timeout` (microseconds) for the gate to open. The guard comes
    /// with the time that was left; `None` when it ran out. `EINVAL` for a negative time (GATE-4).
    pub fn read_lock_wait(&self, timeout: i64) -> Result<Option<(ReadGuard, Duration)>, Errno> {
        self.check_process().map_err(|e| e.errno)?;
        let timeout = u64::try_from(timeout).map_err(|_| Errno::EINVAL)?;
        Ok(self.inner.gate.read_lock_wait(self.inner.host.clock(), timeout))
    }
}

impl Inner {
    pub(super) fn gate_changed(&self, from: Depth, to: Depth) {
        self.emit(EventKind::GateChanged { from, to });
    }
}

fn why_not(depth: Depth, errno: Errno) -> EngineError {
    let (why, advice) = match errno {
        Errno::EINVAL => {
            ("disabling to `enabled` means nothing".into(), "give `freezing` or `disabled`, or enable the gate")
        }
        Errno::ESHUTDOWN => ("the engine has been shut down: its gate stays shut".into(), "start another engine"),
        _ => (
            format!(
                "this thread holds the read side of the gate and would wait for itself to set it to {}",
                depth.name()
            ),
            "drop the read guard first",
        ),
    };
    EngineError::new(Stage::Gate, errno, why, advice)
}
