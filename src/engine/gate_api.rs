//! The public functions of the gate: disable, enable, the depth and the read side.

use std::time::Duration;

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::depth::Depth;
use crate::abi::error::{EngineError, Stage};
use crate::abi::event::EventKind;
use crate::abi::log::LogKind;

use super::gate::ReadGuard;
use super::handle::Engine;

impl Engine {
    /// `usermodehelper_disable`: sets the depth, then waits up to 5 s until no call is in flight (GATE-2).
    ///
    /// # Errors
    /// `EINVAL` for [`Depth::Enabled`]; `EDEADLK` on a thread that holds the read side; `EAGAIN` if calls were still
    /// running after 5 s: the gate is then enabled, whatever it was before, and the error names the calls. `ESHUTDOWN`
    /// once the engine was shut down; `EOWNERDEAD` in a forked child.
    pub fn disable(&self, depth: Depth) -> Result<(), EngineError> {
        self.disable_as(depth, self.inner.actors.me(Origin::Library))
    }

    /// Like [`Self::disable`], on behalf of `actor`, which the events name.
    pub fn disable_as(&self, depth: Depth, actor: &Actor) -> Result<(), EngineError> {
        self.check_process()?;
        let inner = &self.inner;
        let holdouts = inner
            .gate
            .disable(inner.host.clock(), depth, &|from, to| inner.gate_changed(from, to, actor))
            .map_err(|errno| gate_error(depth, errno))?;
        if holdouts.is_empty() {
            return Ok(());
        }
        inner.emit(EventKind::DrainFailed { holdouts: holdouts.clone(), actor: inner.actors.share(actor) });
        let failed = LogKind::DrainFailed { holdouts: inner.holdouts(&holdouts) };
        let text = failed.to_string();
        inner.log(failed);
        Err(EngineError::new(
            Stage::Gate,
            Errno::EAGAIN,
            text,
            "wait for these calls, or abandon or kill them; then drain again",
        ))
    }

    /// Sets the depth without draining (GATE-5).
    ///
    /// # Errors
    /// `EDEADLK` on a thread that holds the read side; `ESHUTDOWN` once the engine was shut down; `EOWNERDEAD` in a
    /// forked child.
    pub fn set_depth(&self, depth: Depth) -> Result<(), EngineError> {
        self.set_depth_as(depth, self.inner.actors.me(Origin::Library))
    }

    /// Like [`Self::set_depth`], on behalf of `actor`, which the event [`EventKind::GateChanged`] names.
    pub fn set_depth_as(&self, depth: Depth, actor: &Actor) -> Result<(), EngineError> {
        self.check_process()?;
        let inner = &self.inner;
        let changed = |from, to| inner.gate_changed(from, to, actor);
        inner.gate.set_depth(depth, &changed).map_err(|errno| gate_error(depth, errno))
    }

    /// `usermodehelper_enable`: `set_depth(Enabled)`.
    pub fn enable(&self) -> Result<(), EngineError> {
        self.set_depth(Depth::Enabled)
    }

    /// Like [`Self::enable`], on behalf of `actor`.
    pub fn enable_as(&self, actor: &Actor) -> Result<(), EngineError> {
        self.set_depth_as(Depth::Enabled, actor)
    }

    /// The number of threads that wait at the gate now: readers until it opens, writers until the readers have released
    /// it, a drain until the calls in flight have ended. Each of them has checked the gate's current state.
    pub fn gate_waiters(&self) -> u32 {
        self.inner.gate.waiters()
    }

    /// `usermodehelper_read_trylock`: takes the read side; waits while the gate is freezing (GATE-4).
    ///
    /// # Errors
    /// `EAGAIN` if the gate is disabled; `EOWNERDEAD` in a forked child.
    pub fn read_trylock(&self) -> Result<ReadGuard, Errno> {
        self.check_process().map_err(|e| e.errno)?;
        self.inner.gate.read_trylock()
    }

    /// `usermodehelper_read_lock_wait`: waits up to `timeout` microseconds for the gate to open, and takes the read
    /// side (GATE-4). Returns the guard and the time that was left, or `None` if the time ran out.
    ///
    /// # Errors
    /// `EINVAL` for a negative time; `EOWNERDEAD` in a forked child.
    pub fn read_lock_wait(&self, timeout: i64) -> Result<Option<(ReadGuard, Duration)>, Errno> {
        self.check_process().map_err(|e| e.errno)?;
        let timeout = u64::try_from(timeout).map_err(|_| Errno::EINVAL)?;
        Ok(self.inner.gate.read_lock_wait(self.inner.host.clock(), timeout))
    }
}

/// The error of a change of the gate to `depth` that failed with `errno`.
fn gate_error(depth: Depth, errno: Errno) -> EngineError {
    let (why, advice) = match errno {
        Errno::EINVAL => {
            ("`enabled` is not a depth to disable to".into(), "give `freezing` or `disabled`, or enable the gate")
        }
        Errno::ESHUTDOWN => ("the engine has been shut down: its gate stays disabled".into(), "start another engine"),
        _ => (
            format!(
                "this thread holds the read side of the gate, so setting it to {} would wait for ever",
                depth.name()
            ),
            "drop the read guard first",
        ),
    };
    EngineError::new(Stage::Gate, errno, why, advice)
}
