//! Floor 2: where judgement meets the machine. [`Engine`] is a cheap handle, usable from any thread.
#![forbid(unsafe_code)]

mod ask;
mod books;
mod builder;
mod bus;
mod call;
mod cancel;
mod cut;
pub mod event;
#[cfg(all(test, feature = "faults"))]
mod faults;
mod gate;
mod history;
mod hooks;
mod inner;
mod khelper;
mod kmod;
mod launch;
mod loading;
#[cfg(all(test, feature = "model"))]
mod models;
pub mod record;
mod slots;
pub mod snapshot;
mod sync;
mod sysctl;
mod tail;
mod umh;

use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;

pub use ask::{Ask, CallOptions};
pub use builder::Builder;
pub use bus::{Received, Subscription, Wants};
pub use cancel::Cancel;
pub use gate::ReadGuard;
pub use inner::SecurityHook;
pub use record::Record;
pub use sysctl::{Change, KnobWrite};

use crate::abi::error::{EngineError, ParseError, Stage};
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;
use crate::abi::who::{ChainLink, Origin, Requester};
use crate::policy::call::End;
use crate::policy::limit::ceiling;
use event::EventKind;
use inner::Inner;
use snapshot::{Knobs, Live, Slots, Snapshot};

/// Running helpers in a snapshot; `live_total` counts all.
const RUNNING_SHOWN: usize = 256;
/// Last ends in a snapshot.
const LAST_SHOWN: usize = 64;

/// How much longer `shutdown` waits for what is queued: 1 s, in microseconds.
const QUEUE_PATIENCE: u64 = 1_000_000;

/// An engine: the kernel's usermode-helper code, re-created in user space. Cloning it makes another handle to the
/// same engine; it ends when the last handle is dropped. Helpers that live then live on (UMH-14).
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    _handle: Arc<Handle>,
}

/// Dropped with the last handle.
struct Handle(Arc<Inner>);

impl Drop for Handle {
    fn drop(&mut self) {
        self.0.tell_suppressed();
        self.0.pool.close();
        self.0.books.lock().bus.close();
    }
}

impl Engine {
    /// Everything about an engine that is chosen before it starts.
    pub fn builder() -> Builder {
        Builder::default()
    }

    /// An engine on this machine, with the knobs as at boot (SYS-8).
    pub fn start() -> Result<Self, EngineError> {
        Self::builder().start()
    }

    /// `request_module` (REQ): asks for a module, as the library's caller. Blocks until answered; every refusal is
    /// an answer too.
    pub fn request_module(&self, name: impl AsRef<[u8]>, wait: bool) -> Arc<Record> {
        self.request_module_as(name, wait, &Ask::default())
    }

    /// `request_module` for somebody, with a way to stop the wait.
    pub fn request_module_as(&self, name: impl AsRef<[u8]>, wait: bool, ask: &Ask) -> Arc<Record> {
        self.inner.request_module(name.as_ref(), wait, ask)
    }

    /// `call_usermodehelper_exec` (UMH): runs any helper, as the library's caller. Consumes `info`.
    pub fn call_usermodehelper(&self, info: SubprocessInfo, wait: WaitMode) -> Arc<Record> {
        self.call_usermodehelper_with(info, wait, &CallOptions::default())
    }

    /// `call_usermodehelper_exec` with masks, a time-out or a requester of its own.
    pub fn call_usermodehelper_with(&self, info: SubprocessInfo, wait: WaitMode, options: &CallOptions) -> Arc<Record> {
        self.inner.call_usermodehelper(info, wait, options)
    }

    /// Writes knobs: all of them in one hold of the lock, or none (SYS-9). The error names the knob.
    pub fn write(&self, writes: &[KnobWrite], origin: Origin) -> Result<Vec<Change>, (&'static str, ParseError)> {
        let inner = &self.inner;
        let _writers = sync::lock(&inner.writers);
        let changes = inner.sysctl.write(writes, inner.host.threads_max())?;
        let values = inner.sysctl.copy();
        inner.pool.retire_before(values.generation);
        inner.slots.limit_changed(&inner.sysctl);
        for change in &changes {
            let Change { key, before, after, bits, .. } = change.clone();
            inner.emit(match bits {
                Some((before, after)) => EventKind::MaskChanged { key, before, after, origin },
                None => EventKind::KnobChanged { key, before, after, origin },
            });
        }
        Ok(changes)
    }

    /// Sets the count of runaway messages back to 0 (REQ-4).
    pub fn reset_loop_messages(&self) {
        self.inner.slots.lock().reset_loop_messages();
    }

    /// Stops the wait of a request's caller: `EINTR` for it, its helper lives on (UMH-4). `ESRCH` if nobody waits.
    pub fn abandon(&self, id: u64) -> Result<(), EngineError> {
        let nobody = || {
            EngineError::new(
                Stage::Cancel,
                Errno::ESRCH,
                format!("nobody waits for request {id}"),
                "it is over, or was never waited for",
            )
        };
        let books = self.inner.books.lock();
        if !books.knows(id) {
            return Err(umh::no_request(id));
        }
        let live = books.live().find(|l| l.id == id).ok_or_else(nobody)?;
        if live.abandoned || books.draft(id).is_some_and(|d| !d.wait.killable()) {
            return Err(nobody());
        }
        let cancel = books.cancel(id).ok_or_else(nobody)?;
        let call = books.call(id);
        drop(books);
        if call.is_some_and(|c| c.state.lock().end != End::Waited) {
            return Err(nobody());
        }
        cancel.cancel();
        Ok(())
    }

