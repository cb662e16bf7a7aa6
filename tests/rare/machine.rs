//! What the thread and the process of a console are deprived of before its engine starts.

use libc::{BPF_ABS, BPF_JEQ, BPF_JMP, BPF_K, BPF_LD, BPF_RET, BPF_W, SECCOMP_RET_ALLOW, SECCOMP_RET_ERRNO};
use libc::{sock_filter, sock_fprog};
use nix::errno::Errno;
use nix::sys::resource::{Resource, getrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use rustix::thread::CapabilitySet;

/// Where seccomp(2) has the number of a call, and the lower half of its second argument (little-endian).
const NUMBER: u32 = 0;
const SECOND: u32 = 24;
/// linux/pidfd.h: asks for what a pidfd knows, in the size of its first version.
const PIDFD_GET_INFO: u64 = nix::request_code_readwrite!(0xff, 11, 64);

/// From here on the kernel answers that call, on this thread and those that it starts, with an error; if `second` is
/// given, only with that second argument.
fn forbid(call: libc::c_long, second: Option<u64>, errno: Errno) {
    let op = |code: u32, k: u32, jf: u8| sock_filter { code: code as u16, jt: 0, jf, k };
    let load = |at| op(BPF_LD | BPF_W | BPF_ABS, at, 0);
    let unless = |k, jf| op(BPF_JMP | BPF_JEQ | BPF_K, k, jf);
    let low = |n: u64| u32::try_from(n).unwrap();
    let mut filter = vec![load(NUMBER), unless(u32::try_from(call).unwrap(), if second.is_some() { 3 } else { 1 })];
    filter.extend(second.into_iter().flat_map(|second| [load(SECOND), unless(low(second), 1)]));
    filter.push(op(BPF_RET | BPF_K, SECCOMP_RET_ERRNO | errno as u32, 0));
    filter.push(op(BPF_RET | BPF_K, SECCOMP_RET_ALLOW, 0));
    let program = sock_fprog { len: filter.len().try_into().unwrap(), filter: filter.as_mut_ptr() };
    rustix::thread::set_no_new_privs(true).unwrap();
    // SAFETY: the kernel copies the program, which lives until the call returns.
    let set = unsafe { libc::prctl(libc::PR_SET_SECCOMP, libc::SECCOMP_MODE_FILTER, &raw const program) };
    Errno::result(set).unwrap();
}

/// An inheritable set that would have to be cut, and no way to.
pub fn forbid_capset() {
    let mut sets = rustix::thread::capabilities(None).unwrap();
    sets.inheritable = sets.permitted;
    rustix::thread::set_capabilities(None, sets).unwrap();
    forbid(libc::SYS_capset, None, Errno::EPERM);
}

/// As before Linux 6.15.
pub fn keep_no_status() {
    forbid(libc::SYS_ioctl, Some(PIDFD_GET_INFO), Errno::ENOTTY);
}

pub fn ignore_sigchld() {
    // SAFETY: SIG_IGN runs no code of ours.
    unsafe { signal(Signal::SIGCHLD, SigHandler::SigIgn) }.unwrap();
}

pub fn give_up_setpcap() {
    let mut sets = rustix::thread::capabilities(None).unwrap();
    for set in [&mut sets.effective, &mut sets.permitted, &mut sets.inheritable] {
        set.remove(CapabilitySet::SETPCAP);
    }
    rustix::thread::set_capabilities(None, sets).unwrap();
}

/// Whether a core dump is a file in the helper's own folder, and nowhere else (core(5)).
pub fn core_is_ours() -> bool {
    let pattern = std::fs::read_to_string("/proc/sys/kernel/core_pattern").unwrap();
    let elsewhere = pattern.starts_with(['|', '@']) || pattern.contains('/') || pattern.trim().is_empty();
    !elsewhere && getrlimit(Resource::RLIMIT_CORE).unwrap().1 > 0
}
