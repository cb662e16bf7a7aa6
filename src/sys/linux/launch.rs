//! The birth of a helper: clone with CLONE_VM and CLONE_VFORK, so that the parent's memory costs nothing, then exec.
//!
//! The child runs on a stack of its own in the parent's memory while the parent's thread stands still. It makes raw
//! system calls on what was prepared before, and nothing else: no allocation, no lock, no panic, no drop.

use std::ffi::CString;
use std::ptr;
use std::sync::atomic::{AtomicBool, AtomicI32, Ordering};

use libc::{c_char, c_int, c_long, c_void};
use nix::errno::Errno;

use crate::abi::birth::Rlimit;
use crate::abi::error::SysError;
use crate::abi::mutation::{self, Mutation};

/// The child's stack, its guard page not counted. The child calls one function, which calls none.
const STACK: usize = 64 * 1024;
const PAGE: usize = 4096;
/// The last signal number (signal(7): SIGRTMAX).
const LAST_SIGNAL: c_int = 64;
/// The kernel's signal set in bytes.
const SIGSET_BYTES: usize = 8;

/// Memory for the child to run on, below it a page that faults.
pub(super) struct Stack(*mut c_void);

impl Stack {
    pub(super) fn new() -> Result<Self, SysError> {
        let (size, bits) = (STACK + PAGE, libc::PROT_READ | libc::PROT_WRITE);
        // SAFETY: a fresh anonymous mapping, at an address of the kernel's choice.
        let base = unsafe { libc::mmap(ptr::null_mut(), size, bits, libc::MAP_PRIVATE | libc::MAP_ANONYMOUS, -1, 0) };
        if base == libc::MAP_FAILED {
            return Err(SysError::new("mmap of a stack", Errno::last()));
        }
        let stack = Self(base);
        // SAFETY: the first page of the mapping made above; nothing points into it.
        Errno::result(unsafe { libc::mprotect(base, PAGE, libc::PROT_NONE) })
            .map_err(|e| SysError::new("mprotect of a stack", e))?;
        Ok(stack)
    }

    fn top(&self) -> *mut c_void {
        // SAFETY: one past the end of the mapping, which is page-aligned.
        unsafe { self.0.byte_add(STACK + PAGE) }
    }
}

impl Drop for Stack {
    fn drop(&mut self) {
        // SAFETY: the mapping made in `new`; no child runs on it, since clone returned after its exec or end.
        unsafe { libc::munmap(self.0, STACK + PAGE) };
    }
}

/// What a helper is to be, all of it alive until `launch` returns.
pub(super) struct Order<'a> {
    pub(super) path: &'a CString,
    pub(super) argv: &'a [CString],
    pub(super) envp: &'a [CString],
    /// Descriptors of the worker for 0, 1 and 2; each above 2, or 0 to 2 where it stays as it is.
    pub(super) fds: [c_int; 3],
    pub(super) rlimits: &'a [Rlimit],
    pub(super) no_new_privs: bool,
    /// Whether oom_score_adj has to be put to 0.
    pub(super) reset_oom: bool,
}

/// Which step of the child failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Step {
    Setsid,
    Chdir,
    Dup,
    Rlimit,
    NoNewPrivs,
    Exec,
}

const STEPS: [Step; 6] = [Step::Setsid, Step::Chdir, Step::Dup, Step::Rlimit, Step::NoNewPrivs, Step::Exec];

/// A helper that runs.
pub(super) struct Born {
    pub(super) pid: i32,
    /// Its pidfd, in this worker's table; -1 where the kernel gave none.
    pub(super) pidfd: c_int,
    /// Whether oom_score_adj could not be put to 0.
    pub(super) oom_kept: bool,
}

/// Why it does not.
pub(super) enum Stillborn {
    /// clone failed: no process was made.
    Clone(Errno),
    /// The process failed at a step, and is reaped.
    Step(Step, Errno),
}

/// Shared with the child. What it writes goes through atomics, for the compiler knows nothing of the child.
struct Shared {
    path: *const c_char,
    argv: *const *const c_char,
    envp: *const *const c_char,
    fds: [c_int; 3],
    rlimits: *const Rlimit,
    rlimit_count: usize,
    no_new_privs: bool,
    reset_oom: bool,
    reset_umask: bool,
    step: AtomicI32,
    errno: AtomicI32,
    oom_kept: AtomicBool,
}

