//! What runs in the child between clone and exec.
//!
//! The child runs on its own stack, usually in the parent's memory while the parent's thread is suspended. It only
//! makes raw system calls with data prepared before: no allocation, no lock, no panic, no drop.

use std::ptr;
use std::sync::atomic::{AtomicI32, AtomicU32, Ordering};

use libc::{c_char, c_int, c_long, c_void};

use crate::abi::launch_spec::Rlimit;

use super::close::close_from;
use super::confine::{self, RULESET_FD, Steps};
use super::dispositions::{SIGSET_BYTES, Signals, reset_signal_actions};
use super::inherited::memory::{PR_SET_MEMORY_MERGE, Unwanted};
use super::keyring::KEYCTL_JOIN_SESSION_KEYRING;
use super::step::Step;

/// The umask of a helper (UMH-9).
const UMASK: c_long = 0o022;
/// The descriptor of the pipe for the child's report, if it has one.
const REPORT_FD: c_int = 3;

/// No step has failed.
pub(super) const NO_STEP: c_int = -1;

/// The attributes that kept the host's value, in a report.
pub(super) mod kept {
    pub(in super::super) const OOM_SCORE_ADJ: u32 = 1;
    pub(in super::super) const SESSION_KEYRING: u32 = 1 << 1;
    pub(in super::super) const CORE_FILTER: u32 = 1 << 2;
    pub(in super::super) const THP_DISABLE: u32 = 1 << 3;
    pub(in super::super) const MEMORY_MERGE: u32 = 1 << 4;
}

/// The child's report to its parent, written to a pipe if they do not share memory. The last report counts.
#[repr(C)]
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) struct Report {
    pub(super) step: c_int,
    pub(super) errno: c_int,
    pub(super) kept: u32,
}

/// Everything that the child needs. In shared memory the child stores its result here, through atomics, since the
/// compiler does not know that the child runs.
pub(super) struct Shared {
    pub(super) path: *const c_char,
    pub(super) argv: *const *const c_char,
    pub(super) envp: *const *const c_char,
    pub(super) fds: [c_int; 3],
    /// Whether the child has to close every descriptor above 2, because its worker uses the host's descriptor table.
    pub(super) close_files: bool,
    /// The `cgroup.procs` of the cgroup to enter, or null.
    pub(super) cgroup: *const c_char,
    pub(super) rlimits: *const Rlimit,
    pub(super) rlimit_count: usize,
    pub(super) no_new_privs: bool,
    /// What the helper is confined to by its profile.
    pub(super) steps: Steps,
    pub(super) reset_oom: bool,
    pub(super) reset_umask: bool,
    pub(super) signals: Signals,
    /// Always set, except for a deliberate mistake (`abi::mutation`).
    pub(super) join_keyring: bool,
    /// The name of the session keyring to join; null for a new one.
    pub(super) keyring: *const c_char,
    /// The attributes to reset in the child's copy of the memory. In shared memory there are none.
    pub(super) memory: Unwanted,
    /// The pipe for reports where the memory is not shared; -1 where it is.
    pub(super) report: c_int,
    pub(super) step: AtomicI32,
    pub(super) errno: AtomicI32,
    pub(super) kept: AtomicU32,
}

impl Shared {
    /// The child's result in shared memory.
    pub(super) fn report(&self) -> Report {
        Report {
            step: self.step.load(Ordering::Acquire),
            errno: self.errno.load(Ordering::Acquire),
            kept: self.kept.load(Ordering::Acquire),
        }
    }

    fn keep(&self, what: u32) {
        self.kept.fetch_or(what, Ordering::AcqRel);
    }

    /// Writes the report to the pipe, if there is one. A failure is ignored: the parent has stopped reading then.
    fn send_report(&self) {
        if self.report >= 0 {
            let report = self.report();
            // SAFETY: a structure of integers on this stack, of the size that is named.
            unsafe { libc::syscall(libc::SYS_write, self.report_fd(), &raw const report, size_of::<Report>()) };
        }
    }

    /// The pipe for reports, moved to a fixed number because the child closes everything else.
    fn report_fd(&self) -> c_int {
        if self.close_files { REPORT_FD } else { self.report }
    }
}

