//! The gate: disable and drain (GATE-2), the read side (GATE-4), the depth (GATE-5). Adds waiting to `policy::gate`.
//! The public functions are in `gate_api`.

use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;

use crate::abi::depth::Depth;
use crate::policy::gate::{Gate, Read};
use crate::sys::fork::ProcessMark;
use crate::sys::host::{Clock, Micros};

use super::sync::thread::{self, ThreadId};
use super::sync::{Monitor, MutexGuard};

/// How long a drain waits: 5 s, in microseconds.
const RUNNING_HELPERS_TIMEOUT: u64 = 5_000_000;

type State = Monitor<Gate<ThreadId>>;

/// The gate, and the threads that wait at it.
pub(super) struct Gatekeeper(Arc<State>);

/// Called after every change of depth, with the old and the new depth, without the gate's lock.
type Changed<'a> = &'a dyn Fn(Depth, Depth);

/// Holds the read side of the gate: the depth cannot change until this is dropped, on the thread that took it.
pub struct ReadGuard {
    gate: Arc<State>,
    thread: ThreadId,
    mark: ProcessMark,
    // Not Send: the gate identifies its holders by thread (EDEADLK).
    _not_send: std::marker::PhantomData<*const ()>,
}

impl Drop for ReadGuard {
    fn drop(&mut self) {
        // In a forked child, the lock may be held by a thread that the child does not have.
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

    pub(super) fn waiters(&self) -> u32 {
        let _exact = self.0.lock();
        self.0.waiters()
    }

    /// Disables the gate and waits up to 5 s until no call is in flight. Returns the ids of the calls that were still
    /// running after that, if any; then the gate is enabled again (GATE-2).
    pub(super) fn disable(&self, clock: &dyn Clock, depth: Depth, changed: Changed) -> Result<Vec<u64>, Errno> {
        let mut gate = self.0.lock();
        gate.may_disable(depth, thread::current().id())?;
        while !gate.try_turn() {
            gate = self.0.wait(gate);
        }
        drop(gate);
        self.write(depth, true, changed);
        let holdouts = self.drain(clock);
        if !holdouts.is_empty() {
            self.write(Depth::Enabled, false, changed);
        }
        self.0.lock().end_turn();
        self.0.notify();
        Ok(holdouts)
    }

    /// Changes the depth without draining (GATE-5).
    pub(super) fn set_depth(&self, depth: Depth, changed: Changed) -> Result<(), Errno> {
        self.0.lock().may_write(thread::current().id())?;
        self.write(depth, false, changed);
        Ok(())
    }

    /// Takes the write side: waits for the readers, goes before new readers, sets the depth and wakes every waiter.
    /// With `drain`, the drain starts under the same hold of the lock.
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

    /// Disables the gate for good, at once, when the engine ends (UMH-14).
    pub(super) fn shut_for_good(&self, changed: Changed) {
        let from = self.0.lock().shut_for_good();
        self.0.notify();
        if from != Depth::Disabled {
            changed(from, Depth::Disabled);
        }
    }

    /// Waits up to 5 s until no call is in flight. Returns the ids of the calls that are still running.
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

    /// Counts a call, then checks the gate, under one hold of the lock (GATE-3).
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

    /// Stops counting a call. If the caller owned its end, `cleanup` has run before (UMH-5).
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

    /// Returns the guard and the time that was left, or `None` if the time ran out.
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
