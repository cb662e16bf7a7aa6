//! A helper call before it is executed (UMH-1).

use std::ffi::CString;
use std::fmt;
use std::sync::Arc;

use nix::errno::Errno;

use super::error::ParseError;
use super::escape::screen;
use super::launch_spec::ChildSetup;
use super::record::Record;

/// The init hook. It runs before the process exists, on a thread that shares the caller's open files. Its error is
/// returned to the caller, and nothing is started (UMH-6).
pub type InitHook = Box<dyn FnOnce(&mut ChildSetup) -> Result<(), Errno> + Send>;
/// The cleanup hook. It runs exactly once for every call, refused ones included (UMH-5): on the caller's thread if that
/// waited to the end, else on a thread that shares the caller's open files, so that the hook may own files. Its
/// argument is the record that the caller got, or `None` if the call was never executed.
pub type CleanupHook = Box<dyn FnOnce(Option<&Arc<Record>>) + Send>;

/// The environment of a module request (REQ-7), and the default of `run`.
pub const HELPER_ENV: [&str; 3] = ["HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin"];

/// Path, argv, envp and hooks of one call. If it is dropped without being executed, its cleanup hook still runs once.
pub struct SubprocessInfo {
    path: Option<CString>,
    argv: Vec<CString>,
    envp: Vec<CString>,
    init: Option<InitHook>,
    cleanup: Option<CleanupHook>,
}

impl SubprocessInfo {
    /// `call_usermodehelper_setup`. A relative path, or a NUL in any string, is `EINVAL`. `None` and the empty
    /// path are checked when the call is executed (UMH-2).
    pub fn setup<A: Into<Vec<u8>>, E: Into<Vec<u8>>>(
        path: Option<Vec<u8>>,
        argv: impl IntoIterator<Item = A>,
        envp: impl IntoIterator<Item = E>,
    ) -> Result<Self, ParseError> {
        if let Some(path) = &path
            && !path.is_empty()
            && !path.starts_with(b"/")
        {
            return Err(ParseError::invalid(
                format!("the path `{}` is relative", screen(path)),
                "give the whole path, from `/`",
            ));
        }
        Ok(Self {
            path: path.map(|p| c_string("path", p)).transpose()?,
            argv: argv.into_iter().map(|a| c_string("argument", a.into())).collect::<Result<_, _>>()?,
            envp: envp.into_iter().map(|e| c_string("environment string", e.into())).collect::<Result<_, _>>()?,
            init: None,
            cleanup: None,
        })
    }

    /// Sets the init hook (UMH-6). It runs on a thread that the calling thread starts for the call: with the program's
    /// open files, and with the calling thread's capability sets, namespaces and root (UMH-10).
    #[must_use]
    pub fn init(mut self, hook: impl FnOnce(&mut ChildSetup) -> Result<(), Errno> + Send + 'static) -> Self {
        self.init = Some(Box::new(hook));
        self
    }

    /// Sets the cleanup hook. Its argument shows how the call ended (UMH-6): the record that the caller got, whose
    /// outcome is `Running` if the call used WAIT_EXEC or NO_WAIT and its helper still runs; `None` if the call was
    /// dropped without being executed, or if its worker panicked.
    #[must_use]
    pub fn cleanup(mut self, hook: impl FnOnce(Option<&Record>) + Send + 'static) -> Self {
        self.cleanup = Some(Box::new(move |record| hook(record.map(|r| &**r))));
        self
    }

    /// Replaces the hooks by ones that run them on another thread.
    pub(crate) fn set_hooks(&mut self, init: Option<InitHook>, cleanup: Option<CleanupHook>) {
        (self.init, self.cleanup) = (init, cleanup);
    }

    /// Ends the call: runs the cleanup hook with its record.
    pub(crate) fn end(mut self, record: &Arc<Record>) {
        self.clean_up(Some(record));
    }

    fn clean_up(&mut self, record: Option<&Arc<Record>>) {
        if let Some(cleanup) = self.cleanup.take() {
            // A panic in a hook must not become an abort while another panic unwinds.
            let _ = std::panic::catch_unwind(std::panic::AssertUnwindSafe(|| cleanup(record)));
        }
    }

    /// The path; `None` if the caller gave none.
    pub fn path(&self) -> Option<&CString> {
        self.path.as_ref()
    }
    /// The arguments, `argv[0]` included.
    pub fn argv(&self) -> &[CString] {
        &self.argv
    }
    /// The environment.
    pub fn envp(&self) -> &[CString] {
        &self.envp
    }
    /// Whether it has any hook.
    pub fn has_hooks(&self) -> bool {
        self.init.is_some() || self.cleanup.is_some()
    }
    /// Takes the init hook, which runs at most once.
    pub fn take_init(&mut self) -> Option<InitHook> {
        self.init.take()
    }
    /// Takes the cleanup hook, which the caller of this function must run.
    pub fn take_cleanup(&mut self) -> Option<CleanupHook> {
        self.cleanup.take()
    }
}

impl Drop for SubprocessInfo {
    fn drop(&mut self) {
        self.clean_up(None);
    }
}

impl fmt::Debug for SubprocessInfo {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.debug_struct("SubprocessInfo")
            .field("path", &self.path)
            .field("argv", &self.argv)
            .field("envp", &self.envp)
            .finish_non_exhaustive()
    }
}

fn c_string(what: &str, bytes: Vec<u8>) -> Result<CString, ParseError> {
    CString::new(bytes).map_err(|e| {
        ParseError::invalid(
            format!("the {what} `{}` contains a NUL byte", screen(&e.into_vec())),
            "remove the NUL: a C string ends there",
        )
    })
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::atomic::{AtomicU32, Ordering};

    #[test]
    fn umh_1_malformed_calls_are_refused() {
        let none: [&str; 0] = [];
        assert!(SubprocessInfo::setup(Some(b"bin/true".to_vec()), none, none).is_err());
        assert!(SubprocessInfo::setup(Some(b"/bin/tr\0ue".to_vec()), none, none).is_err());
        assert!(SubprocessInfo::setup(Some(b"/bin/true".to_vec()), ["a\0"], none).is_err());
        assert!(SubprocessInfo::setup(Some(b"/bin/true".to_vec()), none, ["a\0"]).is_err());
        assert!(SubprocessInfo::setup(None, none, none).is_ok());
    }

    #[test]
    fn umh_1_cleanup_runs_once_when_dropped() {
        let ran = Arc::new(AtomicU32::new(0));
        let seen = ran.clone();
        let none: [&str; 0] = [];
        let info = SubprocessInfo::setup(Some(b"/bin/true".to_vec()), none, none).unwrap();
        drop(info.cleanup(move |record| {
            assert!(record.is_none());
            seen.fetch_add(1, Ordering::SeqCst);
        }));
        assert_eq!(ran.load(Ordering::SeqCst), 1);
    }
}
