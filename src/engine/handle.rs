//! [`Engine`], the handle that an embedder holds, and its requests.

use std::path::Path;
use std::sync::Arc;

use crate::abi::actor::{Actor, Origin};
use crate::abi::cap::CapMask;
use crate::abi::record::Record;
use crate::abi::safe_text::SafeText;
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;

use super::inner::Inner;
use super::options::{CallOptions, Caller, RequestOptions};

/// An engine: the kernel's usermode-helper code, re-created in user space. Cloning it makes another handle to the
/// same engine. The engine ends when the last handle is dropped; running helpers keep running (UMH-14).
///
/// A forked child has none of the threads that serve the engine. In the child, the methods of an inherited handle
/// return at once, with `EOWNERDEAD` if they return an errno, and dropping the handle changes nothing (UMH-8). The
/// child may start another engine.
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
            // In a forked child, any lock of the engine may be held by a thread that the child does not have. The
            // memory is leaked, so that nothing in it is dropped.
            std::mem::forget(self.0.clone());
            return;
        }
        self.0.report_suppressed();
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

    /// `request_module` (REQ): requests a module, with this process as the requester. Blocks until the request is
    /// answered. A refusal is a record too: see its outcome and error. With `wait`, waits until modprobe has ended,
    /// otherwise only until it is executed.
    pub fn request_module(&self, name: impl AsRef<[u8]>, wait: bool) -> Arc<Record> {
        self.request_module_as(name, wait, &Caller::default())
    }

    /// Like [`Self::request_module`], on behalf of `caller`, which can cancel the wait.
    pub fn request_module_as(&self, name: impl AsRef<[u8]>, wait: bool, caller: &Caller) -> Arc<Record> {
        self.request_module_with(name, wait, &RequestOptions { profile: None, ask: caller.clone() })
    }

    /// Like [`Self::request_module`], with a profile or a requester for this request.
    pub fn request_module_with(&self, name: impl AsRef<[u8]>, wait: bool, options: &RequestOptions) -> Arc<Record> {
        match self.check_process() {
            Ok(()) => self.inner.request_module(name.as_ref(), wait, options),
            Err(error) => self.inner.forked_request(name.as_ref(), wait, &options.ask, &error),
        }
    }

    /// `call_usermodehelper_exec` (UMH): runs any helper, with this process as the requester.
    pub fn call_usermodehelper(&self, info: SubprocessInfo, wait: WaitMode) -> Arc<Record> {
        self.call_usermodehelper_with(info, wait, &CallOptions::default())
    }

    /// Like [`Self::call_usermodehelper`], with masks, a time-out or a requester for this call.
    pub fn call_usermodehelper_with(&self, info: SubprocessInfo, wait: WaitMode, options: &CallOptions) -> Arc<Record> {
        match self.check_process() {
            Ok(()) => self.inner.call_usermodehelper(info, wait, options),
            Err(error) => self.inner.forked_call(info, wait, options, &error),
        }
    }

    /// Returns this process as an actor of `origin`, as it was when the engine started. For [`Origin::Outside`] the
    /// actor has no capabilities; describe another process with an [`Actor`] made for it.
    pub fn actor(&self, origin: Origin) -> Arc<Actor> {
        self.inner.actors.me(origin).clone()
    }

    /// Returns all capabilities of the running kernel (cap_last_cap).
    pub fn known(&self) -> CapMask {
        self.inner.host.known()
    }

    /// Returns the path of the built-in probe and its private first argument, if the builder set them.
    pub fn probe(&self) -> Option<(&Path, &'static str)> {
        self.inner.probe.as_ref().map(|(path, arg)| (path.as_path(), *arg))
    }

    /// Returns warnings about a program's path: why it would not run, or which other users could replace it. They are
    /// advice only (SYS-6).
    pub fn path_warnings(&self, path: &[u8]) -> Vec<SafeText> {
        self.inner.host.path_warnings(path)
    }
}
