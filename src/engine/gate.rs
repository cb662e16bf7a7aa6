//! Disable and drain (GATE-2), the read side (GATE-4), the depth (GATE-5): the waits around `policy::gate`. What an
//! embedder calls is in `gate_api`.

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

    pub(super) fn waiters(&self) -> u32 {
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
