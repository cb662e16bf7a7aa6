//! Attributes of a thread that clone(2) copies to a child. A worker sets them once, and its helpers inherit them.
//!
//! Each function returns whether the thread has the helper's value now. A call that the kernel was built without
//! counts as that value: there is nothing to inherit. A call that is refused counts as not enforced, unless /proc
//! shows the helper's value.

use std::fs;

use libc::{c_int, c_long, c_ulong};
use nix::errno::Errno;
use rustix::process::setpriority_process;
use rustix::thread::set_thread_groups;

use crate::sys::attributes::{self, IOPRIO_WHO_PROCESS, SchedAttr, prctl, sched_getattr};

use super::super::keyring;

/// Enough for 8,192 CPUs; the kernel accepts a mask of any length.
const CPU_WORDS: usize = 128;
/// The timer slack of a kernel thread, in nanoseconds.
const TIMER_SLACK_NS: u64 = 50_000;
/// linux/sched.h: change nothing but the utilization clamps.
const SCHED_FLAG_KEEP_ALL: u64 = 0x08 | 0x10;
const SCHED_FLAG_UTIL_CLAMP: u64 = 0x20 | 0x40;
/// linux/prctl.h.
const PR_SET_SPECULATION_CTRL: c_int = 53;
const PR_SPEC_PRCTL: c_int = 1;
const PR_SPEC_ENABLE: c_int = 1 << 1;
const PR_SPEC_DISABLE: c_int = 1 << 2;
const PR_SET_IO_FLUSHER: c_int = 57;

fn sched_setattr(mut attr: SchedAttr) -> Result<(), Errno> {
    attr.size = u32::try_from(size_of::<SchedAttr>()).unwrap_or(0);
    // SAFETY: pid 0 is the calling thread; the structure lives on this stack and names its own size.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_setattr, 0, &raw const attr, 0u32) }).map(drop)
}

/// SCHED_OTHER without SCHED_RESET_ON_FORK and with the kernel's own time slice. The nice value is set apart.
pub(super) fn policy() -> bool {
    let nice = rustix::process::getpriority_process(None).unwrap_or(0);
    // Lower values need privilege even where the policy does not, so this call leaves the nice value alone.
    if sched_setattr(SchedAttr { nice, ..SchedAttr::default() }).is_err() {
        // The kernel's `struct sched_param`, of which the C libraries' is an extension.
        let priority: c_int = 0;
        // SAFETY: pid 0 is the calling thread; the parameter lives on this stack.
        unsafe { libc::syscall(libc::SYS_sched_setscheduler, 0, libc::SCHED_OTHER, &raw const priority) };
    }
    // The system calls themselves: musl's functions of these names always fail.
    // SAFETY: an integer only. The result includes SCHED_RESET_ON_FORK if that is set.
    unsafe { libc::syscall(libc::SYS_sched_getscheduler, 0) == c_long::from(libc::SCHED_OTHER) }
}

pub(super) fn nice() -> bool {
    setpriority_process(None, 0).is_ok()
}

/// Asks for every CPU; the kernel grants those of the cpuset. Returns whether these are all online CPUs.
pub(super) fn affinity() -> bool {
    let all = [u64::MAX; CPU_WORDS];
    let mut got = [0u64; CPU_WORDS];
    let bytes = size_of_val(&all);
    // SAFETY: pid 0 is the calling thread; both masks are `bytes` long.
    let known = unsafe {
        libc::sched_setaffinity(0, bytes, all.as_ptr().cast()) == 0
            && libc::sched_getaffinity(0, bytes, got.as_mut_ptr().cast()) == 0
    };
    let granted: u32 = got.iter().map(|word| word.count_ones()).sum();
    known && online_cpus().is_none_or(|online| granted >= online)
}

/// `0-3,5` in /sys/devices/system/cpu/online.
fn online_cpus() -> Option<u32> {
    let text = fs::read_to_string("/sys/devices/system/cpu/online").ok()?;
    text.trim().split(',').map(span).sum()
}

fn span(part: &str) -> Option<u32> {
    let (first, last) = part.split_once('-').unwrap_or((part, part));
    let (first, last): (u32, u32) = (first.parse().ok()?, last.parse().ok()?);
    (last >= first).then(|| last - first + 1)
}

/// Drops the supplementary groups. rustix changes only this thread; the C library's setgroups would change all of the host's.
pub(super) fn groups() -> bool {
    set_thread_groups(&[]).is_ok() || nix::unistd::getgroups().is_ok_and(|groups| groups.is_empty())
}

