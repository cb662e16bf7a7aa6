//! /proc/PID/stat (proc_pid_stat(5)) of one process, and of all members of some sessions.

use std::fs;
use std::io::Read;
use std::os::fd::{AsFd, AsRawFd};
use std::time::Duration;

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use rustix::process::{Pid, PidfdFlags, pidfd_open};

use crate::abi::actor::Comm;
use crate::abi::process::{Process, members_and_descendants};
use crate::sys::host::{Clock, Micros};

use super::ticks;

/// More than the longest stat: 52 numbers of up to 20 digits, and a name.
const LONGEST: usize = 1280;
/// How often processes are looked at again while the engine waits for one: it may leave its group or its session.
const LOOK: Duration = Duration::from_millis(250);
/// The same if pidfds are not available.
const LOOK_WITHOUT_PIDFD: Duration = Duration::from_millis(20);
/// From this word after the name on: state, ppid, pgrp, session, then 15 others, then starttime.
const START_TIME: usize = 15;

/// The part of a stat that the engine needs.
pub(super) struct Stat {
    comm: Comm,
    state: u8,
    pub(super) parent: i32,
    pub(super) group: i32,
    pub(super) session: i32,
    start_time: u64,
}

impl Stat {
    pub(super) fn of(pid: i32) -> Option<Self> {
        let mut text = [0; LONGEST];
        let read = fs::File::open(format!("/proc/{pid}/stat")).ok()?.read(&mut text).ok()?;
        Self::parse(&text[..read])
    }

    /// The name may hold any byte, parentheses and newlines included.
    fn parse(stat: &[u8]) -> Option<Self> {
        let (from, to) = (stat.iter().position(|b| *b == b'(')?, stat.iter().rposition(|b| *b == b')')?);
        let mut words = std::str::from_utf8(stat.get(to + 1..)?).ok()?.split_ascii_whitespace();
        let state = *words.next()?.as_bytes().first()?;
        let mut number = || words.next()?.parse().ok();
        let (parent, group, session) = (number()?, number()?, number()?);
        let start_time = words.nth(START_TIME)?.parse().ok()?;
        Some(Self { comm: Comm::new(stat.get(from + 1..to)?), state, parent, group, session, start_time })
    }

    /// Whether it runs: a zombie does not.
    pub(super) fn lives(&self) -> bool {
        !matches!(self.state, b'Z' | b'X' | b'x')
    }
}

/// When the process started, in clock ticks since boot. `None` if there is none, if it has ended, or without /proc.
pub fn start_time(pid: i32) -> Option<u64> {
    Stat::of(pid).filter(Stat::lives).map(|stat| stat.start_time)
}

/// Every process that can be seen, with its pid.
pub(super) fn all() -> impl Iterator<Item = (i32, Stat)> {
    let pids = fs::read_dir("/proc").into_iter().flatten();
    let pids = pids.filter_map(|entry| entry.ok()?.file_name().to_str()?.parse::<i32>().ok());
    pids.filter_map(|pid| Some((pid, Stat::of(pid)?)))
}

/// One process; a zombie too.
pub(super) fn process(clock: &dyn Clock, pid: i32) -> Option<Process> {
    Some(describe(clock, pid, Stat::of(pid)?))
}

/// The living members of these sessions, and their living descendants.
pub(super) fn members(clock: &dyn Clock, sessions: &[i32]) -> Vec<Process> {
    let living = all().filter(|(_, stat)| stat.lives()).map(|(pid, stat)| describe(clock, pid, stat)).collect();
    members_and_descendants(living, sessions)
}

fn describe(clock: &dyn Clock, pid: i32, stat: Stat) -> Process {
    let lives = stat.lives();
    let Stat { comm, parent, session, start_time, .. } = stat;
    // Both times count the time in which the machine was suspended.
    let tick = 1_000_000 / ticks::per_second();
    let now = Micros::try_from(ticks::since_boot().as_micros()).unwrap_or(Micros::MAX);
    let age = now.saturating_sub(start_time.saturating_mul(tick));
    Process { pid, comm, lives, parent, session, start_time, started: clock.now().saturating_sub(age) }
}

