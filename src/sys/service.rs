//! What a service manager passes to a service (sd_listen_fds(3), sd_notify(3), systemd.exec(5)).

use std::os::fd::{FromRawFd, OwnedFd, RawFd};

use rustix::net::{AddressFamily, SocketType, sockopt};

/// The first descriptor that is passed (SD_LISTEN_FDS_START).
const FIRST: RawFd = 3;

/// Takes the sockets that the service manager passed to this process, close-on-exec, and removes the variables that
/// announce them. Call it before another thread exists: it changes the environment.
///
/// Returns nothing if the variables are for another process.
pub fn take_listen_fds() -> Vec<OwnedFd> {
    let number = |name: &str| std::env::var(name).ok().and_then(|text| text.parse::<RawFd>().ok());
    let mine = number("LISTEN_PID").and_then(|pid| u32::try_from(pid).ok()) == Some(std::process::id());
    let count = number("LISTEN_FDS").filter(|count| mine && (0..=1024).contains(count)).unwrap_or(0);
    for name in ["LISTEN_PID", "LISTEN_FDS", "LISTEN_FDNAMES", "LISTEN_PIDFDID"] {
        // SAFETY: the caller promises that no other thread exists that could read the environment.
        unsafe { std::env::remove_var(name) };
    }
    let open = |fd: &RawFd| {
        // SAFETY: F_SETFD takes a plain number; a descriptor that is not open gives EBADF.
        unsafe { libc::fcntl(*fd, libc::F_SETFD, libc::FD_CLOEXEC) == 0 }
    };
    // SAFETY: the service manager opened these for this process, which has not used them: nothing else owns them.
    (FIRST..FIRST + count).filter(open).map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).collect()
}

/// Whether this is a Unix stream socket that listens.
pub fn is_stream_listener(socket: &OwnedFd) -> bool {
    sockopt::socket_domain(socket) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(socket) == Ok(SocketType::STREAM)
        && sockopt::socket_acceptconn(socket) == Ok(true)
}

/// Whether stderr is the stream that `JOURNAL_STREAM` names (systemd.exec(5)).
pub fn stderr_is_the_journal() -> bool {
    let Ok(stream) = std::env::var("JOURNAL_STREAM") else { return false };
    let Ok(stat) = rustix::fs::fstat(std::io::stderr()) else { return false };
    stream == format!("{}:{}", stat.st_dev, stat.st_ino)
}
