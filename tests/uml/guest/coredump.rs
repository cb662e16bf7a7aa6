//! The handler of cores that Debian's machines have, under the profile of the packages. What the kernel starts sends the core
//! to a service, which keeps it.

use std::fs;
use std::os::fd::OwnedFd;
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::path::PathBuf;
use std::process::{Command, ExitCode, Stdio};

use rustix::net::{AddressFamily, SocketAddrUnix, SocketFlags, SocketType, accept, bind, listen, socket_with};

use super::OWN;
use super::asking::{LOG, crash};
use super::boots::{Daemon, errors, serve, until};
use super::flows::{distribution, ends};
use super::init::Serial;
use super::static_helper::{core_is_whole, place};

/// First argument of the process that becomes the service, with the connection as its standard input.
pub const SERVES: &str = "khelper-guest-serves-cores";

const HANDLER: &str = "/usr/lib/systemd/systemd-coredump";
/// As its package sets it, but for the path.
const PATTERN: &str = "%P %u %g %s %t 9223372036854775808 %h %d";
const SOCKET: &str = "/run/systemd/coredump";
const KEPT: &str = "/var/lib/systemd/coredump";

/// The other process: sd_listen_fds(3) wants the number 3 and its own pid.
pub fn serves() -> ExitCode {
    // SAFETY: the numbers of two descriptors; nobody in this process has the second one.
    assert!(unsafe { libc::dup2(0, 3) } == 3);
    let pid = std::process::id().to_string();
    let error = Command::new(HANDLER).env_clear().env("LISTEN_FDS", "1").env("LISTEN_PID", pid).exec();
    panic!("{HANDLER}: {error}");
}

/// What systemd-coredump.socket is on a machine with systemd: listens, and starts the service for one connection.
fn service() -> std::thread::JoinHandle<bool> {
    fs::create_dir_all("/run/systemd").unwrap();
    let fd = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, SocketFlags::CLOEXEC, None).unwrap();
    bind(&fd, &SocketAddrUnix::new(SOCKET).unwrap()).unwrap();
    listen(&fd, 8).unwrap();
    std::thread::spawn(move || {
        let connection: OwnedFd = accept(&fd).unwrap();
        let mut command = Command::new(OWN);
        command.arg(SERVES).stdin(Stdio::from(connection)).status().unwrap().success()
    })
}

/// The cores that were kept.
fn cores() -> Vec<PathBuf> {
    fs::read_dir(KEPT).unwrap().map(|entry| entry.unwrap().path()).collect()
}

pub fn kept(serial: &mut Serial) {
    distribution();
    place(false);
    fs::write("/etc/passwd", "root:x:0:0::/:/bin/sh\nsystemd-coredump:x:998:998::/:/usr/sbin/nologin\n").unwrap();
    fs::write("/etc/group", "root:x:0:\nsystemd-coredump:x:998:\n").unwrap();
    fs::write("/etc/machine-id", "0123456789abcdef0123456789abcdef\n").unwrap();
    fs::create_dir_all("/etc/systemd").unwrap();
    fs::write("/etc/systemd/coredump.conf", "[Coredump]\nStorage=external\nCompress=no\n").unwrap();
    fs::create_dir_all(KEPT).unwrap();
    fs::set_permissions(KEPT, PermissionsExt::from_mode(0o755)).unwrap();
    fs::write("/proc/sys/kernel/core_pattern", format!("|{HANDLER} {PATTERN}")).unwrap();
    fs::write("/proc/sys/kernel/core_pipe_limit", "16").unwrap();
    fs::write(LOG, "").unwrap();
    let mut daemon = Daemon::of(&mut serve("enforce"));
    let service = service();
    assert_eq!(ends(1, || assert!(crash("whole-e0") > 0)), [0], "{}", errors());
    assert!(service.join().unwrap(), "the service");
    let kept = cores();
    assert!(kept.len() == 1, "{kept:?}");
    core_is_whole(kept[0].to_str().unwrap());
    // Its record cites the rule, and so the profile.
    until(&["-t", "daemon/kernel", "log", "--json"], "profile=cores");
    serial.note(&format!("kept as {}", kept[0].display()));
    daemon.kill();
}
