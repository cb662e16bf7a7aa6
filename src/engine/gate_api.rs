//! The gate as an embedder calls it: disable, enable, the depth and the read side.

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
    /// `usermodehelper_disable`: shuts the gate, then waits up to 5 s for the calls in flight to be 0 at one moment.
    ///
    /// `EINVAL` for [`Depth::Enabled`]; `EDEADLK` on a thread that holds the read side; `EAGAIN` if calls held out:
    /// the gate is enabled again then, whatever it was, and the error names them (GATE-2).
    pub fn disable(&self, depth: Depth) -> Result<(), EngineError> {
        self.disable_as(depth, self.inner.actors.me(Origin::Library))
    }

    /// The same on another's command: the events name `actor`.
    pub fn disable_as(&self, depth: Depth, actor: &Actor) -> Result<(), EngineError> {
        self.check_process()?;
        let inner = &self.inner;
        let held_out = inner
            .gate
            .disable(inner.host.clock(), depth, &|from, to| inner.gate_changed(from, to, actor))
            .map_err(|errno| why_not(depth, errno))?;
        if held_out.is_empty() {
            return Ok(());
        }
        inner.emit(EventKind::DrainFailed { holdouts: held_out.clone(), actor: inner.actors.share(actor) });
        let failed = LogKind::DrainFailed { holdouts: inner.holdouts(&held_out) };
        let text = failed.to_string();
        inner.log(failed);
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
        self.set_depth_as(depth, self.inner.actors.me(Origin::Library))
    }

    /// The same on another's command: the event [`EventKind::GateChanged`] names `actor`.
    pub fn set_depth_as(&self, depth: Depth, actor: &Actor) -> Result<(), EngineError> {
        self.check_process()?;
        let inner = &self.inner;
        let changed = |from, to| inner.gate_changed(from, to, actor);
        inner.gate.set_depth(depth, &changed).map_err(|errno| why_not(depth, errno))
    }

    /// `usermodehelper_enable`: `set_depth(Enabled)`.
    pub fn enable(&self) -> Result<(), EngineError> {
        self.set_depth(Depth::Enabled)
    }

    /// The same on another's command.
    pub fn enable_as(&self, actor: &Actor) -> Result<(), EngineError> {
        self.set_depth_as(Depth::Enabled, actor)
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
