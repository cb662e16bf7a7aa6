//! personality(2), and of prctl(2) what belongs to no other subject.

use nix::errno::Errno;

use super::{number, prctl, prctl_int};
use crate::scenario::Caller;

// From <linux/prctl.h>: the libc crate lacks them, or not for every C library.
const PR_SET_IO_FLUSHER: i32 = 57;
const PR_SPEC_STORE_BYPASS: u64 = 0;
const PR_SPEC_INDIRECT_BRANCH: u64 = 1;
const PR_SPEC_L1D_FLUSH: u64 = 2;

/// The argument that asks and does not set (personality(2)).
const ASK: u64 = 0xffff_ffff;

pub fn personality() -> String {
    // SAFETY: an integer only.
    let got = Errno::result(unsafe { libc::personality(ASK) });
    got.map_or_else(|e| number(Err(e)), |p| format!("{p:#x}"))
}

pub fn parent_death_signal() -> String {
    prctl_int(libc::PR_GET_PDEATHSIG)
}

pub fn subreaper() -> String {
    prctl_int(libc::PR_GET_CHILD_SUBREAPER)
}

pub fn tsc() -> String {
    prctl_int(libc::PR_GET_TSC)
}

pub fn mce_kill() -> String {
    number(prctl(libc::PR_MCE_KILL_GET, 0))
}

/// PR_GET_IO_FLUSHER needs CAP_SYS_RESOURCE, so it is read from the task's flags: PF_MEMALLOC_NOIO and PF_LOCAL_THROTTLE
/// of the kernel's sched.h, the 9th field of /proc/PID/stat.
pub fn io_flusher() -> String {
    const BOTH: u32 = 0x0018_0000;
    let text = std::fs::read_to_string("/proc/self/stat").unwrap();
    let flags: u32 = text.rsplit_once(')').unwrap().1.split_whitespace().nth(6).unwrap().parse().unwrap();
    (flags & BOTH == BOTH).to_string()
}

pub fn speculation() -> String {
    let kinds = [
        ("store bypass", PR_SPEC_STORE_BYPASS),
        ("indirect branch", PR_SPEC_INDIRECT_BRANCH),
        ("L1D flush", PR_SPEC_L1D_FLUSH),
    ];
    let one = |(name, kind): (&str, u64)| format!("{name} {}", number(prctl(libc::PR_GET_SPECULATION_CTRL, kind)));
    kinds.into_iter().map(one).collect::<Vec<_>>().join(", ")
}

pub fn set(caller: &Caller) {
    if let Some(personality) = caller.personality {
        // SAFETY: an integer only.
        Errno::result(unsafe { libc::personality(personality) }).unwrap();
    }
    if let Some(signal) = caller.parent_death_signal {
        prctl(libc::PR_SET_PDEATHSIG, signal).unwrap();
    }
    if caller.subreaper {
        prctl(libc::PR_SET_CHILD_SUBREAPER, 1).unwrap();
    }
    if caller.mce_kill {
        let (set, early) = (libc::PR_MCE_KILL_SET as u64, libc::PR_MCE_KILL_EARLY as u64);
        // SAFETY: integers only.
        Errno::result(unsafe { libc::prctl(libc::PR_MCE_KILL, set, early, 0u64, 0u64) }).unwrap();
    }
    if caller.io_flusher {
        prctl(PR_SET_IO_FLUSHER, 1).unwrap();
    }
}
