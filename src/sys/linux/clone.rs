//! Creates the process: by clone3(2) if it exists and is allowed, else by clone(2).
//!
//! The cost of a child that shares the caller's memory (CLONE_VM with CLONE_VFORK) does not grow with that memory; the
//! caller is suspended until the child execs or ends. A child with its own memory is a plain fork.

use std::ptr;
use std::sync::OnceLock;
use std::sync::atomic::{AtomicBool, Ordering};

use libc::{c_int, c_void};
use nix::errno::Errno;

use crate::abi::error::SysError;

/// The size of the child's stack without its guard page. The child's call chain is short.
const STACK: usize = 64 * 1024;
const PAGE: usize = 4096;
/// linux/sched.h, for clone3 only: resets signal handlers; ignored signals stay ignored.
const CLONE_CLEAR_SIGHAND: u64 = 0x1_0000_0000;

/// The child's stack, above a guard page that faults.
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

    fn bottom(&self) -> *mut c_void {
        // SAFETY: the first byte after the guard page of the mapping.
        unsafe { self.0.byte_add(PAGE) }
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

/// The child's first function. It never returns.
pub(super) type Entry = extern "C" fn(*mut c_void) -> c_int;

/// The memory that the child runs in.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Memory {
    /// The caller's; the caller is suspended until the child has left it.
    Shared,
    /// A copy.
    Own,
}

/// A process that was created.
pub(super) struct Made {
    pub(super) pid: i32,
    /// Its pidfd; -1 where there is none.
    pub(super) pidfd: c_int,
}

/// The calls that this thread still tries: a call that the kernel or a filter has refused is not tried again.
pub(super) struct Cloner {
    stack: Stack,
    clone3: bool,
    pidfd: bool,
}

impl Cloner {
    pub(super) fn new() -> Result<Self, SysError> {
        Ok(Self {
            stack: Stack::new()?,
            clone3: cfg!(any(target_arch = "x86_64", target_arch = "aarch64")),
            pidfd: true,
        })
    }

    /// Behaves as if the kernel or a filter refused clone3.
    #[cfg(test)]
    pub(super) fn without_clone3(&mut self) {
        self.clone3 = false;
    }

    /// Starts `entry` in a child. `prepare` is called with whether the child's signal handlers are already reset, and
    /// returns the argument of `entry`. If they are not reset, all signals are blocked in the child.
    ///
    /// # Safety
    ///
    /// The value that `prepare` returns must be valid for `entry` until this function returns, and in copied memory
    /// after that too. `entry` must only make raw system calls and must end in exec or _exit.
    pub(super) unsafe fn spawn(
        &mut self,
        memory: Memory,
        entry: Entry,
        mut prepare: impl FnMut(bool) -> *mut c_void,
    ) -> Result<Made, Errno> {
        let shared = if memory == Memory::Shared { libc::CLONE_VM | libc::CLONE_VFORK } else { 0 };
        if self.clone3 {
            // SAFETY: the caller's.
            match unsafe { clone3(&self.stack, shared.cast_unsigned(), entry, prepare(true)) } {
                Err(e) if !matches!(e, Errno::EAGAIN | Errno::ENOMEM | Errno::ENOSPC) => {
                    // No clone3, no CLEAR_SIGHAND, or a filter that refuses clone3 because it cannot read the
                    // structure.
                    self.clone3 = false;
                }
                made => return made,
            }
        }
        let argument = prepare(false);
        let blocked = block_signals();
        let mut made;
        loop {
            let with_pidfd = if self.pidfd { libc::CLONE_PIDFD } else { 0 };
            let mut pidfd: c_int = -1;
            // SAFETY: the caller's; the pidfd is written to this stack.
            let pid = unsafe {
                let (flags, none) = (shared | with_pidfd | libc::SIGCHLD, 0usize);
                libc::clone(entry, self.stack.top(), flags, argument, &raw mut pidfd, none, none)
            };
            made = Errno::result(pid).map(|pid| Made { pid, pidfd });
            // Before Linux 5.2, and under qemu-user.
            if !(self.pidfd && matches!(made, Err(Errno::EINVAL))) {
                break;
            }
            self.pidfd = false;
        }
        restore_signals(&blocked);
        made
    }
}

/// `struct clone_args`, its first version (clone(2)).
#[repr(C, align(8))]
#[derive(Default)]
struct CloneArgs {
    flags: u64,
    pidfd: u64,
    child_tid: u64,
    parent_tid: u64,
    exit_signal: u64,
    stack: u64,
    stack_size: u64,
    tls: u64,
}

