//! What is done of a profile for a helper that the kernel has started, by its pid: the cgroup and the limits, while the
//! shim waits for its answer. The shim does the rest ([`crate::abi::verdict`]), with what is prepared here.

use std::fs::{self, File, OpenOptions};
use std::io::{ErrorKind, Write};
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::{Path, PathBuf};
use std::ptr;
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::error::SysError;
use crate::abi::profile::{Calls, Profile, Rlimit};

use super::confine::filter;
use super::landlock::{Identity, identity, ruleset};

/// The cgroup of all helpers of the kernel that have one profile, below that of the profile. They share it: one that is made
/// at each launch costs more than everything else.
const CGROUP: &str = "kernel-helpers";

/// A profile, and what it needs at each launch, made once.
#[derive(Debug)]
pub struct Ready {
    profile: Arc<Profile>,
    identity: Identity,
    ruleset: Option<OwnedFd>,
    filter: Vec<u8>,
    cgroup: Option<Cgroup>,
}

impl Ready {
    /// Makes it.
    ///
    /// # Errors
    /// As for [`ruleset`]; `ENOSYS` without seccomp; that of mkdir(2) or open(2) of the cgroup.
    pub fn new(profile: &Arc<Profile>) -> Result<Self, SysError> {
        let paths = profile.paths.as_ref();
        Ok(Self {
            identity: paths.map(identity).unwrap_or_default(),
            ruleset: paths.map(|paths| ruleset(paths, 0)).transpose()?,
            filter: profile.calls.as_ref().map(installable).transpose()?.unwrap_or_default(),
            cgroup: profile.cgroup.as_deref().map(Cgroup::new).transpose()?,
            profile: Arc::clone(profile),
        })
    }

    /// Whether this is still what the profile says: a path may have got another file since.
    pub fn serves(&self, profile: &Arc<Profile>) -> bool {
        Arc::ptr_eq(&self.profile, profile)
            && profile.paths.as_ref().is_none_or(|paths| identity(paths) == self.identity)
    }

    /// The profile.
    pub const fn profile(&self) -> &Arc<Profile> {
        &self.profile
    }

    /// The Landlock ruleset.
    pub fn ruleset(&self) -> Option<BorrowedFd<'_>> {
        self.ruleset.as_ref().map(AsFd::as_fd)
    }

    /// The filter of system calls, as an answer has it.
    pub fn filter(&self) -> &[u8] {
        &self.filter
    }

    /// Puts a process into the cgroup, and sets its limits.
    ///
    /// # Errors
    /// That of the step which failed; the process may have some of it then, and must not become the helper.
    pub fn place(&self, pid: i32) -> Result<(), SysError> {
        if let Some(cgroup) = &self.cgroup {
            cgroup.take(pid)?;
        }
        self.profile.rlimits.iter().try_for_each(|limit| set(pid, limit))
    }
}

/// The filter, if this kernel has filters: otherwise the shim would run nothing, and only the kernel's log would say so.
fn installable(calls: &Calls) -> Result<Vec<u8>, SysError> {
    rustix::thread::secure_computing_mode().map_err(|_| SysError::new("seccomp", Errno::ENOSYS))?;
    Ok(bytes(&filter(calls)))
}

/// Each instruction as it lies in memory, with its numbers in little-endian.
fn bytes(filter: &[libc::sock_filter]) -> Vec<u8> {
    let one = |i: &libc::sock_filter| {
        let ([a, b], [c, d, e, f]) = (i.code.to_le_bytes(), i.k.to_le_bytes());
        [a, b, i.jt, i.jf, c, d, e, f]
    };
    filter.iter().flat_map(one).collect()
}

/// Sets a limit of another process (prlimit(2)).
fn set(pid: i32, limit: &Rlimit) -> Result<(), SysError> {
    let to = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
    let none = ptr::null_mut::<libc::rlimit64>();
    // SAFETY: the new limit lives until the call returns, and no old one is asked for.
    let done = unsafe { libc::syscall(libc::SYS_prlimit64, pid, limit.resource, &raw const to, none) };
    Errno::result(done).map(drop).map_err(|e| SysError::new("prlimit", e))
}

/// A cgroup for helpers of the kernel. Dropping it removes it if no process is left in it.
#[derive(Debug)]
struct Cgroup {
    folder: PathBuf,
    procs: File,
}

impl Cgroup {
    fn new(below: &Path) -> Result<Self, SysError> {
        let failed = |what: &'static str| {
            move |e: std::io::Error| SysError::new(what, Errno::from_raw(e.raw_os_error().unwrap_or(Errno::EIO as i32)))
        };
        let folder = below.join(CGROUP);
        match fs::create_dir(&folder) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => return Err(failed("a cgroup for helpers")(e)),
            _ => {}
        }
        let procs = OpenOptions::new().write(true).open(folder.join("cgroup.procs"));
        procs.map(|procs| Self { folder, procs }).map_err(failed("cgroup.procs"))
    }

    fn take(&self, pid: i32) -> Result<(), SysError> {
        (&self.procs).write_all(pid.to_string().as_bytes()).map_err(|e| {
            SysError::new("entering the cgroup", Errno::from_raw(e.raw_os_error().unwrap_or(Errno::EIO as i32)))
        })
    }
}

impl Drop for Cgroup {
    fn drop(&mut self) {
        // EBUSY: helpers still run in it. The next one that is made with this name takes it over.
        let _ = fs::remove_dir(&self.folder);
    }
}
