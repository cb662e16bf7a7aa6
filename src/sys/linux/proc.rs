//! Reads /proc. It may be absent: every function here has a result for that case.

use std::fs;
use std::io::Read;
use std::os::unix::fs::{FileExt, MetadataExt};

use super::place::place;
use super::stat::{Stat, start_time};
use crate::abi::actor::{Actor, Comm, Origin};
use crate::abi::cap::{CapMask, CapSets};
use crate::sys::search::{find, find_byte};

/// The longest way up that is followed.
const CHAIN: usize = 64;
/// The part of a status that contains the capability sets, unless its list of groups is very long.
const STATUS_BYTES: usize = 4096;
/// The names of an engine's threads (`engine::workers`), as /proc shows them.
const ENGINE_THREADS: [&[u8]; 2] = [b"khelper\n", b"khelper-worker\n"];
/// More than the digits of any 32-bit number and a newline.
const NUMBER_BYTES: usize = 32;
/// CAP_CHECKPOINT_RESTORE, the last capability that this program has a name for.
const LAST_NAMED: u8 = 40;

/// Every capability that the running kernel knows, from /proc/sys/kernel/cap_last_cap; used if the system calls gave no
/// answer. Another file system may be mounted there, so no code depends on a correct value.
pub(super) fn known() -> CapMask {
    let last = number("/proc/sys/kernel/cap_last_cap").and_then(|n| u8::try_from(n).ok());
    CapMask::up_to(last.unwrap_or(LAST_NAMED))
}

/// `kernel.threads-max` (REQ-3). Opened for each request: the host program could close a descriptor that is kept open,
/// and its number could then be another file.
pub(super) fn threads_max() -> Option<u32> {
    number("/proc/sys/kernel/threads-max")
}

/// A small file that contains only a number. It is opened and read once, without a stat(2).
fn number(path: &str) -> Option<u32> {
    let mut text = [0; NUMBER_BYTES];
    let read = fs::File::open(path).ok()?.read(&mut text).ok()?;
    std::str::from_utf8(&text[..read]).ok()?.trim().parse().ok()
}

/// This process, as the library's caller, without its capabilities.
pub(super) fn this_process() -> Actor {
    let (pid, uid, gid) = (nix::unistd::getpid(), nix::unistd::getuid(), nix::unistd::getgid());
    Actor {
        start_time: start_time(pid.as_raw()),
        // proc_pid_loginuid(5): 4294967295 is "not set".
        loginuid: number("/proc/self/loginuid").filter(|uid| *uid != u32::MAX),
        comm: comm(pid.as_raw()),
        place: fs::read("/proc/self/cgroup").ok().and_then(|cgroups| place(&cgroups)),
        ..Actor::new(Origin::Library, pid.as_raw(), uid.as_raw(), gid.as_raw(), b"")
    }
}

fn comm(pid: i32) -> Comm {
    let bytes = fs::read(format!("/proc/{pid}/comm")).unwrap_or_default();
    Comm::new(bytes.strip_suffix(b"\n").unwrap_or(&bytes))
}

/// A file of /proc about this process or thread that is read at every launch. It is kept open if the worker has its own
/// descriptor table; in the host's table it is opened each time.
pub(super) struct ProcFile {
    path: &'static str,
    kept: Option<fs::File>,
}

impl ProcFile {
    pub(super) fn new(path: &'static str, keep: bool) -> Self {
        Self { path, kept: if keep { fs::File::open(path).ok() } else { None } }
    }

    /// The result of one read, which is all of a short file.
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
        u64::from_str_radix(line(self.read(&mut [0; STATUS_BYTES])?, b"SigIgn:")?, 16).ok()
    }
}

/// The five sets of a process, a zombie's too (proc_pid_status(5)).
pub(in crate::sys) fn sets_of(pid: i32) -> Option<CapSets> {
    sets_in(status_of(pid)?)
}

/// The status of a process, to be read later. The open file refers to that process even if the pid is reused.
pub(super) fn status_of(pid: i32) -> Option<fs::File> {
    fs::File::open(format!("/proc/{pid}/status")).ok()
}

/// The five sets in the text of a status.
pub(super) fn sets_in(file: impl Read) -> Option<CapSets> {
    parse_status(file, parse_sets)
}

/// What /proc/thread-self/status shows about the calling thread.
#[derive(Clone, Copy)]
pub(super) struct ThisThread {
    /// The five sets.
    pub(super) sets: CapSets,
    /// The number of seccomp filters; `None` before Linux 5.9.
    pub(super) filters: Option<u32>,
}

