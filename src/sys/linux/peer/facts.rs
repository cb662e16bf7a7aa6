//! What /proc says about a process, read while a pidfd pins it: the process was alive after the last read, so its pid
//! was its own during all of them.

use std::fs::{self, File};
use std::io::Read;
use std::os::fd::{FromRawFd, OwnedFd};

use nix::errno::Errno;
use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::fs::{AtFlags, CWD, Mode, OFlags, openat, statat};

use crate::abi::actor::Comm;
use crate::abi::error::io_words;
use crate::abi::peer::{Facts, Unproven};
use crate::sys::linux::place::place;
use crate::sys::linux::proc::{line, parse_sets};
use crate::sys::linux::ticks;

/// What pins a process.
#[derive(Debug)]
pub enum Pidfd {
    /// A pidfd that the kernel attached.
    Held(OwnedFd),
    /// This kernel attaches none (before Linux 6.5).
    Unsupported,
    /// The kernel could not make one: `ESRCH` or `EINVAL` if the process is gone, `EMFILE` if no descriptor is left.
    Failed(Errno),
}

/// How much older than its connection a process must be if no pidfd came with its message, in clock ticks: the start
/// time is cut to whole ticks, and so is the time of the connection.
const OLDER: u64 = 2;

/// Now, in clock ticks since boot, as proc_pid_stat(5) counts start times.
pub fn ticks_now() -> u64 {
    let (now, per_second) = (ticks::since_boot(), ticks::per_second());
    now.as_secs() * per_second + u64::from(now.subsec_nanos()) * per_second / 1_000_000_000
}

/// Reads the facts of a process. `accepted` is when its connection was accepted ([`ticks_now`]); it matters only where
/// the kernel attaches no pidfd.
///
/// # Errors
/// `EAGAIN` if a new connection may succeed, else `EPERM`.
pub fn facts(pid: i32, pidfd: &Pidfd, accepted: u64) -> Result<Facts, Unproven> {
    facts_with(pid, pidfd, accepted, || {})
}

/// [`facts`], with something that happens after the reads and before the process is known to live.
pub(super) fn facts_with(pid: i32, pidfd: &Pidfd, accepted: u64, between: impl FnOnce()) -> Result<Facts, Unproven> {
    let opened;
    let (pinned, is_opened) = match pidfd {
        Pidfd::Held(fd) => (fd, false),
        Pidfd::Unsupported => {
            opened = open_pidfd(pid)?;
            (&opened, true)
        }
        Pidfd::Failed(errno) => return Err(no_pidfd(pid, *errno)),
    };
    let facts = read(pid).map_err(|e| match e.raw_os_error().map(Errno::from_raw) {
        _ if !is_alive(pinned) => gone(pid),
        Some(full @ (Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM)) => no_pidfd(pid, full),
        _ => Unproven::denied(format!("/proc says nothing about process {pid}: {}", io_words(&e))),
    })?;
    between();
    if !is_alive(pinned) {
        return Err(gone(pid));
    }
    if is_opened && facts.start_time.saturating_add(OLDER) > accepted {
        let why = format!(
            "process {pid} started too shortly before its connection, and this kernel (before 6.5) cannot tell it from \
             an earlier process with its number: connect again"
        );
        return Err(Unproven { errno: Errno::EAGAIN, why });
    }
    Ok(facts)
}

fn open_pidfd(pid: i32) -> Result<OwnedFd, Unproven> {
    // SAFETY: pidfd_open takes two integers.
    let fd = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) }).map_err(|e| no_pidfd(pid, e))?;
    let fd = i32::try_from(fd).map_err(|_| no_pidfd(pid, Errno::EBADF))?;
    // SAFETY: the kernel has just made this descriptor for us, close-on-exec.
    Ok(unsafe { OwnedFd::from_raw_fd(fd) })
}

fn gone(pid: i32) -> Unproven {
    Unproven::denied(format!("process {pid} has ended: nothing more can be known about it"))
}

fn no_pidfd(pid: i32, errno: Errno) -> Unproven {
    match errno {
        Errno::ESRCH | Errno::EINVAL => gone(pid),
        Errno::EMFILE | Errno::ENFILE | Errno::ENOMEM => {
            Unproven { errno: Errno::EAGAIN, why: format!("no descriptor is left to examine process {pid} with") }
        }
        other => Unproven::denied(format!("process {pid} cannot be pinned: {}", other.desc())),
    }
}

