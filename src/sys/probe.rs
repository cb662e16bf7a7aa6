//! Reports the state with which this process was started: everything that a helper can observe (UMH-9, UMH-10). With a
//! private first argument ([`PROBE_ARG`]) the khelper executable is the built-in helper that prints this report.

use std::collections::BTreeMap;
use std::io;
use std::os::unix::ffi::OsStrExt;
use std::path::Path;

use nix::errno::Errno;
use nix::sys::resource::{RLIM_INFINITY, Resource, getrlimit};
use serde::{Deserialize, Serialize};

use super::attributes::Attributes;
use super::own_state::{Stat, Status, number, unknown};
use super::startup_state;
use crate::abi::cap::{CapMask, CapSets};
use crate::abi::error::SysError;
use crate::abi::escape::json;
use crate::abi::wait::signal_name;

/// The private first argument that selects the probe; it is checked before all others.
pub const PROBE_ARG: &str = "--khelper-probe";

/// The report. Every byte string is escaped as in all JSON of this program: bytes that are not UTF-8 become `\xNN`, and
/// a backslash is doubled.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Report {
    /// The five capability sets as the kernel shows them, bits past the table of names included.
    pub caps: Sets,
    /// Its arguments, `argv[0]` included.
    pub argv: Vec<String>,
    /// Its environment, in its order.
    pub env: Vec<String>,
    /// Its working directory.
    pub cwd: String,
    /// Its root directory.
    pub root: String,
    /// The file mode creation mask, octal (`"022"`).
    pub umask: String,
    /// The nice value.
    pub nice: i64,
    /// The scheduling policy (`SCHED_OTHER`).
    pub scheduler: String,
    /// The CPUs it may run on.
    pub affinity: Vec<u32>,
    /// Its signals.
    pub signals: Signals,
    /// Its process id.
    pub pid: i32,
    /// Its parent.
    pub ppid: i32,
    /// Its session.
    pub session: i32,
    /// Its process group.
    pub pgid: i32,
    /// Whether it has a controlling terminal.
    pub terminal: bool,
    /// Its open files by number, with their targets (`/dev/null`, `pipe:[123]`).
    pub fds: BTreeMap<u32, String>,
    /// Its resource limits by name, as in limits.conf(5).
    pub limits: BTreeMap<String, Limit>,
    /// Whether no_new_privs is set.
    pub no_new_privs: bool,
    /// User ids.
    pub uid: Ids,
    /// Group ids.
    pub gid: Ids,
    /// Supplementary groups.
    pub groups: Vec<u32>,
    /// The out-of-memory killer's adjustment.
    pub oom_score_adj: i16,
    /// Every other inherited attribute. They are members of the report's own object, and are read from it separately:
    /// serde's code for reading a flattened member is larger than that for all others.
    #[serde(flatten, skip_deserializing)]
    pub attributes: Attributes,
}

/// The five capability sets, as shown in /proc/PID/status.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Sets {
    /// CapInh.
    #[serde(with = "hex")]
    pub inheritable: CapMask,
    /// CapPrm.
    #[serde(with = "hex")]
    pub permitted: CapMask,
    /// CapEff.
    #[serde(with = "hex")]
    pub effective: CapMask,
    /// CapBnd.
    #[serde(with = "hex")]
    pub bounding: CapMask,
    /// CapAmb.
    #[serde(with = "hex")]
    pub ambient: CapMask,
}

impl From<CapSets> for Sets {
    fn from(s: CapSets) -> Self {
        Self {
            inheritable: s.inheritable,
            permitted: s.permitted,
            effective: s.effective,
            bounding: s.bounding,
            ambient: s.ambient,
        }
    }
}

/// Signals by name; one without a name is `signal 40`.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Signals {
    /// Blocked.
    pub blocked: Vec<String>,
    /// Ignored when the process was executed, without those that Rust's runtime ignores by itself.
    pub ignored: Vec<String>,
    /// Caught, without those that Rust's runtime catches: exec resets all handlers (execve(2)).
    pub caught: Vec<String>,
    /// Pending for the thread or the process.
    pub pending: Vec<String>,
}

/// A resource limit; `null` is unlimited.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Limit {
    /// Soft limit.
    pub soft: Option<u64>,
    /// Hard limit.
    pub hard: Option<u64>,
}

/// The four ids of a kind.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Ids {
    /// Real.
    pub real: u32,
    /// Effective.
    pub effective: u32,
    /// Saved.
    pub saved: u32,
    /// For file access.
    pub fs: u32,
}