    /// Signals a helper and its group, only while it is not reaped (UMH-14). `ESRCH` if there is none.
    pub fn kill(&self, id: u64, signal: i32) -> Result<(), EngineError> {
        self.inner.kill(id, signal)
    }

    /// One record, live or ended, as it stands.
    pub fn record(&self, id: u64) -> Option<Arc<Record>> {
        let (call, draft) = {
            let books = self.inner.books.lock();
            (books.call(id), books.draft(id))
        };
        if let Some(call) = call {
            return Some(call.record());
        }
        let ended = || self.inner.books.lock().ended().find(|r| r.id == id).cloned();
        draft.or_else(ended)
    }

    /// The newest ended records, newest first.
    pub fn records(&self, most: usize) -> Vec<Arc<Record>> {
        self.inner.books.lock().ended().take(most).cloned().collect()
    }

    /// Who asked whom, nearest first, for any request or process (REQ-12).
    pub fn chain(&self, pid: i32) -> Vec<ChainLink> {
        self.inner.chain(pid)
    }

    /// This process, as requests of its own name it.
    pub fn requester(&self) -> &Requester {
        &self.inner.me
    }

    /// The built-in probe: its path and private first argument, where the builder was told.
    pub fn probe(&self) -> Option<(&Path, &'static str)> {
        self.inner.probe.as_ref().map(|(path, arg)| (path.as_path(), *arg))
    }

    /// Why a path would not run, or who else could replace it; advice only (SYS-6).
    pub fn path_warnings(&self, path: &[u8]) -> Vec<String> {
        self.inner.host.path_warnings(path)
    }

    /// Subscribes to events with a queue of `capacity` of them.
    pub fn subscribe(&self, capacity: usize) -> Subscription {
        self.subscribe_to(capacity, |_| true)
    }

    /// The state at this moment: it has in it whatever the events up to `seq` tell.
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.inner;
        let (threads_max, host, known) = (inner.host.threads_max(), inner.host.sets(), inner.host.known());
        // The books first, and the rest under them: a change is made before its event, so none is numbered and missing.
        let books = inner.books.lock();
        let values = inner.sysctl.copy();
        let limit = ceiling(values.era, threads_max).min(values.max_concurrent);
        let slots = {
            let l = inner.slots.lock();
            Slots {
                limit,
                concurrent: l.concurrent(),
                waiting: l.waiting(),
                peak: l.peak(),
                holders: l.holders().to_vec(),
                loop_messages: l.loop_messages(),
                suppressed: l.suppressed(),
            }
        };
        let (gate, draining, running_helpers) = {
            let g = inner.gate.lock();
            (g.depth(), g.draining(), u32::try_from(g.running_helpers()).unwrap_or(u32::MAX))
        };
        Snapshot {
            seq: books.bus.seq(),
            now: inner.now(),
            wall: inner.host.clock().wall(),
            pid: inner.me.pid,
            uid: inner.me.uid,
            knobs: Knobs {
                modprobe: values.path,
                bset: values.bset,
                inheritable: values.inheritable,
                era: values.era,
                max_concurrent: values.max_concurrent,
                allow: values.allow.text().clone(),
                deny: values.deny.text().clone(),
            },
            known,
            host,
            gate,
            draining,
            slots,
            running_helpers,
            live: books.processes,
            queued: books.queued,
            running: books.live().take(RUNNING_SHOWN).cloned().collect(),
            live_total: books.live().len(),
            last: books.ended().take(LAST_SHOWN).cloned().collect(),
            totals: books.totals.clone(),
            warnings: books.warnings.iter().cloned().collect(),
        }
    }

    /// Shuts the gate for good, waits up to `patience` for what runs, and names what is left, which runs on (UMH-14).
    /// It asks no holder of the read side: the engine's end is not put off by one. What is queued still gets up to
    /// a second more to be launched.
    pub fn shutdown(&self, patience: Duration) -> Vec<Live> {
        let inner = &self.inner;
        inner.gate.shut_for_good(&|from, to| inner.gate_changed(from, to));
        let clock = inner.host.clock();
        let deadline = clock.now().saturating_add(u64::try_from(patience.as_micros()).unwrap_or(u64::MAX));
        let mut books = inner.books.lock();
        while books.live().len() > 0 && clock.now() < deadline {
            books = inner.books.wait_until(books, clock, deadline);
        }
        // What is queued is launched or decided before the engine lets go: a matter of microseconds, unless an exec hangs.
        let deadline = clock.now().saturating_add(QUEUE_PATIENCE);
        while books.queued > 0 && clock.now() < deadline {
            books = inner.books.wait_until(books, clock, deadline);
        }
        let left = books.live().cloned().collect();
        drop(books);
        inner.tell_suppressed();
        left
    }
}
