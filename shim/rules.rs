//! The compiled rules, which decide where the daemon exists and does not answer. They know names alone.

use crate::compiled::{LONGEST, Subject, decide};
use crate::syscall;

/// Whether the helper may run. Rules that cannot be read whole allow nothing but where there are none at all.
pub fn allow(path: &[u8], subject: &Subject<'_>) -> bool {
    let fd = match syscall::open(path.as_ptr(), 0) {
        Ok(fd) => fd,
        Err(errno) => return errno == syscall::ENOENT,
    };
    let mut bytes = [0; LONGEST];
    let mut length = 0;
    while length < bytes.len() {
        match syscall::read(fd, &mut bytes[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(syscall::EINTR) => {}
            Err(_) => return false,
        }
    }
    syscall::close(fd);
    length < bytes.len() && decide(&bytes[..length], subject).unwrap_or(false)
}
