//! Attributes that a process or thread inherits and that /proc/self/status does not show, read for the calling thread.
//! The launcher checks with them what it has set, and the probe reports them.

use std::fs;

use libc::{c_int, c_long, c_ulong};
use nix::errno::Errno;
use serde::{Deserialize, Serialize};

/// ioprio_set(2): `who` is one thread.
pub(super) const IOPRIO_WHO_PROCESS: c_int = 1;
/// linux/prctl.h.
const PR_GET_SPECULATION_CTRL: c_int = 52;
const PR_SCHED_CORE: c_int = 62;
const PR_SCHED_CORE_GET: c_ulong = 0;
const PR_GET_MDWE: c_int = 66;
const PR_MDWE_REFUSE_EXEC_GAIN: c_int = 1;
const PR_MDWE_NO_INHERIT: c_int = 2;
const PR_GET_MEMORY_MERGE: c_int = 68;
/// linux/sched.h, shown by proc_pid_stat(5) in `flags`: set while PR_SET_IO_FLUSHER is.
const PF_MEMALLOC_NOIO: u64 = 0x0008_0000;
const SCHED_FLAG_RESET_ON_FORK: u64 = 1;
/// linux/keyctl.h.
const KEYCTL_GET_KEYRING_ID: c_int = 0;
const KEYCTL_DESCRIBE: c_int = 6;
const KEY_SPEC_SESSION_KEYRING: c_int = -3;
/// Buffer size for the description of a key; a longer one is truncated.
const DESCRIPTION: usize = 512;

/// The attributes in a report; `null` if one could not be read or this kernel does not have it.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Attributes {
    /// The session keyring (keyrings(7)).
    pub session_keyring: Option<Keyring>,
    /// The I/O priority (ioprio_set(2)): `none`, or class and level as in `best-effort 4`.
    pub io_priority: Option<String>,
    /// Whether children start with the default scheduling policy (SCHED_RESET_ON_FORK).
    pub reset_on_fork: Option<bool>,
    /// The utilization clamps, least and most (sched_setattr(2)).
    pub utilization: Option<[u32; 2]>,
    /// Whether it has a core scheduling cookie (PR_SCHED_CORE).
    pub core_scheduling: Option<bool>,
    /// The timer slack in nanoseconds (PR_SET_TIMERSLACK).
    pub timer_slack_ns: Option<u64>,
    /// The NUMA memory policy as in numa_maps: `default`, `interleave:0`.
    pub numa_policy: Option<String>,
    /// The execution domain and its flags, hexadecimal (personality(2)).
    pub personality: Option<String>,
    /// The securebits, hexadecimal (capabilities(7)).
    pub securebits: Option<String>,
    /// The core dump filter, hexadecimal (core(5)).
    pub core_filter: Option<String>,
    /// Whether transparent huge pages are disabled (PR_SET_THP_DISABLE).
    pub thp_disable: Option<bool>,
    /// Whether identical pages are merged (PR_SET_MEMORY_MERGE).
    pub memory_merge: Option<bool>,
    /// Whether memory can never become writable and executable, for children too (PR_SET_MDWE).
    pub memory_deny_write_execute: Option<bool>,
    /// Whether the process is dumpable: 0, 1 or 2 (PR_GET_DUMPABLE).
    pub dumpable: Option<i32>,
    /// The state of store bypass and of indirect branches, as PR_GET_SPECULATION_CTRL gives it.
    pub speculation: Option<[i32; 2]>,
    /// What happens on memory corruption: `late`, `early` or `default` (PR_MCE_KILL).
    pub machine_check_kill: Option<String>,
    /// The IO_FLUSHER state (PR_SET_IO_FLUSHER).
    pub io_flusher: Option<bool>,
    /// Whether the timestamp counter can be read (PR_SET_TSC).
    pub timestamp_counter: Option<bool>,
}

/// A keyring.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Keyring {
    /// Its serial number.
    pub id: i32,
    /// Its name, escaped; `_ses` is a keyring without a name, `_uid_ses.UID` the user's default.
    pub name: String,
}

