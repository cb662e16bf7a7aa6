//! What /proc says about threads and processes of this machine's kernel: kernel threads, helpers, requesters.

use std::fs::{self, File};
use std::io::{BufRead, BufReader, Read};

use crate::abi::actor::Comm;
use crate::abi::cap::CapSets;

pub use super::place::initial_namespaces;
use super::proc::{line, parse_sets};

/// `PF_KTHREAD` of linux/sched.h, field 9 of /proc/PID/stat.
const KERNEL_THREAD: u64 = 0x20_0000;
/// More than the longest stat.
const STAT: usize = 1280;
/// A status, unless its list of groups is long; the part that is needed comes before that list, but for the sets.
const STATUS: usize = 4096;
/// The most bytes of arguments that are read.
const MOST: usize = 4096;
/// A cgroup file is shorter than this, else it is not used.
const CGROUPS: u64 = 64 * 1024;

/// One process, from its stat.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Task {
    /// Its process id.
    pub pid: i32,
    /// Its parent.
    pub parent: i32,
    /// Its command name.
    pub comm: Comm,
    /// Whether it has ended and waits to be reaped.
    pub is_zombie: bool,
    /// Whether it sleeps until something happens.
    pub sleeps: bool,
    /// Whether it is a thread of the kernel. No process can forge this.
    pub is_kernel: bool,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
}

impl Task {
    /// Reads one process or thread, a zombie too.
    pub fn of(pid: i32) -> Option<Self> {
        Self::parse(pid, &read::<STAT>(&format!("/proc/{pid}/stat"))?)
    }

    /// The name may hold any byte, parentheses and newlines included.
    fn parse(pid: i32, stat: &[u8]) -> Option<Self> {
        let (from, to) = (stat.iter().position(|b| *b == b'(')?, stat.iter().rposition(|b| *b == b')')?);
        let mut words = std::str::from_utf8(stat.get(to + 1..)?).ok()?.split_ascii_whitespace();
        let state = words.next()?;
        let (is_zombie, sleeps) = (matches!(state, "Z" | "X" | "x"), matches!(state, "S" | "I"));
        let parent = words.next()?.parse().ok()?;
        let flags: u64 = words.nth(4)?.parse().ok()?;
        let start_time = words.nth(12)?.parse().ok()?;
        let comm = Comm::new(stat.get(from + 1..to)?);
        Some(Self { pid, parent, comm, is_zombie, sleeps, is_kernel: flags & KERNEL_THREAD != 0, start_time })
    }

    /// Whether it is a kernel worker. The name alone proves nothing.
    pub fn is_worker(&self) -> bool {
        self.is_kernel && self.comm.as_bytes().starts_with(b"kworker/")
    }
}

/// Every process that can be seen.
pub fn all() -> Vec<Task> {
    let pids = fs::read_dir("/proc").into_iter().flatten();
    pids.filter_map(|entry| Task::of(entry.ok()?.file_name().to_str()?.parse().ok()?)).collect()
}

/// The pid that was given out last (proc_loadavg(5)).
pub fn newest_pid() -> Option<u32> {
    let text = read::<128>("/proc/loadavg")?;
    std::str::from_utf8(&text).ok()?.split_ascii_whitespace().last()?.parse().ok()
}

/// A user's thread, as its files in /proc say.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ThreadStatus {
    /// Its thread group: the process id.
    pub pid: i32,
    /// Its pid in the innermost pid namespace, where that differs.
    pub inner_pid: Option<i32>,
    /// Its real user id.
    pub uid: u32,
    /// Its real group id.
    pub gid: u32,
    /// Its command name. Shown, never trusted: its process chose it.
    pub comm: Comm,
}

/// The whole content of /proc/TID/cgroup, one line a hierarchy. `None` also if it is longer than 64 KiB: the last line
/// decides where the thread belongs, and a part of the file would say that it belongs nowhere.
pub fn cgroups_of(tid: i32) -> Option<Vec<u8>> {
    let mut bytes = Vec::with_capacity(MOST);
    let file = File::open(format!("/proc/{tid}/cgroup")).ok()?;
    file.take(CGROUPS).read_to_end(&mut bytes).ok()?;
    (bytes.len() as u64 != CGROUPS).then_some(bytes)
}

/// The status of a thread, a zombie's too.
pub fn status_of(tid: i32) -> Option<ThreadStatus> {
    parse_status(&read::<STATUS>(&format!("/proc/{tid}/status"))?)
}