/// Whether the process of a pidfd has not ended. A zombie has: its files are closed, so it waits for no answer.
fn is_alive(pidfd: &OwnedFd) -> bool {
    let mut fds = [PollFd::new(pidfd, PollFlags::IN)];
    let now = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&now)) == Ok(0)
}

/// All reads go through one descriptor of the process's folder in /proc.
fn read(pid: i32) -> std::io::Result<Facts> {
    let invalid = || std::io::Error::from(std::io::ErrorKind::InvalidData);
    if fs::read_link("/proc/self")?.to_str().and_then(|me| me.parse().ok()) != Some(std::process::id()) {
        // Of another pid namespace, where the same number is another process.
        return Err(invalid());
    }
    let folder =
        openat(CWD, format!("/proc/{pid}"), OFlags::PATH | OFlags::DIRECTORY | OFlags::CLOEXEC, Mode::empty())?;
    let text = |name: &str| {
        let file = openat(&folder, name, OFlags::RDONLY | OFlags::CLOEXEC, Mode::empty())?;
        let mut bytes = Vec::new();
        File::from(file).read_to_end(&mut bytes)?;
        std::io::Result::Ok(bytes)
    };
    let status = text("status")?;
    let mut uids = line(&status, b"Uid:").unwrap_or_default().split_whitespace().map(str::parse::<u32>);
    let (Some(Ok(uid)), Some(Ok(euid))) = (uids.next(), uids.next()) else { return Err(invalid()) };
    let own = rustix::fs::stat("/proc/self/ns/user")?;
    let theirs = statat(&folder, "ns/user", AtFlags::empty())?;
    let loginuid = text("loginuid").ok().and_then(|text| std::str::from_utf8(&text).ok()?.trim().parse().ok());
    let comm = text("comm")?;
    let place = text("cgroup").ok().and_then(|cgroups| place(&cgroups));
    Ok(Facts {
        // The folder itself always belongs to the effective user.
        owner: statat(&folder, "status", AtFlags::empty())?.st_uid,
        uid,
        euid,
        effective: parse_sets(&status).ok_or_else(invalid)?.effective,
        same_user_namespace: (own.st_dev, own.st_ino) == (theirs.st_dev, theirs.st_ino),
        start_time: start_time(&text("stat")?).ok_or_else(invalid)?,
        // proc_pid_loginuid(5): 4294967295 is "not set".
        loginuid: loginuid.filter(|uid| *uid != u32::MAX),
        comm: Comm::new(comm.strip_suffix(b"\n").unwrap_or(&comm)),
        place,
    })
}