/// # Safety
///
/// As for [`Cloner::spawn`].
unsafe fn clone3(stack: &Stack, shared: u32, entry: Entry, argument: *mut c_void) -> Result<Made, Errno> {
    let mut pidfd: c_int = -1;
    let args = CloneArgs {
        flags: CLONE_CLEAR_SIGHAND | u64::from(shared) | u64::from(libc::CLONE_PIDFD.cast_unsigned()),
        pidfd: (&raw mut pidfd).expose_provenance() as u64,
        exit_signal: libc::SIGCHLD.cast_unsigned().into(),
        stack: stack.bottom().expose_provenance() as u64,
        stack_size: STACK as u64,
        ..CloneArgs::default()
    };
    // SAFETY: the caller's; `args` and the pidfd live on this stack, on which the child does not run.
    let returned = unsafe { enter_clone3(&args, entry, argument) };
    match i32::try_from(returned) {
        Ok(pid) if pid >= 0 => Ok(Made { pid, pidfd }),
        Ok(error) => Err(Errno::from_raw(-error)),
        Err(_) => Err(Errno::EINVAL),
    }
}

/// Makes the system call, after which the child calls `entry(argument)` on its stack. With libc::syscall the child
/// would return into a frame of its parent; here it has no frame to return to. Returns the kernel's result, in the
/// parent.
///
/// # Safety
///
/// As for [`Cloner::spawn`]; `args` must name a stack.
#[cfg(target_arch = "x86_64")]
unsafe fn enter_clone3(args: &CloneArgs, entry: Entry, argument: *mut c_void) -> i64 {
    let returned: i64;
    // SAFETY: the caller's. The parent continues after the label with every register unchanged but those named; the
    // child gets an aligned stack, and a frame pointer of 0 as the end of the chain.
    unsafe {
        std::arch::asm!(
            "syscall",
            "test rax, rax",
            "jnz 2f",
            "xor ebp, ebp",
            "mov rdi, r12",
            "call r13",
            "ud2",
            "2:",
            inlateout("rax") libc::SYS_clone3 => returned,
            in("rdi") args,
            in("rsi") size_of::<CloneArgs>(),
            in("r12") argument,
            in("r13") entry,
            lateout("rcx") _,
            lateout("r11") _,
        );
    }
    returned
}

/// As on x86-64.
///
/// # Safety
///
/// As there.
#[cfg(target_arch = "aarch64")]
unsafe fn enter_clone3(args: &CloneArgs, entry: Entry, argument: *mut c_void) -> i64 {
    let returned: i64;
    // SAFETY: as on x86-64.
    unsafe {
        std::arch::asm!(
            "svc 0",
            "cbnz x0, 2f",
            "mov x29, xzr",
            "mov x30, xzr",
            "mov x0, x20",
            "blr x21",
            "brk #1",
            "2:",
            in("x8") libc::SYS_clone3,
            inlateout("x0") args => returned,
            in("x1") size_of::<CloneArgs>(),
            in("x20") argument,
            in("x21") entry,
        );
    }
    returned
}

/// On other machines, plain clone is used.
///
/// # Safety
///
/// None is needed.
#[cfg(not(any(target_arch = "x86_64", target_arch = "aarch64")))]
unsafe fn enter_clone3(_: &CloneArgs, _: Entry, _: *mut c_void) -> i64 {
    -i64::from(libc::ENOSYS)
}

/// Blocks all signals around the clone, so that no handler of the host runs in the child. pthread_sigmask does not
/// block the C library's internal signals: with those blocked, a setuid by the host would hang.
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

/// Whether CLONE_VM|CLONE_VFORK really shares memory here. Under emulators (Valgrind, qemu-user, WSL 1) it is a fork:
/// what the child writes never reaches the parent. Tested once per process. The test's child has no exit signal, so the
/// host gets no SIGCHLD from it; an emulator may refuse that, which also means that memory is not shared.
pub(super) fn shares_memory() -> Result<bool, SysError> {
    static SHARES: OnceLock<bool> = OnceLock::new();
    if let Some(known) = SHARES.get() {
        return Ok(*known);
    }
    let stack = Stack::new()?;
    let reached = AtomicBool::new(false);
    let argument = (&raw const reached).cast_mut().cast::<c_void>();
    let blocked = block_signals();
    // SAFETY: `leave_a_mark` runs on `stack` and accesses only `reached`, both alive until clone returns.
    let pid = unsafe { libc::clone(leave_a_mark, stack.top(), libc::CLONE_VM | libc::CLONE_VFORK, argument) };
    let made = Errno::result(pid);
    restore_signals(&blocked);
    match made {
        Ok(pid) => reap(pid),
        Err(Errno::EINVAL) => {}
        Err(e) => return Err(SysError::new("clone", e)),
    }
    Ok(*SHARES.get_or_init(|| reached.load(Ordering::Acquire)))
}

extern "C" fn leave_a_mark(reached: *mut c_void) -> c_int {
    // SAFETY: `shares_memory` passes an AtomicBool that outlives the child.
    unsafe { &*reached.cast::<AtomicBool>() }.store(true, Ordering::Release);
    // SAFETY: ends this process without running anything of the host's.
    unsafe { libc::_exit(0) }
}

/// Reaps a child and discards its status.
pub(super) fn reap(pid: i32) {
    loop {
        // SAFETY: integers and a null pointer; the child is ours, and dead or about to be.
        let reaped = unsafe { libc::waitpid(pid, ptr::null_mut(), libc::__WALL) };
        if reaped >= 0 || Errno::last() != Errno::EINTR {
            return;
        }
    }
}