fn parse_status(status: &[u8]) -> Option<ThreadStatus> {
    let first = |name: &[u8]| line(status, name)?.split_ascii_whitespace().next();
    let pid = first(b"Tgid:")?.parse().ok()?;
    let name = status.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"Name:\t"))?;
    // The outermost pid first; one alone means this namespace.
    let inner = line(status, b"NSpid:").and_then(|pids| pids.split_ascii_whitespace().skip(1).last());
    Some(ThreadStatus {
        pid,
        inner_pid: inner.and_then(|pid| pid.parse().ok()),
        uid: first(b"Uid:")?.parse().ok()?,
        gid: first(b"Gid:")?.parse().ok()?,
        comm: unescaped(name),
    })
}

/// The kernel writes a newline as `\n` and a backslash as `\\` in this file.
fn unescaped(name: &[u8]) -> Comm {
    let (mut out, mut bytes) = (Vec::with_capacity(name.len()), name.iter());
    while let Some(byte) = bytes.next() {
        out.push(match byte {
            b'\\' if bytes.next() == Some(&b'n') => b'\n',
            other => *other,
        });
    }
    Comm::new(&out)
}

/// The arguments of a process, each with its NUL, at most 4,096 bytes of them; `None` if it is gone. Empty also while its
/// program is being loaded.
pub fn arguments_of(pid: i32) -> Option<Vec<u8>> {
    read::<MOST>(&format!("/proc/{pid}/cmdline"))
}

/// The capability sets of a process.
pub fn sets_of(pid: i32) -> Option<CapSets> {
    parse_sets(&read::<STATUS>(&format!("/proc/{pid}/status"))?)
}

/// The addresses of functions of the kernel (/proc/kallsyms); empty if the kernel hides them (`kernel.kptr_restrict`).
/// The file has 10 MiB and more: this takes about 100 ms.
pub fn addresses(functions: &[&str]) -> Vec<u64> {
    let Ok(file) = File::open("/proc/kallsyms") else { return Vec::new() };
    let found = BufReader::new(file).lines().map_while(Result::ok).filter_map(|line| {
        let mut words = line.split_ascii_whitespace();
        let (address, name) = (words.next()?, words.nth(1)?);
        let address = functions.contains(&name).then(|| u64::from_str_radix(address, 16).ok())??;
        (address != 0).then_some(address)
    });
    found.take(functions.len()).collect()
}

/// The beginning of a file of /proc. These give a whole small file in one read.
fn read<const MOST: usize>(path: &str) -> Option<Vec<u8>> {
    let mut bytes = [0; MOST];
    let read = File::open(path).ok()?.read(&mut bytes).ok()?;
    Some(bytes.get(..read)?.to_vec())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_kernel_worker_is_known_by_its_flag_and_not_by_its_name() {
        let stat = |flags: u64| format!("7 (kworker/) 1:0) I 2 0 0 0 -1 {flags} 0 0 0 0 0 0 0 0 20 0 1 0 31 0 0\n");
        let of = |flags| Task::parse(7, stat(flags).as_bytes()).unwrap();
        assert!(of(69_238_880 | KERNEL_THREAD).is_worker() && !of(4_194_304).is_worker());
        let task = of(KERNEL_THREAD);
        assert_eq!((task.parent, task.start_time, task.comm.as_bytes()), (2, 31, &b"kworker/) 1:0"[..]));
        let own = Task::of(std::process::id().cast_signed()).unwrap();
        assert!(!own.is_kernel && own.start_time > 0);
    }

    #[test]
    fn a_status_is_read_and_a_forged_name_does_not_mislead() {
        let text = b"Name:\ta\\nUid:\\\\\\n0\nUmask:\t0022\nState:\tR\nTgid:\t42\nPid:\t43\nUid:\t1000\t0\t0\t0\nGid:\t7\t0\t0\t0\nNSpid:\t43\t5\t1\n";
        let status = parse_status(text).unwrap();
        assert_eq!((status.pid, status.uid, status.gid, status.inner_pid), (42, 1000, 7, Some(1)));
        assert_eq!(status.comm.as_bytes(), b"a\nUid:\\\n0");
        let own = status_of(std::process::id().cast_signed()).unwrap();
        assert_eq!((own.pid, own.uid), (std::process::id().cast_signed(), nix::unistd::getuid().as_raw()));
        assert_eq!(cgroups_of(own.pid), fs::read(format!("/proc/{}/cgroup", own.pid)).ok(), "all of it");
        assert!(newest_pid().is_some_and(|pid| pid > 1));
    }
}