/// The state of the calling thread. `None` also if /proc is not procfs: another file system could contain anything.
pub(super) fn this_thread() -> Option<ThisThread> {
    let file = fs::File::open("/proc/thread-self/status").ok()?;
    let is_proc = rustix::fs::fstatfs(&file).is_ok_and(|on| on.f_type == rustix::fs::PROC_SUPER_MAGIC);
    if !is_proc {
        return None;
    }
    parse_status(file, |status| {
        // A kernel without seccomp has no filters; with seccomp, the line comes after the sets.
        let filters = match line(status, b"Seccomp:") {
            None => Some(0),
            Some(_) => line(status, b"Seccomp_filters:").and_then(|n| n.parse().ok()),
        };
        // The last line that is needed: if it is missing, the status was truncated and is read to its end.
        line(status, b"Cpus_allowed:")?;
        Some(ThisThread { sets: parse_sets(status)?, filters })
    })
}

/// Parses a status; one with a long list of groups is read to its end.
fn parse_status<T>(mut file: impl Read, parse: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut status = [0; STATUS_BYTES];
    // Nearly always one read is enough; this runs on every launch.
    let read = file.read(&mut status).ok()?;
    parse(&status[..read]).or_else(|| {
        let mut long = status[..read].to_vec();
        file.read_to_end(&mut long).ok()?;
        parse(&long)
    })
}

/// Runs on every launch, so it avoids the allocations of a full parser, and looks for each set only behind the last
/// one: the kernel prints them in this order, on lines that follow one another.
pub(super) fn parse_sets(status: &[u8]) -> Option<CapSets> {
    let mut rest = status;
    let mut set = |name: &[u8]| {
        let (value, behind) = find_line(rest, name)?;
        rest = behind;
        u64::from_str_radix(value, 16).ok().map(CapMask::from_bits)
    };
    Some(CapSets {
        inheritable: set(b"CapInh:")?,
        permitted: set(b"CapPrm:")?,
        effective: set(b"CapEff:")?,
        bounding: set(b"CapBnd:")?,
        ambient: set(b"CapAmb:")?,
    })
}

/// The value on the line of a status that starts with `name`; `None` also if the end of the line was not read. A forged
/// process name cannot mislead it: the kernel escapes newlines in `Name:`.
pub(in crate::sys) fn line<'a>(status: &'a [u8], name: &[u8]) -> Option<&'a str> {
    find_line(status, name).map(|(value, _)| value)
}

/// As [`line`], with the lines behind it.
fn find_line<'a>(status: &'a [u8], name: &[u8]) -> Option<(&'a str, &'a [u8])> {
    let mut at = 0;
    let rest = loop {
        let start = at + find(status.get(at..)?, name)?;
        at = start + name.len();
        // The middle of a line may contain the name too.
        if start == 0 || status.get(start - 1) == Some(&b'\n') {
            break status.get(at..)?;
        }
    };
    let (value, behind) = rest.split_at_checked(find_byte(rest, b'\n')?)?;
    Some((std::str::from_utf8(value).ok()?.trim(), behind.get(1..)?))
}

/// The parent of a process, or for an orphan the leader of its session: the best guess. `None` at the end, and if the
/// way up would form a loop.
fn parent_or_guess(stat: &Stat, seen: &[i32]) -> Option<i32> {
    let orphaned = stat.parent <= 1 && stat.session > 1 && !seen.contains(&stat.session);
    let next = if orphaned { stat.session } else { stat.parent };
    (next > 0 && !seen.contains(&next)).then_some(next)
}

/// The process whose engine started this process or one of its ancestors as a helper (REQ-12): the parent of a session
/// leader, if that parent runs the same executable as this process and has an engine. An executable that cannot be
/// examined counts as different.
pub(super) fn same_executable_above() -> Option<i32> {
    let identity = |pid: i32| fs::metadata(format!("/proc/{pid}/exe")).ok().map(|m| (m.dev(), m.ino()));
    let mut at = nix::unistd::getpid().as_raw();
    let mine = identity(at)?;
    let mut seen = vec![at];
    while seen.len() < CHAIN {
        let stat = Stat::of(at)?;
        let parent = stat.parent;
        if stat.session == at && parent > 0 && identity(parent) == Some(mine) && has_engine(parent) {
            return Some(parent);
        }
        at = parent_or_guess(&stat, &seen)?;
        seen.push(at);
    }
    None
}

