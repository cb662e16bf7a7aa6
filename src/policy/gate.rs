//! The gate in front of every call (GATE-1 to GATE-5). Pure state; `engine::gate` does the waiting.

use std::collections::BTreeSet;
use std::thread::ThreadId;

use nix::errno::Errno;

use crate::abi::depth::Depth;

/// Whether a reader gets the read side.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
#[must_use]
pub enum Read {
    /// The reader holds the read side.
    Taken,
    /// The reader has to wait for the next change of the gate.
    Wait,
    /// The gate is disabled.
    Refused,
}

/// The gate: its depth, the calls in flight, the read side and the writers. `T` identifies a thread.
#[derive(Debug)]
pub struct Gate<T = ThreadId> {
    depth: Depth,
    running: BTreeSet<u64>,
    readers: Vec<T>,
    writers_waiting: u32,
    disabling: bool,
    drained: bool,
    ended: bool,
}

impl<T> Default for Gate<T> {
    /// Disabled, until the engine is ready (GATE-1).
    fn default() -> Self {
        Self {
            depth: Depth::Disabled,
            running: BTreeSet::new(),
            readers: Vec::new(),
            writers_waiting: 0,
            disabling: false,
            drained: false,
            ended: false,
        }
    }
}

impl<T: Copy + PartialEq> Gate<T> {
    /// The current depth.
    pub fn depth(&self) -> Depth {
        self.depth
    }
    /// `running_helpers`: calls in flight (GATE-3).
    pub fn running_helpers(&self) -> usize {
        self.running.len()
    }
    /// The calls in flight.
    pub fn running(&self) -> impl Iterator<Item = u64> {
        self.running.iter().copied()
    }
    /// Whether a drain is under way.
    pub fn draining(&self) -> bool {
        self.disabling
    }

    /// Counts a call. Call this before the gate is checked (GATE-3).
    pub fn enter(&mut self, call: u64) {
        self.running.insert(call);
    }
    /// `EBUSY` unless the gate is open.
    pub fn admits(&self) -> Result<(), Errno> {
        if self.depth == Depth::Enabled { Ok(()) } else { Err(Errno::EBUSY) }
    }
    /// Uncounts a call. Returns whether the count is now 0.
    pub fn leave(&mut self, call: u64) -> bool {
        self.running.remove(&call);
        if self.running.is_empty() {
            self.drained = true;
        }
        self.running.is_empty()
    }

    /// Whether `thread` may disable the gate to `depth`: `EINVAL` for enabled, `EDEADLK` if it holds the read side.
    pub fn may_disable(&self, depth: Depth, thread: T) -> Result<(), Errno> {
        if depth == Depth::Enabled { Err(Errno::EINVAL) } else { self.may_write(thread) }
    }
    /// Whether `thread` may change the depth: `EDEADLK` if it holds the read side, since it would wait for itself;
    /// `ESHUTDOWN` after the engine's end.
    pub fn may_write(&self, thread: T) -> Result<(), Errno> {
        if self.ended {
            return Err(Errno::ESHUTDOWN);
        }
        if self.readers.contains(&thread) { Err(Errno::EDEADLK) } else { Ok(()) }
    }
    /// Takes the turn to disable. Returns false while another thread has it.
    #[must_use]
    pub fn try_turn(&mut self) -> bool {
        !std::mem::replace(&mut self.disabling, true)
    }
    /// Releases the turn to disable.
    pub fn end_turn(&mut self) {
        self.disabling = false;
    }
    /// Registers a waiting writer; new readers wait behind it (GATE-4).
    pub fn writer_arrives(&mut self) {
        self.writers_waiting += 1;
    }
    /// Changes the depth for a registered writer if no reader holds the gate. Returns the depth before, or `None` if
    /// the writer has to wait.
    #[must_use]
    pub fn try_write(&mut self, depth: Depth) -> Option<Depth> {
        if !self.readers.is_empty() {
            return None;
        }
        self.writers_waiting -= 1;
        let depth = if self.ended { Depth::Disabled } else { depth };
        Some(std::mem::replace(&mut self.depth, depth))
    }
    /// Disables the gate at the engine's end, whatever is written later, without waiting for readers. Returns the depth
    /// before.
    pub fn shut_for_good(&mut self) -> Depth {
        self.ended = true;
        std::mem::replace(&mut self.depth, Depth::Disabled)
    }
    /// Starts to watch for a moment without calls in flight (GATE-2).
    pub fn start_drain(&mut self) {
        self.drained = self.running.is_empty();
    }
    /// Whether there was a moment without calls in flight since `start_drain` (GATE-2).
    pub fn drained(&self) -> bool {
        self.drained
    }