impl Report {
    /// Reads the state of this process. The open files come first, before any file is opened to read the rest. Nothing
    /// that is reported is changed: the umask comes from /proc, since umask(2) cannot read it without setting it.
    pub fn gather() -> Result<Self, SysError> {
        let fds = fds().map_err(|e| from_io("list /proc/self/fd", &e))?;
        let read = |path: &'static str| std::fs::read(path).map_err(|e| from_io(path, &e));
        let (status, stat) = (Status(read("/proc/self/status")?), read("/proc/self/stat")?);
        let stat = Stat::parse(&stat).ok_or_else(|| unknown("/proc/self/stat"))?;
        let adjustment = read("/proc/self/oom_score_adj")?;
        Ok(Self {
            caps: sets(&status)?,
            argv: std::env::args_os().map(|a| json(a.as_bytes())).collect(),
            env: env().map_err(|e| from_io("/proc/self/environ", &e))?,
            cwd: link(Path::new("/proc/self/cwd")).map_err(|e| from_io("/proc/self/cwd", &e))?,
            root: link(Path::new("/proc/self/root")).map_err(|e| from_io("/proc/self/root", &e))?,
            umask: format!("{:03o}", status.bits("Umask:", 8).unwrap_or_default()),
            nice: stat.nice,
            scheduler: scheduler(stat.policy),
            affinity: status.affinity(),
            signals: signals(&status)?,
            pid: nix::unistd::getpid().as_raw(),
            ppid: stat.ppid,
            session: stat.session,
            pgid: stat.pgid,
            terminal: stat.terminal != 0,
            fds,
            limits: limits()?,
            no_new_privs: status.bits("NoNewPrivs:", 10) == Some(1),
            uid: ids(status.ids("Uid:")?),
            gid: ids(status.ids("Gid:")?),
            groups: status.numbers("Groups:"),
            oom_score_adj: number(&adjustment).ok_or_else(|| unknown("/proc/self/oom_score_adj"))?,
            attributes: Attributes::gather(),
        })
    }
}

fn ids([real, effective, saved, fs]: [u32; 4]) -> Ids {
    Ids { real, effective, saved, fs }
}

/// Whether this process was started with `signal` ignored (nohup, or a background job of a shell without job control).
pub fn ignores(signal: nix::sys::signal::Signal) -> bool {
    if signal == nix::sys::signal::Signal::SIGPIPE {
        return startup_state::sigpipe_ignored();
    }
    let ignored = std::fs::read("/proc/self/status").ok().and_then(|text| Status(text).bits("SigIgn:", 16));
    ignored.is_some_and(|ignored| ignored & (1 << (signal as i32 - 1)) != 0)
}

fn sets(status: &Status) -> Result<Sets, SysError> {
    Ok(Sets {
        inheritable: status.set("CapInh:")?,
        permitted: status.set("CapPrm:")?,
        effective: status.set("CapEff:")?,
        bounding: status.set("CapBnd:")?,
        ambient: status.set("CapAmb:")?,
    })
}

/// The environment as exec placed it on the stack, including entries without a `=`.
fn env() -> io::Result<Vec<String>> {
    let bytes = std::fs::read("/proc/self/environ")?;
    let whole = bytes.strip_suffix(b"\0").unwrap_or(&bytes);
    Ok(if whole.is_empty() { Vec::new() } else { whole.split(|b| *b == 0).map(json).collect() })
}

fn link(path: &Path) -> io::Result<String> {
    std::fs::read_link(path).map(|target| json(target.as_os_str().as_bytes()))
}

/// The open files. The descriptor that lists them is closed before their targets are read, so its entry is gone by
/// then; no other file is opened meanwhile.
fn fds() -> io::Result<BTreeMap<u32, String>> {
    let names: Vec<_> = std::fs::read_dir("/proc/self/fd")?.map(|entry| entry.map(|e| e.file_name())).collect();
    let mut fds = BTreeMap::new();
    for name in names {
        let name = name?;
        let Some(fd) = name.to_str().and_then(|n| n.parse::<u32>().ok()) else { continue };
        if i32::try_from(fd).is_ok_and(startup_state::was_closed) {
            continue;
        }
        match link(&Path::new("/proc/self/fd").join(&name)) {
            Ok(target) => drop(fds.insert(fd, target)),
            Err(e) if e.kind() == io::ErrorKind::NotFound => {}
            Err(e) => return Err(e),
        }
    }
    Ok(fds)
}

fn scheduler(policy: u32) -> String {
    const NAMES: [&str; 7] =
        ["SCHED_OTHER", "SCHED_FIFO", "SCHED_RR", "SCHED_BATCH", "", "SCHED_IDLE", "SCHED_DEADLINE"];
    let known = usize::try_from(policy).ok().and_then(|p| NAMES.get(p)).filter(|n| !n.is_empty());
    known.map_or_else(|| format!("policy {policy}"), |n| (*n).to_owned())
}