/// Resets the utilization clamps to the system's (Linux 5.11; before that, no value means "the system's").
pub(super) fn utilization() -> bool {
    let clamps = SchedAttr {
        flags: SCHED_FLAG_KEEP_ALL | SCHED_FLAG_UTIL_CLAMP,
        util_min: u32::MAX,
        util_max: u32::MAX,
        ..SchedAttr::default()
    };
    if sched_setattr(clamps).is_ok() {
        return true;
    }
    // Both read as 0 where the kernel has no clamps.
    sched_getattr().map_or_else(absent, |now| now.util_min == 0 && matches!(now.util_max, 0 | 1024))
}

/// Whether the thread has no core scheduling cookie. A cookie cannot be removed, only replaced.
pub(super) fn core_scheduling() -> bool {
    // ENODEV: no CPU here runs two threads.
    attributes::core_scheduling_cookie().map_or_else(|e| e == Errno::ENODEV || absent(e), |cookie| cookie == 0)
}

pub(super) fn io_priority() -> bool {
    // SAFETY: integers only; 0 is the calling thread, and the value IOPRIO_CLASS_NONE.
    let set = unsafe { libc::syscall(libc::SYS_ioprio_set, IOPRIO_WHO_PROCESS, 0, 0) };
    Errno::result(set).is_ok() || attributes::io_priority().map_or_else(absent, |now| now == 0)
}

/// 50 us, as the kernel's own helpers have. The thread's default is of no use: it is the creating thread's value.
pub(super) fn timer_slack() -> bool {
    let set = prctl(libc::PR_SET_TIMERSLACK, TIMER_SLACK_NS as c_ulong, 0);
    set.and_then(|_| attributes::timer_slack()) == Ok(TIMER_SLACK_NS)
}

/// MPOL_DEFAULT.
pub(super) fn numa_policy() -> bool {
    // SAFETY: MPOL_DEFAULT takes no set of nodes.
    let set = unsafe { libc::syscall(libc::SYS_set_mempolicy, libc::MPOL_DEFAULT, 0usize, 0usize) };
    Errno::result(set).is_ok() || attributes::numa_policy().as_deref() == Some("default")
}

/// PER_LINUX without flags.
pub(super) fn personality() -> bool {
    // SAFETY: an integer only; it affects only the calling thread.
    let set = unsafe { libc::syscall(libc::SYS_personality, 0 as c_ulong) };
    Errno::result(set).is_ok()
        || fs::read_to_string("/proc/thread-self/personality").is_ok_and(|now| now.trim().bytes().all(|b| b == b'0'))
}

/// Whether no securebit but SECBIT_KEEP_CAPS is set, which exec clears.
pub(super) fn securebits() -> bool {
    const KEEP_CAPS: c_int = 1 << 4;
    prctl(libc::PR_GET_SECUREBITS, 0, 0).is_ok_and(|now| now & !KEEP_CAPS == 0)
}

/// Sets speculation to the machine's default, for each feature that a thread can control.
pub(super) fn speculation() -> bool {
    // Store bypass and indirect branches are on by default, flushing of the L1 cache (number 2) is off.
    [(0, PR_SPEC_ENABLE), (1, PR_SPEC_ENABLE), (2, PR_SPEC_DISABLE)].into_iter().all(|(which, default)| {
        match attributes::speculation(which) {
            // The same for every thread of this machine.
            Ok(state) if state & PR_SPEC_PRCTL == 0 => true,
            Ok(state) if state & default != 0 => true,
            Ok(_) => {
                // Refused if it was disabled permanently (PR_SPEC_FORCE_DISABLE).
                let _ = prctl(PR_SET_SPECULATION_CTRL, which, default as c_ulong);
                attributes::speculation(which).is_ok_and(|state| state & default != 0)
            }
            Err(e) => matches!(e, Errno::ENODEV | Errno::ENXIO) || absent(e),
        }
    })
}

/// Resets the policy on memory errors to the system's.
pub(super) fn machine_check() -> bool {
    prctl(libc::PR_MCE_KILL, libc::PR_MCE_KILL_CLEAR as c_ulong, 0).is_ok()
        || prctl(libc::PR_MCE_KILL_GET, 0, 0).map_or_else(absent, |now| now == libc::PR_MCE_KILL_DEFAULT)
}

/// Needs CAP_SYS_RESOURCE, even if the state does not change.
pub(super) fn io_flusher() -> bool {
    prctl(PR_SET_IO_FLUSHER, 0, 0).map_or_else(|e| absent(e) || attributes::io_flusher() == Some(false), |_| true)
}

