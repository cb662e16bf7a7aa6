//! What /proc tells. It may be absent: everything here has an answer for that.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};

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

/// A file of /proc about this process or thread that is read at every launch. It is kept open where the descriptor table
/// is the worker's; in the host's table it is opened each time.
pub(super) struct ProcFile {
    path: &'static str,
    kept: Option<fs::File>,
}

impl ProcFile {
    pub(super) fn new(path: &'static str, keep: bool) -> Self {
        Self { path, kept: if keep { fs::File::open(path).ok() } else { None } }
    }

    /// What one read gives: all of a short file.
    fn read<'a>(&self, buffer: &'a mut [u8]) -> Option<&'a [u8]> {
        let got = match &self.kept {
            Some(file) => file.read_at(buffer, 0),
            None => fs::File::open(self.path).and_then(|mut file| file.read(buffer)),
        };
        buffer.get(..got.ok()?)
    }

    /// Its only number, hexadecimal.
    pub(super) fn hex(&self) -> Option<u32> {
        u32::from_str_radix(std::str::from_utf8(self.read(&mut [0; 16])?).ok()?.trim(), 16).ok()
    }

    /// Its only number, decimal.
    pub(super) fn number(&self) -> Option<i32> {
        std::str::from_utf8(self.read(&mut [0; 16])?).ok()?.trim().parse().ok()
    }

    /// `SigIgn:` of a status: the signals that this process ignores, signal 1 in bit 0.
    pub(super) fn ignored_signals(&self) -> Option<u64> {
        line_in_hex(self.read(&mut [0; STATUS_BYTES])?, b"SigIgn:")
    }
}

/// The hexadecimal number on the line of a status that starts with `name`. A forged process name cannot mislead it: the
/// kernel escapes the newlines of `Name:`.
fn line_in_hex(status: &[u8], name: &[u8]) -> Option<u64> {
    let line = status.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(name))?;
    u64::from_str_radix(std::str::from_utf8(line).ok()?.trim(), 16).ok()
}

/// The five sets of a process, a zombie's too (proc_pid_status(5)).
pub(super) fn sets_of(pid: i32) -> Option<CapSets> {
    sets_in(status_of(pid)?)
}

/// The status of a process, to be read later; it stays that process's, whoever gets the pid next.
pub(super) fn status_of(pid: i32) -> Option<fs::File> {
    fs::File::open(format!("/proc/{pid}/status")).ok()
}

/// The five sets in a status.
pub(super) fn sets_in(mut file: fs::File) -> Option<CapSets> {
    let mut status = [0; STATUS_BYTES];
    // One read nearly always: it is made on every launch.
    let read = file.read(&mut status).ok()?;
    parse_sets(&status[..read]).or_else(|| {
        let mut long = status[..read].to_vec();
        file.read_to_end(&mut long).ok()?;
        parse_sets(&long)
    })
}

/// Read on every launch, so without the allocations of a whole parse.
fn parse_sets(status: &[u8]) -> Option<CapSets> {
    let set = |name: &[u8]| line_in_hex(status, name).map(CapMask::from_bits);
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