/// Whether a process has a thread with the name of an engine's spawner or worker. A spawner may have ended (it serves
/// one call if the state of threads cannot be read), but the worker of a helper lives as long as the helper. The main
/// thread does not count: it has the name of the executable, which may also be `khelper`.
fn has_engine(pid: i32) -> bool {
    let Ok(threads) = fs::read_dir(format!("/proc/{pid}/task")) else { return false };
    let main = pid.to_string();
    threads.flatten().any(|thread| {
        thread.file_name() != main.as_str()
            && fs::read(thread.path().join("comm")).is_ok_and(|name| ENGINE_THREADS.contains(&name.as_slice()))
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
        for status in [&b"Cap"[..], b"xCap:\t1\n", b"Name:\tCap:\n", b"Cap:\t1", b"CapX:\t1\n", b""] {
            assert_eq!(line(status, b"Cap:"), None, "{status:?}");
        }
        let ends = [&b"Cap: 7\n"[..], b"Name:\tCap:\nCap:\t7\n", b"Cap:Cap:\nCap:\t7\n", b"\xff\nCap:\t7\nCap:\t8\n"];
        assert_eq!(ends.map(|status| line(status, b"Cap:")), [Some("7"), Some("7"), Some("Cap:"), Some("7")]);
        assert!(sets_of(nix::unistd::getpid().as_raw()).is_some());
    }

    /// A process in thousands of groups: the kernel gives its status page by page, and the sets stand far behind.
    #[test]
    fn umh_12_the_sets_of_a_long_status_are_read() {
        struct Pages<'a>(&'a [u8]);
        impl Read for Pages<'_> {
            fn read(&mut self, buffer: &mut [u8]) -> std::io::Result<usize> {
                let most = buffer.len().min(1024);
                self.0.read(&mut buffer[..most])
            }
        }
        let sets = "CapInh:\t0000000000000001\nCapPrm:\t0000000000000002\nCapEff:\t0000000000000003\n\
            CapBnd:\t0000000000000004\nCapAmb:\t0000000000000005\nNoNewPrivs:\t0\n";
        for groups in [0, 100, 900, 1000, 65_536] {
            let status = format!("Name:\tx\nGroups:\t{}\n{sets}", "4294967294 ".repeat(groups));
            for read in [sets_in(status.as_bytes()), sets_in(Pages(status.as_bytes()))] {
                let read = read.unwrap_or_else(|| panic!("nothing was found behind {groups} groups"));
                let bits = [read.inheritable, read.permitted, read.effective, read.bounding, read.ambient];
                assert_eq!(bits.map(CapMask::bits), [1, 2, 3, 4, 5], "{groups} groups");
            }
        }
        assert_eq!(sets_in(&b"Name:\tx\n"[..]), None);
        // The first read ends at any byte of the sets.
        for filler in STATUS_BYTES - 300..STATUS_BYTES {
            let status = format!("Groups:\t{}\n{sets}", "4".repeat(filler));
            let read = sets_in(status.as_bytes()).unwrap();
            let bits = [read.inheritable, read.permitted, read.effective, read.bounding, read.ambient];
            assert_eq!(bits.map(CapMask::bits), [1, 2, 3, 4, 5], "{filler}");
        }
    }

    /// The number of read system calls that this thread has made, including those of this function; `None` if the
    /// kernel does not count them.
    fn reads() -> Option<u64> {
        let text = fs::read("/proc/thread-self/io").ok()?;
        let text = String::from_utf8(text).ok()?;
        text.lines().find_map(|line| line.strip_prefix("syscr: "))?.parse().ok()
    }

    #[test]
    fn req_3_threads_max_is_read_once_for_each_look() {
        let whole: u32 = fs::read_to_string("/proc/sys/kernel/threads-max").unwrap().trim().parse().unwrap();
        assert_eq!(threads_max(), Some(whole));
        let (Some(before), Some(after)) = (reads(), reads()) else {
            let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: this kernel does not count reads\n");
            return;
        };
        let own = after - before;
        let before = reads().unwrap();
        (0..100).for_each(|_| assert_eq!(threads_max(), Some(whole)));
        assert_eq!(reads().unwrap() - before - own, 100);
    }

    #[test]
    fn a_number_is_the_whole_file() {
        let dir = tempfile::tempdir().unwrap();
        let of = |text: &[u8]| {
            let path = dir.path().join("number");
            fs::write(&path, text).unwrap();
            number(path.to_str().unwrap())
        };
        assert_eq!((of(b"4294967295\n"), of(b"7"), of(b" 12 \n")), (Some(u32::MAX), Some(7), Some(12)));
        for text in [&b""[..], b"\n", b"4294967296\n", b"-1\n", b"1 2\n", b"x\n", b"\xff", &[b'1'; 64]] {
            assert_eq!(of(text), None, "{text:?}");
        }
        assert_eq!(number("/no/such/file"), None);
    }

    #[test]
    fn req_12_a_test_runs_below_no_engine() {
        assert_eq!(same_executable_above(), None);
    }
}
