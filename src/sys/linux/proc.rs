//! What /proc tells. It may be absent: everything here has an answer for that.

use std::fs;
use std::io::Read;
use std::os::unix::fs::MetadataExt;

use crate::abi::cap::{CapMask, CapSets};
use crate::abi::who::{ChainLink, Comm, Requester};

/// The longest chain that is followed.
const CHAIN: usize = 64;
/// Where the capability sets stand in a status, unless its list of groups is very long.
const STATUS_BYTES: usize = 4096;
/// CAP_CHECKPOINT_RESTORE, the last one this program has a name for.
const LAST_NAMED: u8 = 40;

/// Every capability that the running kernel knows, by /proc/sys/kernel/cap_last_cap; for a kernel that does not answer
/// itself. Something else may be mounted there, so nothing depends on its being right.
pub(super) fn known() -> CapMask {
    let last = number("/proc/sys/kernel/cap_last_cap").and_then(|n| u8::try_from(n).ok());
    CapMask::up_to(last.unwrap_or(LAST_NAMED))
}

/// `kernel.threads-max` (REQ-3).
pub(super) fn threads_max() -> Option<u32> {
    number("/proc/sys/kernel/threads-max")
}

fn number(path: &str) -> Option<u32> {
    fs::read_to_string(path).ok()?.trim().parse().ok()
}

/// This process, as a requester.
pub(super) fn this_process() -> Requester {
    let pid = nix::unistd::getpid().as_raw();
    Requester { pid, uid: nix::unistd::getuid().as_raw(), comm: comm(pid) }
}

fn comm(pid: i32) -> Comm {
    let bytes = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    Comm::new(bytes.strip_suffix(b"\n").unwrap_or(&bytes))
}

/// The five sets of a process, a zombie's too (proc_pid_status(5)).
pub(super) fn sets_of(pid: i32) -> Option<CapSets> {
    parse_status(fs::File::open(format!("/proc/{pid}/status")).ok()?, parse_sets)
}

/// What /proc/thread-self/status tells of the calling thread.
#[derive(Clone, Copy)]
pub(super) struct ThisThread {
    /// The five sets.
    pub(super) sets: CapSets,
    /// The number of seccomp filters; `None` before Linux 5.9.
    pub(super) filters: Option<u32>,
}

/// `None` too if /proc is no procfs: another file system can say anything.
pub(super) fn this_thread() -> Option<ThisThread> {
    let file = fs::File::open("/proc/thread-self/status").ok()?;
    let is_proc = rustix::fs::fstatfs(&file).is_ok_and(|on| on.f_type == rustix::fs::PROC_SUPER_MAGIC);
    if !is_proc {
        return None;
    }
    parse_status(file, |status| {
        // A kernel without seccomp has no filters; with it, the line stands below the sets.
        let filters = match line(status, b"Seccomp:") {
            None => Some(0),
            Some(_) => line(status, b"Seccomp_filters:").and_then(|n| n.parse().ok()),
        };
        // The last of the lines that are read here: a status that was cut off is read to its end.
        line(status, b"Cpus_allowed:")?;
        Some(ThisThread { sets: parse_sets(status)?, filters })
    })
}

/// What `parse` finds in a status; a long one, with a long list of groups, is read to its end.
fn parse_status<T>(mut file: fs::File, parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut status = [0; STATUS_BYTES];
    // One read nearly always: it is made on every launch.
    let read = file.read(&mut status).ok()?;
    parse(&status[..read]).or_else(|| {
        let mut long = status[..read].to_vec();
        file.read_to_end(&mut long).ok()?;
        parse(&long)
    })
}

/// Read on every launch, so without the allocations of a whole parse. A forged name cannot mislead it: the kernel
/// escapes the newlines of `Name:`.
fn parse_sets(status: &[u8]) -> Option<CapSets> {
    let set = |name: &[u8]| u64::from_str_radix(line(status, name)?, 16).ok().map(CapMask::from_bits);
    Some(CapSets {
        inheritable: set(b"CapInh:")?,
        permitted: set(b"CapPrm:")?,
        effective: set(b"CapEff:")?,
        bounding: set(b"CapBnd:")?,
        ambient: set(b"CapAmb:")?,
    })
}

/// The value of a line of a status.
fn line<'a>(status: &'a [u8], name: &[u8]) -> Option<&'a str> {
    let value = status.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(name))?;
    std::str::from_utf8(value).ok().map(str::trim)
}

/// Parent and session of a process.
fn parent_and_session(pid: i32) -> Option<(i32, i32)> {
    let stat = procfs::process::Process::new(pid).ok()?.stat().ok()?;
    Some((stat.ppid, stat.session))
}

/// Who started whom, nearest first. Where a parent has died, the leader of the session is the best guess, and said to
/// be one: a helper leads its session, and a session outlives its leader (REQ-12).
pub(super) fn ancestry(pid: i32) -> Vec<ChainLink> {
    let mut chain = vec![ChainLink { pid, comm: comm(pid), known: true, helper_of: None }];
    let mut at = pid;
    while chain.len() < CHAIN
        && let Some((parent, session)) = parent_and_session(at)
    {
        let orphaned = parent <= 1 && session > 1 && chain.iter().all(|link| link.pid != session);
        let next = if orphaned { session } else { parent };
        if next <= 0 || chain.iter().any(|link| link.pid == next) {
            break;
        }
        chain.push(ChainLink { pid: next, comm: comm(next), known: !orphaned, helper_of: None });
        at = next;
    }
    chain
}

/// The nearest living ancestor that runs the executable that this process runs (REQ-12). An executable that may not
/// be looked at is somebody else's.
pub(super) fn same_executable_above() -> Option<i32> {
    let identity = |pid: i32| fs::metadata(format!("/proc/{pid}/exe")).ok().map(|m| (m.dev(), m.ino()));
    let me = nix::unistd::getpid().as_raw();
    let mine = identity(me)?;
    let mut at = me;
    for _ in 0..CHAIN {
        at = parent_and_session(at)?.0;
        if at <= 0 {
            return None;
        }
        if identity(at) == Some(mine) {
            return Some(at);
        }
    }
    None
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umh_12_the_five_sets_are_read_and_a_forged_name_does_not_mislead() {
        let text = b"Name:\tCapInh:\\nff\nState:\tZ (zombie)\nCapInh:\t0000000000000001\nCapPrm:\t0000000000000002\n\
            CapEff:\t0000000000000003\nCapBnd:\t000001fffeffffff\nCapAmb:\t0000000000000000\n";
        let sets = parse_sets(text).unwrap();
        assert_eq!(
            (sets.inheritable.bits(), sets.permitted.bits(), sets.effective.bits(), sets.bounding.bits()),
            (1, 2, 3, 0x1ff_feff_ffff)
        );
        assert!(parse_sets(b"CapInh:\tzz\n").is_none());
        assert!(sets_of(nix::unistd::getpid().as_raw()).is_some());
    }

    #[test]
    fn req_12_the_chain_starts_here_and_goes_up() {
        let me = nix::unistd::getpid().as_raw();
        let chain = ancestry(me);
        assert_eq!((chain[0].pid, chain[0].known), (me, true));
        assert!(chain.len() > 1 && chain[1].pid == nix::unistd::getppid().as_raw());
        assert_eq!(same_executable_above(), None);
    }
}