fn signals(status: &Status) -> Result<Signals, SysError> {
    let mask = |name: &str| status.bits(name, 16).ok_or_else(|| unknown("/proc/self/status"));
    let bit = |signal: i32| 1u64 << (signal - 1);
    let names = |mask: u64| (1..=64u8).filter(|n| mask & bit(i32::from(*n)) != 0).map(signal_name).collect();
    let own = if startup_state::sigpipe_ignored() { 0 } else { bit(libc::SIGPIPE) };
    Ok(Signals {
        blocked: names(mask("SigBlk:")?),
        ignored: names(mask("SigIgn:")? & !own),
        caught: names(mask("SigCgt:")? & !(bit(libc::SIGSEGV) | bit(libc::SIGBUS))),
        pending: names(mask("SigPnd:")? | mask("ShdPnd:")?),
    })
}

fn limits() -> Result<BTreeMap<String, Limit>, SysError> {
    const ALL: [(&str, Resource); 16] = [
        ("as", Resource::RLIMIT_AS),
        ("core", Resource::RLIMIT_CORE),
        ("cpu", Resource::RLIMIT_CPU),
        ("data", Resource::RLIMIT_DATA),
        ("fsize", Resource::RLIMIT_FSIZE),
        ("locks", Resource::RLIMIT_LOCKS),
        ("memlock", Resource::RLIMIT_MEMLOCK),
        ("msgqueue", Resource::RLIMIT_MSGQUEUE),
        ("nice", Resource::RLIMIT_NICE),
        ("nofile", Resource::RLIMIT_NOFILE),
        ("nproc", Resource::RLIMIT_NPROC),
        ("rss", Resource::RLIMIT_RSS),
        ("rtprio", Resource::RLIMIT_RTPRIO),
        ("rttime", Resource::RLIMIT_RTTIME),
        ("sigpending", Resource::RLIMIT_SIGPENDING),
        ("stack", Resource::RLIMIT_STACK),
    ];
    let finite = |n: u64| (n != RLIM_INFINITY).then_some(n);
    ALL.into_iter()
        .map(|(name, resource)| {
            let (soft, hard) = getrlimit(resource).map_err(|e| SysError::new(format!("getrlimit {name}"), e))?;
            Ok((name.to_owned(), Limit { soft: finite(soft), hard: finite(hard) }))
        })
        .collect()
}

fn from_io(what: &'static str, e: &io::Error) -> SysError {
    SysError::new(what, Errno::from_raw(e.raw_os_error().unwrap_or(0)))
}

/// A set as `"0x000001ffffffffff"`, and back.
mod hex {
    use serde::{Deserialize, Deserializer, Serializer, de::Error};

    use crate::abi::cap::CapMask;

    pub fn serialize<S: Serializer>(mask: &CapMask, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{:#018x}", mask.bits()))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(d: D) -> Result<CapMask, D::Error> {
        let text = String::deserialize(d)?;
        let digits = text.strip_prefix("0x").ok_or_else(|| D::Error::custom("a set starts with 0x"))?;
        u64::from_str_radix(digits, 16).map(CapMask::from_bits).map_err(D::Error::custom)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_report_can_be_read_back() {
        let report = Report::gather().unwrap();
        let text = serde_json::to_string(&report).unwrap();
        let attributes = serde_json::from_str(&text).unwrap();
        assert_eq!(Report { attributes, ..serde_json::from_str(&text).unwrap() }, report);
        assert_eq!(report.pid, std::process::id().cast_signed());
        assert!(report.limits.len() == 16 && !report.affinity.is_empty());
    }

    #[test]
    fn another_reader_of_proc_finds_the_same() {
        let report = Report::gather().unwrap();
        let me = procfs::process::Process::myself().unwrap();
        let (status, stat) = (me.status().unwrap(), me.stat().unwrap());
        assert_eq!(
            (report.pid, report.ppid, report.pgid, report.session),
            (stat.pid, stat.ppid, stat.pgrp, stat.session)
        );
        assert_eq!((report.nice, report.terminal), (stat.nice, stat.tty_nr != 0));
        assert_eq!(report.scheduler, scheduler(stat.policy.unwrap()));
        let ids = [report.uid, report.gid].map(|ids| [ids.real, ids.effective, ids.saved, ids.fs]);
        assert_eq!(ids[0], [status.ruid, status.euid, status.suid, status.fuid]);
        assert_eq!(ids[1], [status.rgid, status.egid, status.sgid, status.fgid]);
        assert_eq!((&report.groups, report.no_new_privs), (&status.groups, status.nonewprivs == Some(1)));
        assert_eq!(report.umask, format!("{:03o}", status.umask.unwrap()));
        let sets = [report.caps.inheritable, report.caps.permitted, report.caps.effective, report.caps.bounding];
        assert_eq!(sets.map(CapMask::bits), [status.capinh, status.capprm, status.capeff, status.capbnd.unwrap()]);
        assert_eq!(report.caps.ambient.bits(), status.capamb.unwrap());
        let cpus: Vec<u32> = status.cpus_allowed_list.unwrap().iter().flat_map(|(from, to)| *from..=*to).collect();
        assert_eq!(report.affinity, cpus);
        assert_eq!(report.oom_score_adj, me.oom_score_adj().unwrap());
    }
}
