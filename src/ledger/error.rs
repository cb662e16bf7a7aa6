//! Why a ledger cannot be opened, read or written.

use std::borrow::Cow;
use std::fmt;
use std::path::Path;

use nix::errno::Errno;

use crate::abi::error::{Explain, errno_name};
use crate::abi::escape::screen;

/// A ledger, or a part of it, cannot be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LedgerError {
    errno: Errno,
    why: String,
    advice: Cow<'static, str>,
}

impl LedgerError {
    pub(super) fn new(errno: Errno, why: impl Into<String>, advice: impl Into<Cow<'static, str>>) -> Self {
        Self { errno, why: why.into(), advice: advice.into() }
    }

    /// The reason alone.
    pub(super) fn why(&self) -> &str {
        &self.why
    }

    /// A system call on `path` failed.
    pub(super) fn at(path: &Path, errno: Errno) -> Self {
        Self::new(errno, format!("the ledger `{}`: {}", shown(path), errno.desc()), advice(errno))
    }
}

/// A path, escaped.
pub(super) fn shown(path: &Path) -> String {
    screen(std::os::unix::ffi::OsStrExt::as_bytes(path.as_os_str()))
}

/// What to do about a failed system call.
pub(super) fn advice(errno: Errno) -> &'static str {
    match errno {
        Errno::ENOENT => "the folder does not exist: name another one with --ledger",
        Errno::ENOTDIR | Errno::ELOOP => {
            "every part of the path must be a folder, and no symbolic link: give the real path with --ledger"
        }
        Errno::EACCES | Errno::EPERM => "this user may not use it: name another folder with --ledger",
        Errno::ENOSPC | Errno::EDQUOT => "the disk is full: free some space",
        Errno::EROFS => "the file system is read-only: name a folder on another one with --ledger",
        Errno::EMFILE | Errno::ENFILE => "too many open files: raise `ulimit -n`",
        _ => "see whether the disk reports errors, or name another folder with --ledger",
    }
}

impl fmt::Display for LedgerError {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{} ({})", self.why, errno_name(self.errno))
    }
}
impl std::error::Error for LedgerError {}
impl Explain for LedgerError {
    fn errno(&self) -> Errno {
        self.errno
    }
    fn advice(&self) -> Cow<'static, str> {
        self.advice.clone()
    }
}