/// Signals this process, and no other one that has got its pid. `ESRCH` if it has ended.
pub(super) fn kill(process: &Process, signal: i32) -> Result<(), Errno> {
    let gone = Errno::ESRCH;
    let pid = Some(process.pid).filter(|pid| *pid > 1).and_then(Pid::from_raw).ok_or(gone)?;
    let fd = pidfd_open(pid, PidfdFlags::empty());
    // From here on the descriptor names whatever process has the pid: it must be the right one.
    Stat::of(process.pid).filter(|now| now.start_time == process.start_time).ok_or(gone)?;
    match fd {
        Ok(fd) => {
            // SAFETY: pidfd_send_signal with a null siginfo; the descriptor is open until the end of this block.
            let sent = unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd.as_raw_fd(), signal, 0usize, 0) };
            Errno::result(sent).map(drop)
        }
        Err(rustix::io::Errno::SRCH) => Err(gone),
        // A kernel or a filter without pidfds. SAFETY: kill takes two integers.
        Err(_) => Errno::result(unsafe { libc::kill(process.pid, signal) }).map(drop),
    }
}

/// Waits until the process has ended, or until the time `until`. Returns whether it has ended; a zombie has.
pub(super) fn wait(clock: &dyn Clock, process: &Process, until: Micros) -> bool {
    loop {
        if !Stat::of(process.pid).is_some_and(|now| now.start_time == process.start_time && now.lives()) {
            return true;
        }
        let left = Duration::from_micros(until.saturating_sub(clock.now()));
        if left.is_zero() {
            return false;
        }
        wait_for_end(process.pid, left);
    }
}

/// Waits for the end of one process, but not for long.
pub(super) fn wait_for_end(pid: i32, left: Duration) {
    let Some(pid) = Pid::from_raw(pid) else { return };
    match pidfd_open(pid, PidfdFlags::empty()) {
        Ok(pidfd) => {
            let millis = left.min(LOOK).as_micros().div_ceil(1000);
            let patience = PollTimeout::try_from(millis).unwrap_or(PollTimeout::ZERO);
            // An interrupted wait is harmless: the caller checks again.
            let _ = poll(&mut [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)], patience);
        }
        Err(rustix::io::Errno::SRCH) => {}
        Err(_) => std::thread::sleep(left.min(LOOK_WITHOUT_PIDFD)),
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const TAIL: &str = "0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 4711 1 2";

    #[test]
    fn req_12_the_fields_stand_after_a_hostile_name() {
        for name in ["sh", "", "a) Z 1 2 (b", "((", "))", "\n", ") R 9 9 9 "] {
            let stat = Stat::parse(format!("7 ({name}) S 1 76 77 {TAIL}").as_bytes()).unwrap();
            let read = (stat.state, stat.parent, stat.group, stat.session, stat.start_time);
            assert_eq!((read, stat.comm), ((b'S', 1, 76, 77, 4711), Comm::new(name.as_bytes())));
        }
        for bad in ["", "7 (a", "7 (a)", "7 (a) R 1 2 3 4", "7 a) S 1 2 3", "7 (a) S x 76 77 0"] {
            assert!(Stat::parse(bad.as_bytes()).is_none(), "{bad}");
        }
    }

    #[test]
    fn req_12_this_process_is_read_and_its_child_started_later() {
        let host = super::super::LinuxHost::new();
        let before = host.clock.now();
        let mut child = std::process::Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        let pid = child.id().cast_signed();
        let process = process(&host.clock, pid).unwrap();
        let session = nix::unistd::getsid(None).unwrap().as_raw();
        assert_eq!((process.parent, process.session), (std::process::id().cast_signed(), session));
        // A tick is 10 ms.
        assert!(process.started + 20_000 >= before && process.started <= host.clock.now(), "{process:?}, {before}");
        assert!(members(&host.clock, &[session]).iter().any(|member| member.pid == pid));
        let other = Process { start_time: process.start_time + 1, ..process.clone() };
        assert_eq!((kill(&other, libc::SIGKILL), kill(&process, 0)), (Err(Errno::ESRCH), Ok(())));
        assert!(!wait(&host.clock, &process, 0) && wait(&host.clock, &other, u64::MAX));
        kill(&process, libc::SIGKILL).unwrap();
        // It stays a zombie until it is reaped below.
        assert!(wait(&host.clock, &process, u64::MAX));
        assert!(process.lives && !super::process(&host.clock, pid).unwrap().lives);
        assert!(!members(&host.clock, &[session]).iter().any(|member| member.pid == pid));
        child.wait().unwrap();
        assert_eq!(kill(&process, 0), Err(Errno::ESRCH));
    }
}
