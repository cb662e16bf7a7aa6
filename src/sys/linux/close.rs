//! Closes every descriptor from a number on, with raw system calls only: a child does this between clone and exec.

use std::ptr;

use libc::{c_int, c_long};

/// Buffer size for the names of a few dozen descriptors.
const DIRENT_BYTES: usize = 1024;
/// The most descriptors that are closed one by one, by number, if the open ones cannot be listed.
const MOST_CLOSED: u64 = 1 << 20;

/// Closes every descriptor of the calling process from `first` on. Returns whether all of them are certainly closed.
pub(super) fn close_from(first: c_int) -> bool {
    // A filter can report success for a call that was not made, so one descriptor in the range is checked afterwards.
    // SAFETY: integers only. No code relies on the descriptors in the caller's table.
    let closed = unsafe {
        let probe = libc::syscall(libc::SYS_fcntl, 0, libc::F_DUPFD_CLOEXEC, first);
        probe >= 0
            && libc::syscall(libc::SYS_close_range, first, c_int::MAX, 0) == 0
            && libc::syscall(libc::SYS_fcntl, probe, libc::F_GETFD) < 0
    };
    closed || close_listed(first) || close_numbered(first)
}

/// Closes the descriptors listed in /proc: before Linux 5.9, or if a filter refuses close_range(2).
fn close_listed(first: c_int) -> bool {
    let (path, flags) = (c"/proc/thread-self/fd".as_ptr(), libc::O_RDONLY | libc::O_DIRECTORY | libc::O_CLOEXEC);
    // SAFETY: a constant path.
    let dir = unsafe { libc::syscall(libc::SYS_openat, libc::AT_FDCWD, path, flags) };
    if dir < 0 {
        return false;
    }
    #[repr(align(8))]
    struct Entries([u8; DIRENT_BYTES]);
    let mut entries = Entries([0; DIRENT_BYTES]);
    let complete = loop {
        // SAFETY: the kernel writes at most as many bytes as the buffer has.
        let got = unsafe { libc::syscall(libc::SYS_getdents64, dir, entries.0.as_mut_ptr(), DIRENT_BYTES) };
        let Ok(got) = usize::try_from(got) else { break false };
        if got == 0 {
            break true;
        }
        close_entries(entries.0.get(..got).unwrap_or_default(), first, dir);
    };
    // SAFETY: opened above. If its number is below `first`, that number was free before.
    unsafe { libc::syscall(libc::SYS_close, dir) };
    complete
}

/// `struct linux_dirent64` (getdents64(2)): inode and offset of eight bytes, length of two, type of one, name.
fn close_entries(mut entries: &[u8], first: c_int, keep: c_long) {
    const LENGTH: usize = 16;
    const NAME: usize = 19;
    while let (Some(&low), Some(&high)) = (entries.get(LENGTH), entries.get(LENGTH + 1)) {
        let length = usize::from(u16::from_ne_bytes([low, high]));
        if let Some(fd) = entries.get(NAME..).and_then(number)
            && fd >= first
            && c_long::from(fd) != keep
        {
            // SAFETY: an integer only.
            unsafe { libc::syscall(libc::SYS_close, fd) };
        }
        match entries.get(length..) {
            Some(rest) if length > 0 => entries = rest,
            _ => return,
        }
    }
}

/// A decimal number up to a NUL; `None` for `.` and `..`.
fn number(text: &[u8]) -> Option<c_int> {
    let mut value: c_int = 0;
    let mut digits = 0;
    for byte in text.iter().take_while(|byte| **byte != 0) {
        if !byte.is_ascii_digit() {
            return None;
        }
        value = value.checked_mul(10)?.checked_add(c_int::from(byte - b'0'))?;
        digits += 1;
    }
    (digits > 0).then_some(value)
}

/// Closes descriptors by number up to the hard limit, if there is no /proc either. Fails if that limit is too high.
fn close_numbered(first: c_int) -> bool {
    let mut limit = libc::rlimit64 { rlim_cur: 0, rlim_max: 0 };
    let none = ptr::null::<libc::rlimit64>();
    // SAFETY: pid 0 is this process; the old limit is written to this stack.
    let got = unsafe { libc::syscall(libc::SYS_prlimit64, 0, libc::RLIMIT_NOFILE, none, &raw mut limit) };
    if got < 0 || limit.rlim_max > MOST_CLOSED {
        return false;
    }
    let mut fd = first;
    while u64::try_from(fd).is_ok_and(|fd| fd < limit.rlim_max) {
        // SAFETY: an integer only.
        unsafe { libc::syscall(libc::SYS_close, fd) };
        fd += 1;
    }
    true
}

#[cfg(test)]
mod tests {
    use super::*;

    /// In a forked child with descriptors 100 to 139 open: whether `close` closes them and leaves 0 to 99 alone.
    fn closes(close: fn(c_int) -> bool) -> bool {
        let null = std::fs::File::open("/dev/null").unwrap();
        let null = std::os::fd::AsRawFd::as_raw_fd(&null);
        // SAFETY: the child makes system calls only and ends in _exit.
        let pid = unsafe { libc::fork() };
        if pid == 0 {
            // SAFETY: integers only.
            let is_open = |fd| unsafe { libc::fcntl(fd, libc::F_GETFD) } >= 0;
            // SAFETY: integers only; the table is the child's own.
            unsafe {
                (100..140).for_each(|fd| assert_eq!(libc::dup2(null, fd), fd));
                let before = (100..140).all(is_open);
                let right = before && close(100) && !(100..140).any(is_open) && is_open(null);
                libc::_exit(if right { 7 } else { 1 });
            }
        }
        let mut status = 0;
        // SAFETY: the status is written to this stack.
        assert_eq!(unsafe { libc::waitpid(pid, &raw mut status, 0) }, pid);
        libc::WEXITSTATUS(status) == 7
    }

    #[test]
    fn umh_9_files_are_closed_in_every_way() {
        assert!(closes(close_from), "close_range, or what stands in for it");
        assert!(closes(close_listed), "by /proc");
        assert!(closes(close_numbered), "by number");
    }

    #[test]
    fn umh_9_names_of_descriptors_are_numbers() {
        let read = |text: &[u8]| number(text);
        assert_eq!((read(b"0\0"), read(b"1073741815\0rest")), (Some(0), Some(1_073_741_815)));
        assert_eq!((read(b".\0"), read(b"..\0"), read(b"\0"), read(b"99999999999\0")), (None, None, None, None));
    }
}