    /// One attempt of `read_trylock`: refused while disabled; waits while freezing and behind a writer (GATE-4).
    pub fn read_trylock(&mut self, thread: T) -> Read {
        match self.read_lock(thread) {
            Read::Wait if self.depth == Depth::Disabled && self.writers_waiting == 0 => Read::Refused,
            other => other,
        }
    }
    /// One attempt of `read_lock_wait`: waits until the gate is enabled. A thread that already holds the read side may
    /// take it again past a waiting writer, since that writer waits for this thread anyway.
    pub fn read_lock(&mut self, thread: T) -> Read {
        let behind_writer = self.writers_waiting > 0 && !self.readers.contains(&thread);
        if behind_writer || self.depth != Depth::Enabled {
            return Read::Wait;
        }
        self.readers.push(thread);
        Read::Taken
    }
    /// Releases the read side.
    pub fn read_unlock(&mut self, thread: T) {
        if let Some(at) = self.readers.iter().position(|t| *t == thread) {
            self.readers.swap_remove(at);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn set(gate: &mut Gate, depth: Depth) -> Option<Depth> {
        gate.writer_arrives();
        gate.try_write(depth)
    }

    #[test]
    fn gate_1_disabled_until_ready() {
        let mut gate = Gate::<ThreadId>::default();
        assert_eq!(gate.admits(), Err(Errno::EBUSY));
        assert_eq!(set(&mut gate, Depth::Enabled), Some(Depth::Disabled));
        assert_eq!(gate.admits(), Ok(()));
    }

    #[test]
    fn gate_2_drained_means_zero_at_one_moment() {
        let mut gate = Gate::<ThreadId>::default();
        let _ = set(&mut gate, Depth::Enabled);
        gate.enter(1);
        let _ = set(&mut gate, Depth::Disabled);
        gate.start_drain();
        assert!(!gate.drained());
        assert!(gate.leave(1));
        gate.enter(2);
        assert!(gate.drained(), "a call that is counted and refused later does not undo it");
        let me = std::thread::current().id();
        assert_eq!(gate.may_disable(Depth::Enabled, me), Err(Errno::EINVAL));
    }

    #[test]
    fn umh_14_the_end_outranks_readers_and_later_writers() {
        let mut gate = Gate::<ThreadId>::default();
        let _ = set(&mut gate, Depth::Enabled);
        assert_eq!(gate.read_trylock(std::thread::current().id()), Read::Taken);
        assert_eq!(gate.shut_for_good(), Depth::Enabled);
        assert_eq!(gate.admits(), Err(Errno::EBUSY));
        gate.read_unlock(std::thread::current().id());
        let _ = set(&mut gate, Depth::Enabled);
        assert_eq!(gate.admits(), Err(Errno::EBUSY));
    }

    #[test]
    fn gate_4_a_waiting_writer_goes_first_and_a_holder_keeps_the_gate() {
        let mut gate = Gate::<ThreadId>::default();
        let _ = set(&mut gate, Depth::Enabled);
        let me = std::thread::current().id();
        let other = std::thread::spawn(|| std::thread::current().id()).join().unwrap();
        assert_eq!(gate.read_trylock(me), Read::Taken);
        assert_eq!(gate.may_disable(Depth::Disabled, me), Err(Errno::EDEADLK));
        gate.writer_arrives();
        assert_eq!(gate.try_write(Depth::Disabled), None);
        assert_eq!(gate.read_trylock(other), Read::Wait);
        gate.read_unlock(me);
        assert_eq!(gate.try_write(Depth::Disabled), Some(Depth::Enabled));
        assert_eq!(gate.read_trylock(other), Read::Refused);
        assert_eq!(gate.read_lock(other), Read::Wait);
        let _ = set(&mut gate, Depth::Freezing);
        assert_eq!(gate.read_trylock(other), Read::Wait);
    }
}