/// The child's first function. `shared` is a [`Shared`] that outlives the child's stay in this memory.
pub(super) extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: `launch` passes a `Shared` that outlives the child's stay in this memory.
    let shared = unsafe { &*shared.cast::<Shared>() };
    let (step, errno) = become_helper(shared);
    shared.errno.store(errno, Ordering::Release);
    shared.step.store(step as c_int, Ordering::Release);
    shared.send_report();
    // SAFETY: ends this process without running anything of the host's.
    unsafe { libc::_exit(127) }
}

/// Returns only if a step failed.
fn become_helper(shared: &Shared) -> (Step, c_int) {
    reset_signal_actions(shared.signals);
    // SAFETY: integers only.
    if unsafe { libc::syscall(libc::SYS_setsid) } < 0 {
        return (Step::Setsid, last());
    }
    if !shared.cgroup.is_null() && !write_to(shared.cgroup, b"0") {
        return (Step::Cgroup, last());
    }
    // The clone had no CLONE_FS: the child has its own copy of root, working directory and umask. "/" is the root that
    // the worker shares with the host now, so a chroot(2) by the host applies to the helper (UMH-10).
    // SAFETY: a constant path.
    if unsafe { libc::syscall(libc::SYS_chdir, c"/".as_ptr()) } < 0 {
        return (Step::Chdir, last());
    }
    if shared.reset_umask {
        // SAFETY: an integer only; umask(2) cannot fail.
        unsafe { libc::syscall(libc::SYS_umask, UMASK) };
    }
    // The result is a serial number; 0 is a success faked by a seccomp filter.
    // SAFETY: a string of the launcher's, or null; it affects only this process.
    let joined = unsafe {
        !shared.join_keyring || libc::syscall(libc::SYS_keyctl, KEYCTL_JOIN_SESSION_KEYRING, shared.keyring) > 0
    };
    if !joined {
        shared.keep(kept::SESSION_KEYRING);
    }
    if let Err(step) = arrange_files(shared) {
        return (step, last());
    }
    reset_memory(shared);
    if let Err(step) = limit(shared).and_then(|()| confine(shared)) {
        return (step, last());
    }
    let none: u64 = 0;
    // SAFETY: the set is eight bytes, as the kernel's; path, argv and envp were prepared by `launch`, NULL-terminated.
    unsafe {
        let before = ptr::null_mut::<u64>();
        libc::syscall(libc::SYS_rt_sigprocmask, libc::SIG_SETMASK, &raw const none, before, SIGSET_BYTES);
        shared.send_report();
        if !confine::filter_calls(&shared.steps) {
            return (Step::Seccomp, last());
        }
        libc::syscall(libc::SYS_execve, shared.path, shared.argv, shared.envp);
    }
    (Step::Exec, last())
}

/// Sets up descriptors 0, 1 and 2, and closes all others.
fn arrange_files(shared: &Shared) -> Result<(), Step> {
    for (to, from) in (0..).zip(shared.fds) {
        // dup2 of a descriptor onto itself would leave it close-on-exec, so the worker's own 0 to 2 are never passed.
        // SAFETY: integers only; the descriptor table is the child's own.
        if unsafe { libc::syscall(libc::SYS_dup3, from, to, 0) } < 0 {
            return Err(Step::Dup);
        }
    }
    if !shared.close_files {
        return Ok(());
    }
    if shared.steps.ruleset >= 0 {
        return arrange_with_ruleset(shared);
    }
    let mut first = REPORT_FD;
    if shared.report >= 0 {
        if shared.report != REPORT_FD {
            // SAFETY: integers only, as above. 0 to 2 have been copied from their sources already.
            if unsafe { libc::syscall(libc::SYS_dup3, shared.report, REPORT_FD, libc::O_CLOEXEC) } < 0 {
                return Err(Step::Dup);
            }
        }
        first = REPORT_FD + 1;
    }
    close_from(first).then_some(()).ok_or(Step::Close)
}

