//! Writes of knobs: checks permission (SYS-3, AUTH-3), applies all writes or none (SYS-9), and notifies workers and
//! waiters.

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::ParseError;
use crate::abi::event::EventKind;
use crate::abi::knob::Key;
use crate::abi::knob_value::{Change, Source};
use crate::policy::authorize::{may_reset, may_write_mask};

use super::handle::Engine;
use super::sync;
use super::sysctl::KnobWrite;

impl Engine {
    /// Writes knobs: all of them under one hold of the lock, or none (SYS-9).
    ///
    /// # Errors
    /// The knob and the error. `EPERM` for a mask with [`Origin::Outside`], because the writer's capabilities are
    /// unknown: use [`Self::write_as`] (SYS-3). `EINVAL` for a value out of range; `EBUSY` for the era after the first
    /// request.
    pub fn write(&self, writes: &[KnobWrite], origin: Origin) -> Result<Vec<Change>, (Key, ParseError)> {
        self.write_as(writes, self.inner.actors.me(origin))
    }

    /// Like [`Self::write`], on behalf of another process. Set the effective capabilities of `actor` to those that the
    /// kernel reports in the engine's user namespace at the time of the write; they matter for [`Origin::Outside`]
    /// only.
    ///
    /// # Errors
    /// As for [`Self::write`], and `EPERM` for a mask from outside without CAP_SETPCAP and CAP_SYS_MODULE (SYS-3), and
    /// for a reset from anywhere except the console and the library (AUTH-3).
    pub fn write_as(&self, writes: &[KnobWrite], actor: &Actor) -> Result<Vec<Change>, (Key, ParseError)> {
        self.write_from(writes, &[], actor)
    }

    /// Like [`Self::write_as`], for writes that configuration files ask for: `sources` has the file and line of each
    /// write, or is empty. Each [`Change`] keeps its source.
    ///
    /// # Errors
    /// As for [`Self::write_as`].
    pub fn write_from(
        &self,
        writes: &[KnobWrite],
        sources: &[Source],
        actor: &Actor,
    ) -> Result<Vec<Change>, (Key, ParseError)> {
        self.check_process().map_err(|error| {
            let key = writes.first().map_or(Key::Modprobe, KnobWrite::key);
            (key, ParseError::with(error.errno, error.why, error.advice))
        })?;
        for write in writes {
            may_write(write, actor).map_err(|why| {
                (write.key(), ParseError::with(Errno::EPERM, why, "write it from the process that owns the engine"))
            })?;
        }
        let inner = &self.inner;
        let _writers = sync::lock(&inner.writers);
        // Only the limit depends on threads-max.
        let limits = writes.iter().any(|write| matches!(write, KnobWrite::MaxConcurrent(_)));
        let threads_max = if limits { inner.host.threads_max() } else { None };
        let mut changes = inner.sysctl.write(writes, threads_max)?;
        for (change, source) in changes.iter_mut().zip(sources) {
            change.source = Some(source.clone());
        }
        let values = inner.sysctl.copy();
        inner.pools.retire_before(values.generation);
        inner.slots.limit_changed(&inner.sysctl);
        let actor = inner.actors.share(actor);
        for change in &changes {
            inner.changed(change.clone(), &actor);
        }
        Ok(changes)
    }

    /// Records that a line of a configuration file asked for the last change of the gate. A gate that never changed
    /// keeps its default.
    pub fn gate_came_from(&self, source: Source) {
        if self.check_process().is_ok() {
            let mut registry = self.inner.registry.lock();
            let gate = registry.provenance.iter_mut().find(|last| last.change.key == Key::Gate);
            if let Some(gate) = gate {
                Arc::make_mut(&mut gate.change).source = Some(source);
            }
        }
    }

    /// Reports a change of a knob that this engine does not keep itself: `khelper.rules.mode`, which its rules follow
    /// (AUTH-5).
    pub fn report_changed(&self, change: Change, actor: &Actor) {
        if self.check_process().is_ok() {
            self.inner.changed(change, &self.inner.actors.share(actor));
        }
    }

    /// Reports that what was kept of these knobs for the next start was removed (AUTH-5).
    pub fn report_unpersisted(&self, keys: &[Key], actor: &Actor) {
        if self.check_process().is_ok() {
            let actor = self.inner.actors.share(actor);
            self.inner.emit(EventKind::Unpersisted { keys: keys.to_vec(), actor });
        }
    }

    /// Reports that a command was denied; `more` were denied before it without a report (AUTH-2).
    pub fn report_denied(&self, method: &str, why: &str, more: u64, actor: &Actor) {
        if self.check_process().is_ok() {
            let actor = self.inner.actors.share(actor);
            self.inner.emit(EventKind::Denied { method: method.into(), why: why.into(), more, actor });
        }
    }

    /// Resets the count of runaway messages to 0 (REQ-4).
    pub fn reset_loop_messages(&self) {
        self.reset_loop_messages_as(self.inner.actors.me(Origin::Library));
    }

    /// Like [`Self::reset_loop_messages`], on behalf of `actor`, which the event
    /// [`EventKind::KnobChanged`](crate::abi::event::EventKind::KnobChanged) of `khelper.loop_messages` names.
    pub fn reset_loop_messages_as(&self, actor: &Actor) {
        if self.check_process().is_err() {
            return;
        }
        let inner = &self.inner;
        let _writers = sync::lock(&inner.writers);
        let before = {
            let mut slots = inner.slots.lock();
            let before = slots.loop_messages();
            slots.reset_loop_messages();
            before
        };
        inner.changed(Change::new(Key::LoopMessages, before, 0u32), &inner.actors.share(actor));
    }
}

/// Whether `actor` may make this write, whatever its value.
fn may_write(write: &KnobWrite, actor: &Actor) -> Result<(), String> {
    match write {
        KnobWrite::Bset(_) | KnobWrite::Inheritable(_) => may_write_mask(actor),
        KnobWrite::ResetBset | KnobWrite::ResetInheritable => may_reset(actor),
        KnobWrite::Modprobe(_)
        | KnobWrite::Era(_)
        | KnobWrite::MaxConcurrent(_)
        | KnobWrite::Allow(_)
        | KnobWrite::Deny(_) => Ok(()),
    }
}