impl Attributes {
    /// Reads the attributes of the calling thread and its process. Changes nothing.
    pub(super) fn gather() -> Self {
        let scheduling = sched_getattr().ok();
        let hex = |number: c_int| format!("{number:#x}");
        Self {
            session_keyring: session_keyring(),
            io_priority: io_priority().ok().map(io_priority_name),
            reset_on_fork: scheduling.as_ref().map(|now| now.flags & SCHED_FLAG_RESET_ON_FORK != 0),
            utilization: scheduling.as_ref().map(|now| [now.util_min, now.util_max]),
            core_scheduling: core_scheduling_cookie().ok().map(|cookie| cookie != 0),
            timer_slack_ns: timer_slack().ok(),
            numa_policy: numa_policy(),
            personality: personality().ok().map(|now| format!("{now:#x}")),
            securebits: prctl(libc::PR_GET_SECUREBITS, 0, 0).ok().map(hex),
            core_filter: fs::read_to_string("/proc/self/coredump_filter")
                .ok()
                .and_then(|text| u32::from_str_radix(text.trim(), 16).ok().map(|filter| format!("{filter:#x}"))),
            thp_disable: thp_disable(),
            memory_merge: memory_merge(),
            memory_deny_write_execute: memory_deny_write_execute(),
            dumpable: prctl(libc::PR_GET_DUMPABLE, 0, 0).ok(),
            speculation: speculation(0).and_then(|bypass| Ok([bypass, speculation(1)?])).ok(),
            machine_check_kill: prctl(libc::PR_MCE_KILL_GET, 0, 0).ok().map(|now| {
                let names = [(libc::PR_MCE_KILL_LATE, "late"), (libc::PR_MCE_KILL_EARLY, "early")];
                names.into_iter().find(|(number, _)| *number == now).map_or("default", |(_, name)| name).to_owned()
            }),
            io_flusher: io_flusher(),
            timestamp_counter: timestamp_counter(),
        }
    }
}

/// The first version of `struct sched_attr` with utilization clamps (sched_setattr(2)).
#[repr(C)]
#[derive(Default)]
pub(super) struct SchedAttr {
    pub(super) size: u32,
    pub(super) policy: u32,
    pub(super) flags: u64,
    pub(super) nice: i32,
    pub(super) priority: u32,
    pub(super) runtime: u64,
    pub(super) deadline: u64,
    pub(super) period: u64,
    pub(super) util_min: u32,
    pub(super) util_max: u32,
}

pub(super) fn sched_getattr() -> Result<SchedAttr, Errno> {
    let mut attr = SchedAttr::default();
    // SAFETY: pid 0 is the calling thread; the kernel writes at most as many bytes as are named.
    Errno::result(unsafe { libc::syscall(libc::SYS_sched_getattr, 0, &raw mut attr, size_of::<SchedAttr>(), 0u32) })?;
    Ok(attr)
}

/// 0 is "none".
pub(super) fn io_priority() -> Result<c_long, Errno> {
    // SAFETY: integers only; 0 is the calling thread.
    Errno::result(unsafe { libc::syscall(libc::SYS_ioprio_get, IOPRIO_WHO_PROCESS, 0) })
}

fn io_priority_name(priority: c_long) -> String {
    let (class, level) = (priority >> 13, priority & 7);
    match class {
        0 => "none".to_owned(),
        1 => format!("realtime {level}"),
        2 => format!("best-effort {level}"),
        3 => "idle".to_owned(),
        _ => format!("class {class} {level}"),
    }
}

pub(super) fn core_scheduling_cookie() -> Result<u64, Errno> {
    let mut cookie: u64 = 0;
    let (thread, this): (c_ulong, c_ulong) = (0, 0);
    // SAFETY: pid 0 is the calling thread and type 0 a thread; the kernel writes eight bytes to `cookie`.
    Errno::result(unsafe { libc::prctl(PR_SCHED_CORE, PR_SCHED_CORE_GET, this, thread, &raw mut cookie) })?;
    Ok(cookie)
}

/// In nanoseconds.
pub(super) fn timer_slack() -> Result<u64, Errno> {
    let now = prctl(libc::PR_GET_TIMERSLACK, 0, 0)?;
    Ok(u64::from(now.cast_unsigned()))
}

/// As numa_maps(5) shows it for memory without a policy. `default` if the kernel was built without NUMA.
pub(super) fn numa_policy() -> Option<String> {
    match fs::read_to_string("/proc/thread-self/numa_maps") {
        Ok(maps) => maps.lines().next()?.split(' ').nth(1).map(str::to_owned),
        Err(e) if e.kind() == std::io::ErrorKind::NotFound && fs::exists("/proc/thread-self").unwrap_or(false) => {
            Some("default".to_owned())
        }
        Err(_) => None,
    }
}

