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

/// Every capability that the running kernel knows (cap_last_cap).
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
    let mut status = [0; STATUS_BYTES];
    let mut file = fs::File::open(format!("/proc/{pid}/status")).ok()?;
    // One read nearly always: it is made on every launch.
    let read = file.read(&mut status).ok()?;
    parse_sets(&status[..read]).or_else(|| {
        let mut long = status[..read].to_vec();
        file.read_to_end(&mut long).ok()?;
        parse_sets(&long)
    })
}

/// Read on every launch, so without the allocations of a whole parse. A forged name cannot mislead it: the kernel
/// escapes the newlines of `Name:`.
fn parse_sets(status: &[u8]) -> Option<CapSets> {
    let set = |name: &[u8]| {
        let line = status.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(name))?;
        let digits = std::str::from_utf8(line).ok()?.trim();
        u64::from_str_radix(digits, 16).ok().map(CapMask::from_bits)
    };
    Some(CapSets {
        inheritable: set(b"CapInh:")?,
        permitted: set(b"CapPrm:")?,
        effective: set(b"CapEff:")?,
        bounding: set(b"CapBnd:")?,
        ambient: set(b"CapAmb:").unwrap_or_default(),
    })
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
        && let Some((next, known)) = parent_or_guess(parent, session, |pid| chain.iter().any(|link| link.pid == pid))
    {
        chain.push(ChainLink { pid: next, comm: comm(next), known, helper_of: None });
        at = next;
    }
    chain
}

/// The next link of a chain and whether it is known: the parent, or for an orphan the leader of its session. `None` at
/// the end of the chain, and where it would run in a circle.
fn parent_or_guess(parent: i32, session: i32, seen: impl Fn(i32) -> bool) -> Option<(i32, bool)> {
    let orphaned = parent <= 1 && session > 1 && !seen(session);
    let next = if orphaned { session } else { parent };
    (next > 0 && !seen(next)).then_some((next, !orphaned))
}

/// The process whose engine started this process or one of its ancestors as a helper (REQ-12): the parent of one that
/// leads its session, which runs the executable that this process runs and has an engine. An executable that may not be
/// looked at is another one.
pub(super) fn same_executable_above() -> Option<i32> {
    let identity = |pid: i32| fs::metadata(format!("/proc/{pid}/exe")).ok().map(|m| (m.dev(), m.ino()));
    let mut at = nix::unistd::getpid().as_raw();
    let mine = identity(at)?;
    let mut seen = vec![at];
    while seen.len() < CHAIN {
        let (parent, session) = parent_and_session(at)?;
        if session == at && parent > 0 && identity(parent) == Some(mine) && has_engine(parent) {
            return Some(parent);
        }
        at = parent_or_guess(parent, session, |pid| seen.contains(&pid))?.0;
        seen.push(at);
    }
    None
}

/// Whether a process has a thread with the name of an engine's first one. The main thread does not count: it has the
/// name of the executable, which may be `khelper` too.
fn has_engine(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let main = pid.to_string();
    threads.flatten().any(|thread| {
        thread.file_name() != main.as_str()
            && fs::read(thread.path().join("comm")).is_ok_and(|name| name == b"khelper\n")
    })
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
