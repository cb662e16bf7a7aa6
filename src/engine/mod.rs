//! Floor 2: where judgement meets the machine. [`Engine`] is a cheap handle, usable from any thread.
#![forbid(unsafe_code)]

mod builder;
mod bus;
mod call;
mod cancel;
mod end;
mod failure;
#[cfg(all(test, feature = "faults"))]
mod faults;
mod forked;
mod gate;
mod gate_api;
mod hooks;
mod inner;
mod kmod;
mod launch;
mod loading;
#[cfg(all(test, feature = "model"))]
mod models;
mod narrowing;
mod options;
mod output_tail;
mod pools;
mod records;
mod registry;
mod signal;
mod slots;
mod sync;
mod sysctl;
mod umh;
mod workers;
mod workqueue;
mod write;

use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;

pub use builder::Builder;
pub use bus::{Received, Subscription, Wants};
pub use cancel::Cancel;
pub use gate::ReadGuard;
pub use inner::SecurityHook;
pub use options::{CallOptions, Caller};
pub use sysctl::{Change, KnobWrite};

use crate::abi::actor::{ChainLink, Requester};
use crate::abi::cap::CapMask;
use crate::abi::error::EngineError;
use crate::abi::record::Record;
use crate::abi::snapshot::{Knobs, Slots, Snapshot};
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;
use crate::policy::limit::ceiling;
use inner::Inner;

/// Running helpers in a snapshot; `live_total` counts all.
const RUNNING_SHOWN: usize = 256;
/// Last ends in a snapshot.
const LAST_SHOWN: usize = 64;

/// An engine: the kernel's usermode-helper code, re-created in user space. Cloning it makes another handle to the
/// same engine; it ends when the last handle is dropped. Helpers that live then live on (UMH-14).
///
/// A forked child has none of the threads that serve the engine. A handle that it inherits answers at once, with
/// `EOWNERDEAD` where the answer has an errno, and dropping it there changes nothing (UMH-8). The child may start an
/// engine of its own.
#[derive(Clone)]
pub struct Engine {
    inner: Arc<Inner>,
    _handle: Arc<Handle>,
}

/// Dropped with the last handle.
struct Handle(Arc<Inner>);

impl Drop for Handle {
    fn drop(&mut self) {
        if !self.0.mark.is_current() {
            // A forked child: every lock in here may be held by a thread that the child does not have. The memory is
            // kept, so that nothing in it is dropped.
            std::mem::forget(self.0.clone());
            return;
        }
        self.0.tell_suppressed();
        self.0.pools.close();
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
        self.request_module_as(name, wait, &Caller::default())
    }

    /// `request_module` for somebody, with a way to stop the wait.
    pub fn request_module_as(&self, name: impl AsRef<[u8]>, wait: bool, ask: &Caller) -> Arc<Record> {
        match self.check_process() {
            Ok(()) => self.inner.request_module(name.as_ref(), wait, ask),
            Err(error) => self.inner.forked_request(name.as_ref(), wait, ask, &error),
        }
    }

    /// `call_usermodehelper_exec` (UMH): runs any helper, as the library's caller. Consumes `info`.
    pub fn call_usermodehelper(&self, info: SubprocessInfo, wait: WaitMode) -> Arc<Record> {
        self.call_usermodehelper_with(info, wait, &CallOptions::default())
    }

    /// `call_usermodehelper_exec` with masks, a time-out or a requester of its own.
    pub fn call_usermodehelper_with(&self, info: SubprocessInfo, wait: WaitMode, options: &CallOptions) -> Arc<Record> {
        match self.check_process() {
            Ok(()) => self.inner.call_usermodehelper(info, wait, options),
            Err(error) => self.inner.forked_call(info, wait, options, &error),
        }
    }

    /// One record, live or ended, as it stands.
    pub fn record(&self, id: u64) -> Option<Arc<Record>> {
        self.check_process().ok()?;
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
        if self.check_process().is_err() {
            return Vec::new();
        }
        self.inner.books.lock().ended().take(most).cloned().collect()
    }

    /// Who asked whom, nearest first, for any request or process (REQ-12).
    pub fn chain(&self, pid: i32) -> Vec<ChainLink> {
        if self.check_process().is_err() {
            return Vec::new();
        }
        self.inner.chain(pid)
    }

    /// This process, as requests of its own name it.
    pub fn requester(&self) -> &Requester {
        &self.inner.me
    }

    /// Every capability that the running kernel knows (cap_last_cap).
    pub fn known(&self) -> CapMask {
        self.inner.host.known()
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

    /// The state at this moment: it has in it whatever the events up to `seq` tell. In a forked child of the engine's
    /// process: the state of an engine in which nothing runs, with the gate shut and a warning that says so.
    pub fn snapshot(&self) -> Snapshot {
        let inner = &self.inner;
        if let Err(error) = self.check_process() {
            return inner.forked_snapshot(&error);
        }
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
}
