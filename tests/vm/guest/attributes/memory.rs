//! Attributes of the address space, which execve(2) copies to the new one; and the NUMA policy.

use nix::errno::Errno;

use super::{file, number, prctl};
use crate::scenario::Caller;

/// Room for 1,024 nodes.
const NODE_WORDS: usize = 16;

pub fn numa_policy() -> String {
    let (mut mode, mut nodes) = (0i32, [0u64; NODE_WORDS]);
    // SAFETY: the kernel writes an int and at most NODE_WORDS * 64 bits; no address is asked for.
    let got = Errno::result(unsafe {
        libc::syscall(libc::SYS_get_mempolicy, &raw mut mode, nodes.as_mut_ptr(), NODE_WORDS * 64, 0usize, 0usize)
    });
    match got {
        Ok(_) => format!("mode {mode} nodes {:#x}", nodes[0]),
        Err(e) => number(Err(e)),
    }
}

pub fn thp_disable() -> String {
    number(prctl(libc::PR_GET_THP_DISABLE, 0))
}

pub fn ksm_merge() -> String {
    number(prctl(libc::PR_GET_MEMORY_MERGE, 0))
}

pub fn deny_write_execute() -> String {
    number(prctl(libc::PR_GET_MDWE, 0))
}

pub fn core_filter() -> String {
    file("/proc/self/coredump_filter")
}

pub fn dumpable() -> String {
    number(prctl(libc::PR_GET_DUMPABLE, 0))
}

pub fn set(caller: &Caller) {
    if let Some(mode) = caller.numa_policy {
        let nodes = [1u64; 1];
        // SAFETY: the kernel reads 64 bits, one of which, the last, it passes over (set_mempolicy(2)).
        let done = unsafe { libc::syscall(libc::SYS_set_mempolicy, mode, nodes.as_ptr(), 64usize) };
        Errno::result(done).unwrap();
    }
    if caller.thp_disable {
        prctl(libc::PR_SET_THP_DISABLE, 1).unwrap();
    }
    if caller.ksm_merge {
        prctl(libc::PR_SET_MEMORY_MERGE, 1).unwrap();
    }
    if let Some(filter) = caller.core_filter {
        std::fs::write("/proc/self/coredump_filter", format!("{filter:#x}")).unwrap();
    }
}

/// No thread can be given a stack that is executable, or memory, that it turns executable, after that.
pub fn set_last(caller: &Caller) {
    if caller.deny_write_execute {
        prctl(libc::PR_SET_MDWE, u64::from(libc::PR_MDWE_REFUSE_EXEC_GAIN)).unwrap();
    }
    if caller.not_dumpable {
        prctl(libc::PR_SET_DUMPABLE, 0).unwrap();
    }
}