/// Makes the process and returns when its exec has succeeded or failed.
pub(super) fn launch(stack: &Stack, order: &Order<'_>) -> Result<Born, Stillborn> {
    let pointers = |strings: &[CString]| -> Vec<*const c_char> {
        strings.iter().map(|s| s.as_ptr()).chain(std::iter::once(ptr::null())).collect()
    };
    let (argv, envp) = (pointers(order.argv), pointers(order.envp));
    let shared = Shared {
        path: order.path.as_ptr(),
        argv: argv.as_ptr(),
        envp: envp.as_ptr(),
        fds: order.fds,
        rlimits: order.rlimits.as_ptr(),
        rlimit_count: order.rlimits.len(),
        no_new_privs: order.no_new_privs,
        reset_oom: order.reset_oom,
        reset_umask: !mutation::is(Mutation::UmaskKept),
        step: AtomicI32::new(-1),
        errno: AtomicI32::new(0),
        oom_kept: AtomicBool::new(false),
    };
    let mut pidfd: c_int = -1;
    let blocked = block_signals();
    let flags = libc::CLONE_VM | libc::CLONE_VFORK | libc::CLONE_PIDFD | libc::SIGCHLD;
    // SAFETY: `child` runs on `stack` and reads only `shared` and what it points to, all alive until clone returns,
    // which CLONE_VFORK delays until the child has left this memory. It keeps to raw system calls.
    let pid = unsafe {
        libc::clone(child, stack.top(), flags, (&raw const shared).cast_mut().cast(), &raw mut pidfd, 0usize, 0usize)
    };
    let made = Errno::result(pid);
    restore_signals(&blocked);
    let pid = made.map_err(Stillborn::Clone)?;
    match usize::try_from(shared.step.load(Ordering::Acquire)).ok().and_then(|step| STEPS.get(step)) {
        None => Ok(Born { pid, pidfd, oom_kept: shared.oom_kept.load(Ordering::Acquire) }),
        Some(step) => {
            bury(pid, pidfd);
            Err(Stillborn::Step(*step, Errno::from_raw(shared.errno.load(Ordering::Acquire))))
        }
    }
}

/// All signals blocked around the clone, so that no handler of the host runs in the child. By pthread_sigmask, which
/// leaves glibc's own signals alone: with those blocked, a setuid of the host would hang.
fn block_signals() -> libc::sigset_t {
    // SAFETY: sigset_t is plain data; sigfillset and pthread_sigmask fill the two sets, which live on this stack.
    unsafe {
        let (mut all, mut before) = (std::mem::zeroed(), std::mem::zeroed());
        libc::sigfillset(&raw mut all);
        libc::pthread_sigmask(libc::SIG_SETMASK, &raw const all, &raw mut before);
        before
    }
}

fn restore_signals(before: &libc::sigset_t) {
    // SAFETY: `before` is the mask that this thread had.
    unsafe { libc::pthread_sigmask(libc::SIG_SETMASK, before, ptr::null_mut()) };
}

/// Reaps a child that could not execute its program; its status is never looked at (UMH-3).
fn bury(pid: i32, pidfd: c_int) {
    // SAFETY: integers and a null pointer; the child is ours, and dead or about to be.
    while unsafe { libc::waitpid(pid, ptr::null_mut(), libc::__WALL) } < 0 && Errno::last() == Errno::EINTR {}
    if pidfd >= 0 {
        // SAFETY: the pidfd that clone made, used nowhere else.
        unsafe { libc::close(pidfd) };
    }
}

/// The kernel's own sigaction, on the machines where it has a restorer; all-zero but for the handler here.
#[repr(C)]
struct KernelSigaction {
    handler: usize,
    flags: libc::c_ulong,
    restorer: usize,
    mask: u64,
}

extern "C" fn child(shared: *mut c_void) -> c_int {
    // SAFETY: `launch` passes a `Shared` that outlives the child's stay in this memory.
    let shared = unsafe { &*shared.cast::<Shared>() };
    let (step, errno) = become_helper(shared);
    shared.errno.store(errno, Ordering::Release);
    shared.step.store(step as i32, Ordering::Release);
    // SAFETY: ends this process without running anything of the host's.
    unsafe { libc::_exit(127) }
}