#[cfg(target_arch = "x86_64")]
pub(super) fn timestamp_counter() -> bool {
    prctl(libc::PR_SET_TSC, libc::PR_TSC_ENABLE as c_ulong, 0).map_or_else(absent, |_| true)
}

/// Drops permissions for I/O ports, which needs no privilege.
#[cfg(target_arch = "x86_64")]
pub(super) fn io_ports() -> bool {
    // SAFETY: integers only; only the calling thread loses its permissions.
    let given_up = unsafe { [libc::syscall(libc::SYS_iopl, 0), libc::syscall(libc::SYS_ioperm, 0, 0x1_0000, 0)] };
    given_up.into_iter().all(|done| Errno::result(done).map_or_else(absent, |_| true))
}

/// Drops the authority over a key that is being requested, and the default keyring for requested keys.
pub(super) fn key_requests() -> bool {
    keyring::drop_authority()
}

/// Whether the error means that the kernel was built without the call.
fn absent(e: Errno) -> bool {
    matches!(e, Errno::ENOSYS | Errno::EINVAL | Errno::EOPNOTSUPP)
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Runs on a thread that ends afterwards, so that the changes affect no other test.
    fn on_a_thread(test: impl FnOnce() + Send + 'static) {
        std::thread::spawn(test).join().unwrap();
    }

    #[test]
    fn umh_9_cpus_online_are_counted() {
        assert_eq!((span("0-3"), span("5"), span("x"), span("3-1")), (Some(4), Some(1), None, None));
        assert!(online_cpus().is_none_or(|n| n > 0));
    }

    /// Only for this thread: a whole process without the counter would crash, since its clock reads it.
    #[cfg(target_arch = "x86_64")]
    #[test]
    fn umh_9_the_timestamp_counter_can_be_read() {
        on_a_thread(|| {
            let counter = || {
                let mut now: c_int = 0;
                // SAFETY: the kernel writes one int to `now`.
                assert_eq!(unsafe { libc::prctl(libc::PR_GET_TSC, &raw mut now) }, 0);
                now
            };
            prctl(libc::PR_SET_TSC, libc::PR_TSC_SIGSEGV as c_ulong, 0).unwrap();
            let (before, reset, after) = (counter(), timestamp_counter(), counter());
            assert_eq!((before, reset, after), (libc::PR_TSC_SIGSEGV, true, libc::PR_TSC_ENABLE));
        });
    }

    /// Whether a child of this thread may read an I/O port.
    #[cfg(target_arch = "x86_64")]
    fn child_reads_a_port() -> bool {
        // SAFETY: the child executes one instruction and ends; port 0x80 is the POST code port, which is harmless to
        // read.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: as above; SIGSEGV is at its default so that it ends the child.
            unsafe {
                libc::signal(libc::SIGSEGV, libc::SIG_DFL);
                std::arch::asm!("in al, dx", in("dx") 0x80u16, out("al") _);
                libc::_exit(0);
            }
        }
        let mut status = 0;
        // SAFETY: the status is written to this stack.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        status == 0
    }

    #[cfg(target_arch = "x86_64")]
    #[test]
    fn umh_9_io_ports_are_given_up() {
        on_a_thread(|| {
            // SAFETY: integers only.
            let had = unsafe { libc::syscall(libc::SYS_ioperm, 0x80, 1, 1) };
            if Errno::result(had) == Err(Errno::ENOSYS) {
                return println!("this kernel has no I/O port permissions");
            }
            if let Err(e) = Errno::result(had) {
                let why = format!("skipped: this process may not use I/O ports: {e}\n");
                let _ = std::io::Write::write_all(&mut std::io::stderr(), why.as_bytes());
                return;
            }
            assert!(child_reads_a_port(), "a child inherits the port unless it is reset");
            assert!(io_ports());
            assert!(!child_reads_a_port());
        });
    }

    #[test]
    fn umh_9_requested_keys_go_to_the_default_keyring() {
        on_a_thread(|| {
            // KEYCTL_SET_REQKEY_KEYRING: the session keyring; then, with -1, what it is now.
            // SAFETY: integers only.
            let set = |to: c_int| Errno::result(unsafe { libc::syscall(libc::SYS_keyctl, 14, to) });
            if set(3).is_err() {
                assert!(!keyring::exist());
                return;
            }
            assert_eq!(set(-1), Ok(3));
            assert!(key_requests());
            assert_eq!(set(-1), Ok(0));
        });
    }
}