/// Keeps the report's pipe and the ruleset, whose own number is above both, and closes everything else.
fn arrange_with_ruleset(shared: &Shared) -> Result<(), Step> {
    // SAFETY: integers only; the descriptor table is the child's own, and 0 to 2 have been copied from their sources.
    unsafe {
        if shared.report < 0 {
            libc::syscall(libc::SYS_close, REPORT_FD);
        } else if shared.report != REPORT_FD
            && libc::syscall(libc::SYS_dup3, shared.report, REPORT_FD, libc::O_CLOEXEC) < 0
        {
            return Err(Step::Dup);
        }
        if libc::syscall(libc::SYS_dup3, shared.steps.ruleset, RULESET_FD, libc::O_CLOEXEC) < 0 {
            return Err(Step::Dup);
        }
    }
    close_from(RULESET_FD + 1).then_some(()).ok_or(Step::Close)
}

/// Applies the profile, but for its filter.
fn confine(shared: &Shared) -> Result<(), Step> {
    let mut steps = shared.steps;
    if steps.ruleset >= 0 && shared.close_files {
        steps.ruleset = RULESET_FD;
    }
    let step = |done: bool, step: Step| if done { Ok(()) } else { Err(step) };
    step(confine::landlock(&steps), Step::Landlock)?;
    step(confine::bound(&steps), Step::Bounding)?;
    step(confine::become_user(&steps), Step::User)?;
    step(confine::set_capabilities(&steps), Step::Capabilities)
}

/// Sets the limits that the init hook asked for, and no_new_privs.
fn limit(shared: &Shared) -> Result<(), Step> {
    if shared.steps.read_only && !confine::read_only_root() {
        return Err(Step::ReadOnlyRoot);
    }
    for at in 0..shared.rlimit_count {
        // SAFETY: `rlimits` points to `rlimit_count` of them.
        let limit = unsafe { &*shared.rlimits.add(at) };
        let to = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
        let none = ptr::null_mut::<libc::rlimit64>();
        // SAFETY: pid 0 is this process; the new limit lives on this stack.
        if unsafe { libc::syscall(libc::SYS_prlimit64, 0, limit.resource, &raw const to, none) } < 0 {
            return Err(Step::Rlimit);
        }
    }
    if shared.no_new_privs && !set_no_new_privs() {
        return Err(Step::NoNewPrivs);
    }
    Ok(())
}

/// Resets oom_score_adj and, if the child has its own memory, the attributes of the memory.
fn reset_memory(shared: &Shared) {
    if shared.reset_oom && !write_to(c"/proc/self/oom_score_adj".as_ptr(), b"0") {
        shared.keep(kept::OOM_SCORE_ADJ);
    }
    if shared.report < 0 {
        return;
    }
    if shared.memory.core_filter && !write_to(c"/proc/self/coredump_filter".as_ptr(), b"0x33") {
        shared.keep(kept::CORE_FILTER);
    }
    if shared.memory.thp_disable && !prctl(libc::PR_SET_THP_DISABLE, 0) {
        shared.keep(kept::THP_DISABLE);
    }
    if shared.memory.memory_merge && !prctl(PR_SET_MEMORY_MERGE, 0) {
        shared.keep(kept::MEMORY_MERGE);
    }
}

/// Sets no_new_privs and reads it back: a seccomp filter can report success for a call that was not made.
fn set_no_new_privs() -> bool {
    let zero: c_long = 0;
    prctl(libc::PR_SET_NO_NEW_PRIVS, 1);
    // SAFETY: integers only.
    unsafe { libc::syscall(libc::SYS_prctl, libc::PR_GET_NO_NEW_PRIVS, zero, zero, zero, zero) == 1 }
}

fn prctl(option: c_int, value: c_long) -> bool {
    let zero: c_long = 0;
    // SAFETY: integers only; the options used here affect only this process.
    unsafe { libc::syscall(libc::SYS_prctl, option, value, zero, zero, zero) == 0 }
}

fn write_to(path: *const c_char, text: &[u8]) -> bool {
    // SAFETY: `path` is a constant of the caller's; the descriptor is closed again.
    unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return false;
        }
        let written = libc::syscall(libc::SYS_write, fd, text.as_ptr(), text.len());
        libc::syscall(libc::SYS_close, fd);
        usize::try_from(written) == Ok(text.len())
    }
}

fn last() -> c_int {
    // SAFETY: the thread's errno, which the child may share with its parent, which is suspended then.
    unsafe { *libc::__errno_location() }
}