/// Returns only if a step failed.
fn become_helper(shared: &Shared) -> (Step, c_int) {
    reset_signal_actions();
    // SAFETY: integers only.
    if unsafe { libc::syscall(libc::SYS_setsid) } < 0 {
        return (Step::Setsid, last());
    }
    // A clone without CLONE_FS has its own copy of root, directory and umask. Here "/" is the worker's root (UMH-10).
    // SAFETY: a constant path.
    if unsafe { libc::syscall(libc::SYS_chdir, c"/".as_ptr()) } < 0 {
        return (Step::Chdir, last());
    }
    // SAFETY: an integer only.
    let _ = shared.reset_umask && unsafe { libc::syscall(libc::SYS_umask, 0o022 as c_long) } >= 0;
    for (to, from) in (0..).zip(shared.fds) {
        // dup2 of a descriptor onto itself would leave it close-on-exec, so the worker's own 0 to 2 are never passed.
        // SAFETY: integers only; the descriptor table is the child's own.
        if unsafe { libc::syscall(libc::SYS_dup3, from, to, 0) } < 0 {
            return (Step::Dup, last());
        }
    }
    if shared.reset_oom && !zero_oom_score_adj() {
        shared.oom_kept.store(true, Ordering::Release);
    }
    for at in 0..shared.rlimit_count {
        // SAFETY: `rlimits` points to `rlimit_count` of them.
        let limit = unsafe { &*shared.rlimits.add(at) };
        let to = libc::rlimit64 { rlim_cur: limit.soft, rlim_max: limit.hard };
        let none = ptr::null_mut::<libc::rlimit64>();
        // SAFETY: pid 0 is this process; the new limit lives on this stack.
        if unsafe { libc::syscall(libc::SYS_prlimit64, 0, limit.resource, &raw const to, none) } < 0 {
            return (Step::Rlimit, last());
        }
    }
    if shared.no_new_privs && !set_no_new_privs() {
        return (Step::NoNewPrivs, last());
    }
    let none: u64 = 0;
    // SAFETY: the set is eight bytes, as the kernel's; path, argv and envp were prepared by `launch`, NULL-terminated.
    unsafe {
        libc::syscall(
            libc::SYS_rt_sigprocmask,
            libc::SIG_SETMASK,
            &raw const none,
            ptr::null_mut::<u64>(),
            SIGSET_BYTES,
        );
        libc::syscall(libc::SYS_execve, shared.path, shared.argv, shared.envp);
    }
    (Step::Exec, last())
}

/// Every signal at its default, those that the host ignores too. The child has a table of its own (no CLONE_SIGHAND).
fn reset_signal_actions() {
    let default = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
    for signal in 1..=LAST_SIGNAL {
        let mut now = KernelSigaction { handler: libc::SIG_DFL, flags: 0, restorer: 0, mask: 0 };
        // SAFETY: both structures are the kernel's and live on this stack; SIGKILL and SIGSTOP read as default.
        unsafe {
            let none = ptr::null::<KernelSigaction>();
            libc::syscall(libc::SYS_rt_sigaction, signal, none, &raw mut now, SIGSET_BYTES);
            if now.handler != libc::SIG_DFL {
                let none = ptr::null_mut::<KernelSigaction>();
                libc::syscall(libc::SYS_rt_sigaction, signal, &raw const default, none, SIGSET_BYTES);
            }
        }
    }
}

/// Set and read back: a seccomp filter can report success for a call that was not made.
fn set_no_new_privs() -> bool {
    let none: c_long = 0;
    // SAFETY: integers only; it binds this process alone.
    unsafe {
        libc::syscall(libc::SYS_prctl, libc::PR_SET_NO_NEW_PRIVS, 1 as c_long, none, none, none);
        libc::syscall(libc::SYS_prctl, libc::PR_GET_NO_NEW_PRIVS, none, none, none, none) == 1
    }
}

fn zero_oom_score_adj() -> bool {
    let path = c"/proc/self/oom_score_adj".as_ptr();
    // SAFETY: a constant path and a constant byte; the descriptor is closed again.
    unsafe {
        let fd = libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, libc::O_WRONLY | libc::O_CLOEXEC);
        if fd < 0 {
            return false;
        }
        let written = libc::syscall(libc::SYS_write, fd, c"0".as_ptr(), 1usize);
        libc::syscall(libc::SYS_close, fd);
        written == 1
    }
}

fn last() -> c_int {
    // SAFETY: the thread's errno, which the child shares with its parent, who stands still.
    unsafe { *libc::__errno_location() }
}
