//! The handle to an engine, which an embedder holds: its requests, and what it is made with.

use std::path::Path;
use std::sync::Arc;

use crate::abi::actor::{Actor, Origin};
use crate::abi::cap::CapMask;
use crate::abi::record::Record;
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;

use super::inner::Inner;
use super::options::{CallOptions, Caller};

/// An engine: the kernel's usermode-helper code, re-created in user space. Cloning it makes another handle to the
/// same engine; it ends when the last handle is dropped. Helpers that live then live on (UMH-14).
///
/// A forked child has none of the threads that serve the engine. A handle that it inherits answers at once, with
/// `EOWNERDEAD` where the answer has an errno, and dropping it there changes nothing (UMH-8). The child may start an
/// engine of its own.
#[derive(Clone)]
pub struct Engine {
    pub(super) inner: Arc<Inner>,
    _handle: Arc<Handle>,
}

/// Shared by the handles to one engine; its drop ends the engine.
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
        self.0.registry.lock().bus.close();
        self.0.flush_sink();
    }
}

impl Engine {
    /// The first handle to an engine.
    pub(super) fn new(inner: Arc<Inner>) -> Self {
        Self { _handle: Arc::new(Handle(inner.clone())), inner }
    }

    /// `request_module` (REQ): asks for a module, as the library's caller. Blocks until answered; every refusal is
    /// an answer too.
    pub fn request_module(&self, name: impl AsRef<[u8]>, wait: bool) -> Arc<Record> {
        self.request_module_as(name, wait, &Caller::default())
    }

    /// `request_module` for somebody, with a way to stop the wait.
    pub fn request_module_as(&self, name: impl AsRef<[u8]>, wait: bool, caller: &Caller) -> Arc<Record> {
        match self.check_process() {
            Ok(()) => self.inner.request_module(name.as_ref(), wait, caller),
            Err(error) => self.inner.forked_request(name.as_ref(), wait, caller, &error),
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

    /// This process, acting by `origin`, as it was when the engine started. For [`Origin::Outside`] it has no
    /// capabilities: another process says itself who it is.
    pub fn actor(&self, origin: Origin) -> Arc<Actor> {
        self.inner.actors.me(origin).clone()
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
}
