//! The descriptors of a worker (UMH-9).

use std::fs;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::abi::error::SysError;

use super::close::close_from;

/// The descriptor table that a worker uses.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub(super) enum Table {
    /// Its own, with only `/dev/null` as 0, 1 and 2: a child inherits no descriptor that it has to close.
    Own,
    /// The host's: every child closes what it inherits.
    Hosts,
}

/// Gives the calling thread its own descriptor table if that is allowed. Container profiles refuse unshare(2), and
/// older ones close_range(2). Root, working directory and umask stay shared with the host: the child sets the last two
/// itself, after the clone.
pub(super) fn own_table() -> Result<Table, SysError> {
    // close_range(2) copies only the part of the table that it keeps, so a host with many open files costs nothing.
    // SAFETY: integers only. The new table is this thread's own: no object of another thread loses a descriptor, and
    // this thread owns none (`Worker` is made before anything is opened on it).
    let closed = unsafe { libc::syscall(libc::SYS_close_range, 3u32, u32::MAX, libc::CLOSE_RANGE_UNSHARE) };
    // A filter can report success for a call that was not made. The next steps would then close the host's files.
    if closed < 0 || shares_table() {
        // SAFETY: a flag only; as above, nothing on this thread owns a descriptor.
        let unshared = unsafe { libc::unshare(libc::CLONE_FILES) };
        if unshared < 0 || shares_table() || !close_from(3) {
            return Ok(Table::Hosts);
        }
    }
    for fd in 0..3 {
        open_null_as(fd)?;
    }
    Ok(Table::Own)
}

/// Gives the calling thread its own root, working directory and umask. Best effort: if it is refused, each launch
/// checks whether the root is still the caller's.
pub(super) fn detach_root() {
    // SAFETY: a flag only; no descriptor is affected.
    unsafe { libc::unshare(libc::CLONE_FS) };
}

/// Whether this thread shares its descriptor table with the process's first thread: a pipe created here shows up there.
fn shares_table() -> bool {
    let Ok((reader, _writer)) = std::io::pipe() else { return true };
    let link = |of: &str| fs::read_link(format!("/proc/{of}/fd/{}", reader.as_raw_fd())).ok();
    let here = link("thread-self");
    here.is_some() && here == link("self")
}

fn open_null_as(fd: i32) -> Result<(), SysError> {
    // SAFETY: a constant path.
    let null = unsafe { libc::open(c"/dev/null".as_ptr(), libc::O_RDWR | libc::O_CLOEXEC) };
    let null = Errno::result(null).map_err(|e| SysError::new("open /dev/null", e))?;
    if null != fd {
        // SAFETY: integers only; `fd` is 0, 1 or 2 of this thread's own table, and `null` is used nowhere else.
        let moved = Errno::result(unsafe { libc::dup3(null, fd, libc::O_CLOEXEC) });
        // SAFETY: see above.
        unsafe { libc::close(null) };
        moved.map_err(|e| SysError::new("dup3 of /dev/null", e))?;
    }
    Ok(())
}

/// `/dev/null` for reading and writing, above 2.
pub(super) fn null() -> Result<OwnedFd, SysError> {
    let file = fs::OpenOptions::new().read(true).write(true).open("/dev/null");
    above_two(file.map_err(|e| SysError::new("open /dev/null", Errno::from_raw(e.raw_os_error().unwrap_or(0))))?.into())
}

/// Moves the file to a number above 2, close-on-exec: in the host's table 0 to 2 may be free, and a child needs them.
pub(super) fn above_two(fd: OwnedFd) -> Result<OwnedFd, SysError> {
    if fd.as_raw_fd() > 2 {
        return Ok(fd);
    }
    // SAFETY: integers only.
    let moved = Errno::result(unsafe { libc::fcntl(fd.as_raw_fd(), libc::F_DUPFD_CLOEXEC, 3) });
    // SAFETY: the descriptor that was just created; no other code uses it.
    moved.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).map_err(|e| SysError::new("fcntl(F_DUPFD_CLOEXEC)", e))
}
