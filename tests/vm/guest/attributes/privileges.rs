//! What a process may do beside its capabilities, and under whose name.

use std::io::Read;

use nix::errno::Errno;
use nix::unistd::{ForkResult, fork};

use super::{file, number, prctl};
use crate::scenario::Caller;

pub fn securebits() -> String {
    prctl(libc::PR_GET_SECUREBITS, 0).map_or_else(|e| number(Err(e)), |bits| format!("{bits:#x}"))
}

pub fn keep_caps() -> String {
    number(prctl(libc::PR_GET_KEEPCAPS, 0))
}

/// PR_GET_SECCOMP would kill a process in strict mode; /proc tells the number of filters too.
pub fn seccomp() -> String {
    let status = std::fs::read_to_string("/proc/self/status").unwrap();
    let value = |name: &str| status.lines().find_map(|l| l.strip_prefix(name)).map_or("?", str::trim).to_owned();
    format!("mode {}, {} filters", value("Seccomp:"), value("Seccomp_filters:"))
}

/// Only what is forbidden can be seen of a domain (landlock(7)). The folder is anybody's.
pub fn landlock() -> String {
    let link = format!("/tmp/landlock-{}", std::process::id());
    match std::os::unix::fs::symlink("/nowhere", &link) {
        Ok(()) => {
            std::fs::remove_file(&link).unwrap();
            "not restricted".into()
        }
        Err(e) if e.raw_os_error() == Some(libc::EACCES) => "restricted".into(),
        Err(e) => number(Err(Errno::from_raw(e.raw_os_error().unwrap_or(0)))),
    }
}

pub fn lsm_label() -> String {
    file("/proc/self/attr/current")
}

/// What it reads as before anybody has logged in is -1 without a sign.
pub fn login_uid() -> String {
    let uid = file("/proc/self/loginuid");
    if uid == u32::MAX.to_string() { "not set".into() } else { uid }
}

/// Port 0x80, which nothing minds to have read. A process that may not is killed by SIGSEGV, so a child tries.
pub fn io_ports() -> String {
    let (read, write) = nix::unistd::pipe().unwrap();
    // SAFETY: whoever reads this has one thread; the child does nothing but system calls.
    match unsafe { fork() }.unwrap() {
        ForkResult::Child => {
            read_port();
            let _ = nix::unistd::write(&write, b"y");
            // SAFETY: ends the child without running what belongs to its parent.
            unsafe { libc::_exit(0) }
        }
        ForkResult::Parent { child } => {
            drop(write);
            let mut answer = Vec::new();
            std::fs::File::from(read).read_to_end(&mut answer).unwrap();
            // Where SIGCHLD is ignored there is nothing to reap.
            let _ = nix::sys::wait::waitpid(child, None);
            if answer.is_empty() { "refused".into() } else { "allowed".into() }
        }
    }
}

#[cfg(target_arch = "x86_64")]
fn read_port() {
    // SAFETY: reads a byte into a register; where that is not allowed the signal ends this process.
    unsafe { std::arch::asm!("in al, 0x80", out("al") _, options(nomem, nostack, preserves_flags)) };
}

#[cfg(not(target_arch = "x86_64"))]
fn read_port() {
    unreachable!("the machine that this runs in is an x86-64");
}

pub fn set(caller: &Caller) {
    if let Some(uid) = caller.login_uid {
        std::fs::write("/proc/self/loginuid", uid.to_string()).unwrap();
    }
    #[cfg(target_arch = "x86_64")]
    if caller.io_ports {
        // SAFETY: integers only.
        Errno::result(unsafe { libc::syscall(libc::SYS_ioperm, 0x80, 1, 1) }).unwrap();
    }
}

/// No ambient capability can be raised under some securebits.
pub fn set_last(caller: &Caller) {
    if let Some(bits) = caller.securebits {
        prctl(libc::PR_SET_SECUREBITS, bits).unwrap();
    }
    if caller.keep_caps {
        prctl(libc::PR_SET_KEEPCAPS, 1).unwrap();
    }
    if caller.seccomp {
        allow_everything();
    }
    if caller.landlock {
        forbid_symbolic_links();
    }
}

/// A filter of one instruction.
fn allow_everything() {
    let mut code = libc::sock_filter {
        code: u16::try_from(libc::BPF_RET | libc::BPF_K).unwrap(),
        jt: 0,
        jf: 0,
        k: libc::SECCOMP_RET_ALLOW,
    };
    let program = libc::sock_fprog { len: 1, filter: &raw mut code };
    // SAFETY: the kernel copies the program, which lives on this stack.
    let done = unsafe { libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0, &raw const program) };
    Errno::result(done).unwrap();
}

/// LANDLOCK_ACCESS_FS_MAKE_SYM, with no rule that allows it anywhere.
fn forbid_symbolic_links() {
    let handled = 1u64 << 12;
    // SAFETY: the kernel reads the 8 bytes of the attribute's first version from this stack.
    let ruleset = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, &raw const handled, 8usize, 0) };
    let ruleset = Errno::result(ruleset).unwrap();
    // SAFETY: integers only; the descriptor was made above and is used nowhere else.
    unsafe {
        Errno::result(libc::syscall(libc::SYS_landlock_restrict_self, ruleset, 0)).unwrap();
        libc::syscall(libc::SYS_close, ruleset);
    }
}