/// Field 22 of a stat (proc_pid_stat(5)). The command name, which may hold anything, ends at the last parenthesis.
fn start_time(stat: &[u8]) -> Option<u64> {
    let end = stat.iter().rposition(|b| *b == b')')?;
    std::str::from_utf8(&stat[end + 1..]).ok()?.split_whitespace().nth(19)?.parse().ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::process::Command;

    /// The process ends after the last read: everything was read, and none of it counts.
    #[test]
    fn auth_2_a_process_that_ended_during_the_reads_proves_nothing() {
        let mut child = Command::new("/bin/sleep").arg("1000").spawn().unwrap();
        let pid = i32::try_from(child.id()).unwrap();
        let now = ticks_now() + 100;
        for pidfd in [Pidfd::Held(open_pidfd(pid).unwrap()), Pidfd::Unsupported] {
            let facts = facts(pid, &pidfd, now).unwrap();
            let me = nix::unistd::geteuid().as_raw();
            assert_eq!((facts.uid, facts.euid, facts.same_user_namespace), (me, me, true));
            assert!(facts.start_time <= ticks_now() && facts.start_time + 60_000 > ticks_now(), "{facts:?}");
        }
        let pidfd = Pidfd::Held(open_pidfd(pid).unwrap());
        let ended = facts_with(pid, &pidfd, now, || {
            child.kill().unwrap();
            child.wait().unwrap();
        });
        assert_eq!(ended.unwrap_err(), gone(pid));
        assert_eq!(facts(pid, &Pidfd::Failed(Errno::EINVAL), now).unwrap_err(), gone(pid));
        assert_eq!(facts(pid, &Pidfd::Failed(Errno::EMFILE), now).unwrap_err().errno, Errno::EAGAIN);
    }

    #[test]
    fn auth_2_without_a_pidfd_a_process_must_be_two_ticks_older_than_its_connection() {
        let pid = i32::try_from(std::process::id()).unwrap();
        let started = facts(pid, &Pidfd::Unsupported, u64::MAX).unwrap().start_time;
        for (accepted, may) in [(started, false), (started + 1, false), (started + 2, true)] {
            let facts = facts(pid, &Pidfd::Unsupported, accepted);
            assert_eq!(facts.is_ok(), may, "{facts:?}");
            assert!(may || facts.unwrap_err().errno == Errno::EAGAIN);
        }
        let pinned = Pidfd::Held(open_pidfd(pid).unwrap());
        assert!(facts(pid, &pinned, 0).is_ok(), "a pidfd needs no such proof");
    }

    #[test]
    fn auth_5_the_start_time_is_found_behind_any_command_name() {
        let stat = b"42 (a) b ) (1 2) S 1 42 42 0 -1 4194560 1 2 3 4 5 6 7 8 20 0 1 0 777 9 9\n";
        assert_eq!(start_time(stat), Some(777));
        assert_eq!((start_time(b"42 (a"), start_time(b"1 (a) S 1")), (None, None));
    }

    /// A process that executed a program with file capabilities keeps its user ids; only the owner of its files in /proc
    /// tells. A program that its user may not read has the same effect, without any privilege of this test.
    #[test]
    fn auth_2_a_program_that_its_user_may_not_look_into_is_known_by_the_owner_of_its_files() {
        use std::io::Write;
        use std::os::unix::fs::PermissionsExt;
        use std::os::unix::process::CommandExt;
        use std::process::Stdio;
        let folder = tempfile::tempdir().unwrap();
        fs::set_permissions(folder.path(), fs::Permissions::from_mode(0o755)).unwrap();
        let root = nix::unistd::geteuid().is_root();
        let uid = if root { 65534 } else { nix::unistd::geteuid().as_raw() };
        // cap_kill, permitted and effective: `struct vfs_cap_data` of linux/capability.h, revision 2.
        let kill: [u32; 5] = [0x0200_0001, 1 << 5, 0, 0, 0];
        let kill: Vec<u8> = kill.iter().flat_map(|word| word.to_le_bytes()).collect();
        let program = |name: &str, mode: u32| {
            let path = folder.path().join(name);
            let copied = Command::new("/bin/cp").arg("/bin/cat").arg(&path).status().unwrap();
            assert!(copied.success());
            fs::set_permissions(&path, fs::Permissions::from_mode(mode)).unwrap();
            path
        };
        let mut cases = vec![(program("plain", 0o755), uid, false), (program("unreadable", 0o111), 0, false)];
        if root {
            let path = program("capable", 0o755);
            let flags = rustix::fs::XattrFlags::empty();
            if rustix::fs::setxattr(&path, "security.capability", &kill, flags).is_ok() {
                cases.push((path, 0, true));
            }
        }
        for (path, owner, capable) in cases {
            let mut command = Command::new(&path);
            command.stdin(Stdio::piped()).stdout(Stdio::piped());
            if root {
                command.uid(uid).gid(uid);
            }
            let mut child = command.spawn().unwrap();
            // `spawn` may return before the end of exec, and only that gives the process its sets, and its files their
            // owner: the program has answered.
            child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
            child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
            let pid = i32::try_from(child.id()).unwrap();
            let facts = facts(pid, &Pidfd::Held(open_pidfd(pid).unwrap()), 0);
            child.kill().unwrap();
            child.wait().unwrap();
            // Without privilege the namespaces of such a process cannot be read either, and nothing is proven.
            if !root && owner == 0 {
                assert_eq!(facts.map_err(|unproven| unproven.errno).unwrap_err(), Errno::EPERM);
                continue;
            }
            let facts = facts.unwrap();
            assert_eq!((facts.uid, facts.euid, facts.owner), (uid, uid, owner), "{}", path.display());
            assert_eq!(!facts.effective.is_empty(), capable, "{}: {facts:?}", path.display());
        }
    }
}
