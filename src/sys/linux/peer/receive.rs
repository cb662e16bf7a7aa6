//! Receives bytes together with the process that sent them.

use std::io::IoSliceMut;
use std::os::fd::{AsFd, AsRawFd, FromRawFd, OwnedFd};

use nix::errno::Errno;

use crate::abi::peer::Credentials;

use super::facts::Pidfd;

/// SCM_PIDFD (include/linux/socket.h, Linux 6.5); the libc crate has no name for it.
const SCM_PIDFD: libc::c_int = 0x04;
/// The most files that one message can carry (SCM_MAX_FD, unix(7)).
const FILES: usize = 253;
/// Space for credentials, a pidfd and every file, in units that align the headers.
const SPACE: usize = 160;

/// Bytes of one sender. The kernel never merges those of two (SO_PASSCRED, unix(7)).
#[derive(Debug)]
pub struct Chunk {
    /// How many bytes were received; 0 at the end of the stream.
    pub bytes: usize,
    /// The process that sent them; `None` at the end of the stream.
    pub sender: Option<Sender>,
}

/// The process that sent some bytes.
#[derive(Debug)]
pub struct Sender {
    /// As the kernel checked it when the bytes were sent (SCM_CREDENTIALS).
    pub credentials: Credentials,
    /// What pins it.
    pub pidfd: Pidfd,
}

/// Receives what is there, without waiting. Files that were sent along are closed. `with_pidfd` is what
/// [`pass_credentials`](super::pass_credentials) returned for the listener.
///
/// # Errors
/// `EAGAIN` if nothing is there; any other errno of recvmsg(2).
pub fn receive(socket: impl AsFd, buffer: &mut [u8], with_pidfd: bool) -> Result<Chunk, Errno> {
    const { assert!(SPACE * size_of::<usize>() >= 16 * 3 + 24 + 8 + FILES * 4 + 8) }
    let mut control = [0usize; SPACE];
    let mut parts = [IoSliceMut::new(buffer)];
    // SAFETY: all-zero is a valid msghdr: no name, no parts, no control data.
    let mut header: libc::msghdr = unsafe { std::mem::zeroed() };
    // An `IoSliceMut` has the layout of an `iovec`.
    header.msg_iov = parts.as_mut_ptr().cast();
    header.msg_iovlen = 1;
    header.msg_control = control.as_mut_ptr().cast();
    // A `size_t` in glibc, a `socklen_t` in musl.
    header.msg_controllen = size_of_val(&control) as _;
    let flags = libc::MSG_DONTWAIT | libc::MSG_CMSG_CLOEXEC;
    // SAFETY: the header points to one buffer and to control space, which live during the call, with their sizes.
    let bytes = Errno::result(unsafe { libc::recvmsg(socket.as_fd().as_raw_fd(), &raw mut header, flags) })?;
    let bytes = usize::try_from(bytes).unwrap_or(0);
    // The kernel makes no pidfd where none was asked for, and cuts control data for which there is no descriptor left.
    let absent = match (with_pidfd, header.msg_flags & libc::MSG_CTRUNC) {
        (false, _) => Pidfd::Unsupported,
        (true, 0) => Pidfd::Failed(Errno::ESRCH),
        (true, _) => Pidfd::Failed(Errno::EMFILE),
    };
    let (credentials, pidfd) = control_data(&header);
    let sender = credentials.filter(|_| bytes > 0);
    Ok(Chunk { bytes, sender: sender.map(|credentials| Sender { credentials, pidfd: pidfd.unwrap_or(absent) }) })
}

/// The sender in the control data of a message that was received; its files are closed.
fn control_data(header: &libc::msghdr) -> (Option<Credentials>, Option<Pidfd>) {
    let (mut credentials, mut pidfd) = (None, None);
    // SAFETY: recvmsg has set the length of the control data to what it wrote.
    let mut at = unsafe { libc::CMSG_FIRSTHDR(header) };
    while !at.is_null() {
        // SAFETY: `at` points to a header inside the control data.
        let (level, kind, length) = unsafe { ((*at).cmsg_level, (*at).cmsg_type, (*at).cmsg_len as usize) };
        // SAFETY: as above; the data follow the header.
        let data = unsafe { libc::CMSG_DATA(at) };
        // SAFETY: it only computes the length of a header.
        let length = length.saturating_sub(unsafe { libc::CMSG_LEN(0) } as usize);
        match (level, kind) {
            (libc::SOL_SOCKET, libc::SCM_CREDENTIALS) if length >= size_of::<libc::ucred>() => {
                // SAFETY: the kernel wrote a whole `ucred` there, three plain numbers.
                let ucred = unsafe { data.cast::<libc::ucred>().read_unaligned() };
                credentials = Some(Credentials { pid: ucred.pid, uid: ucred.uid, gid: ucred.gid });
            }
            (libc::SOL_SOCKET, SCM_PIDFD) => {
                pidfd = files(data, length).next().map(|fd| match fd {
                    Ok(fd) => Pidfd::Held(fd),
                    Err(errno) => Pidfd::Failed(errno),
                });
            }
            (libc::SOL_SOCKET, libc::SCM_RIGHTS) => files(data, length).for_each(drop),
            _ => {}
        }
        // SAFETY: `at` is inside the control data of this header.
        at = unsafe { libc::CMSG_NXTHDR(header, at) };
    }
    (credentials, pidfd)
}

/// The descriptors in a control message, each now owned. In place of a pidfd that could not be made, the kernel writes
/// the negative errno.
fn files(data: *const u8, length: usize) -> impl Iterator<Item = Result<OwnedFd, Errno>> {
    (0..length / size_of::<libc::c_int>()).map(move |index| {
        // SAFETY: the kernel wrote `length` bytes at `data`, and this int lies within them.
        let fd = unsafe { data.cast::<libc::c_int>().add(index).read_unaligned() };
        // SAFETY: the kernel has just made this descriptor for this process; nothing else knows it.
        if fd >= 0 { Ok(unsafe { OwnedFd::from_raw_fd(fd) }) } else { Err(Errno::from_raw(-fd)) }
    })
}