pub(super) fn personality() -> Result<u32, Errno> {
    const ASK: c_ulong = 0xffff_ffff;
    // SAFETY: an integer only; this one changes nothing.
    let now = Errno::result(unsafe { libc::syscall(libc::SYS_personality, ASK) })?;
    u32::try_from(now).map_err(|_| Errno::EINVAL)
}

/// A state of PR_GET_SPECULATION_CTRL(2const).
pub(super) fn speculation(which: c_ulong) -> Result<c_int, Errno> {
    prctl(PR_GET_SPECULATION_CTRL, which, 0)
}

pub(super) fn thp_disable() -> Option<bool> {
    prctl(libc::PR_GET_THP_DISABLE, 0, 0).ok().map(|now| now != 0)
}

pub(super) fn memory_merge() -> Option<bool> {
    prctl(PR_GET_MEMORY_MERGE, 0, 0).ok().map(|now| now != 0)
}

/// Whether it is in force and passed on.
pub(super) fn memory_deny_write_execute() -> Option<bool> {
    let passed_on = |now: c_int| now & PR_MDWE_REFUSE_EXEC_GAIN != 0 && now & PR_MDWE_NO_INHERIT == 0;
    prctl(PR_GET_MDWE, 0, 0).ok().map(passed_on)
}

/// Reads the flag from /proc, since prctl(2) needs CAP_SYS_RESOURCE even to read it.
pub(super) fn io_flusher() -> Option<bool> {
    thread_flags().map(|flags| flags & PF_MEMALLOC_NOIO != 0)
}

/// The ninth field of proc_pid_stat(5).
fn thread_flags() -> Option<u64> {
    let stat = fs::read_to_string("/proc/thread-self/stat").ok()?;
    stat.rsplit_once(')')?.1.split_whitespace().nth(9 - 3)?.parse().ok()
}

fn timestamp_counter() -> Option<bool> {
    let mut now: c_int = 0;
    // SAFETY: the kernel writes one int to `now`.
    Errno::result(unsafe { libc::prctl(libc::PR_GET_TSC, &raw mut now) }).ok().map(|_| now == libc::PR_TSC_ENABLE)
}

/// The session keyring, or the default one that the kernel uses in its place.
fn session_keyring() -> Option<Keyring> {
    // SAFETY: integers only; 0 at the end makes no keyring.
    let id = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_GET_KEYRING_ID, KEY_SPEC_SESSION_KEYRING, 0) };
    let id = i32::try_from(Errno::result(id).ok()?).ok()?;
    let mut text = [0u8; DESCRIPTION];
    // SAFETY: the kernel writes at most as many bytes as are named.
    let length = unsafe { libc::syscall(libc::SYS_keyctl, KEYCTL_DESCRIBE, id, text.as_mut_ptr(), text.len()) };
    let length = usize::try_from(Errno::result(length).ok()?).ok()?.min(text.len());
    // type;uid;gid;permissions;description, with a NUL at the end.
    let name = text.get(..length)?.splitn(5, |b| *b == b';').nth(4)?;
    Some(Keyring { id, name: crate::abi::escape::json(name.strip_suffix(b"\0").unwrap_or(name)) })
}

/// prctl(2) with zeros for the last two arguments, which many options require. Only for options that take integers and
/// affect the calling thread or process.
pub(super) fn prctl(option: c_int, second: c_ulong, third: c_ulong) -> Result<c_int, Errno> {
    let zero: c_ulong = 0;
    // SAFETY: integers only; no option used in this crate takes one of these for a pointer.
    Errno::result(unsafe { libc::prctl(option, second, third, zero, zero) })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umh_9_the_flags_of_a_thread_are_found_behind_any_name() {
        assert_eq!((thread_flags().is_some(), io_flusher()), (true, Some(false)));
    }

    #[test]
    fn umh_9_io_priorities_are_named() {
        let names = [0, 1 << 13 | 2, 2 << 13 | 4, 3 << 13 | 7].map(io_priority_name);
        assert_eq!(names, ["none", "realtime 2", "best-effort 4", "idle"]);
    }
}
