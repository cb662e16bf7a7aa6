//! SOCK_SEQPACKET sockets in the file system.

use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::path::Path;

use rustix::event::{PollFd, PollFlags, Timespec, poll};
use rustix::io::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvFlags, ReturnFlags, SendAncillaryBuffer, SendAncillaryMessage, SendFlags,
    SocketAddrUnix, SocketFlags, SocketType, accept_with, bind, connect, listen, recvmsg, sendmsg, socket_with,
    sockopt,
};

use crate::abi::peer::Credentials;

use super::peer::connected;

/// How many may wait to be accepted: as many helpers as the kernel starts for modules at one time, and more.
const BACKLOG: i32 = 256;
const FLAGS: SocketFlags = SocketFlags::CLOEXEC.union(SocketFlags::NONBLOCK);

/// Whether somebody listens on the socket. A full backlog counts.
pub fn listens(path: &Path) -> bool {
    let Ok(address) = SocketAddrUnix::new(path) else { return false };
    let Ok(socket) = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None) else { return false };
    matches!(connect(&socket, &address), Ok(()) | Err(Errno::AGAIN))
}

/// Who is behind a socket.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Presence {
    /// Nobody: there is no such socket.
    Absent,
    /// Nobody any more: who made it has ended and left it.
    Left,
    /// Somebody who does not take what is sent.
    Silent,
    /// Somebody who does.
    Alive,
    /// It is not known: this process may not connect.
    Hidden,
}

/// Who is behind a socket. An empty packet is sent, which is no question: its reader closes the connection.
pub fn presence(path: &Path, patience: Timespec) -> Presence {
    let Ok(address) = SocketAddrUnix::new(path) else { return Presence::Absent };
    let Ok(socket) = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None) else {
        return Presence::Hidden;
    };
    match connect(&socket, &address) {
        Ok(()) => {}
        // The backlog is full.
        Err(Errno::AGAIN) => return Presence::Silent,
        Err(Errno::CONNREFUSED) => return Presence::Left,
        Err(Errno::ACCESS | Errno::PERM) => return Presence::Hidden,
        Err(_) => return Presence::Absent,
    }
    // An error: it has been closed already.
    let _ = sent(&socket, &[], None);
    let mut fds = [PollFd::new(&socket, PollFlags::IN)];
    match poll(&mut fds, Some(&patience)) {
        Ok(0) => Presence::Silent,
        _ => Presence::Alive,
    }
}

/// Binds a socket that nobody can connect to before [`open`]. Its mode comes from the umask.
///
/// # Errors
/// That of the call which failed; `EADDRINUSE` if a file has this name.
pub fn bound(path: &Path) -> Result<OwnedFd, Errno> {
    let socket = socket_with(AddressFamily::UNIX, SocketType::SEQPACKET, FLAGS, None)?;
    bind(&socket, &SocketAddrUnix::new(path)?)?;
    Ok(socket)
}

/// Lets others connect.
///
/// # Errors
/// That of listen(2).
pub fn open(socket: &OwnedFd) -> Result<(), Errno> {
    listen(socket, BACKLOG)
}

/// Whether this is a socket of this kind that listens.
pub fn is_listener(socket: &OwnedFd) -> bool {
    sockopt::socket_domain(socket) == Ok(AddressFamily::UNIX)
        && sockopt::socket_type(socket) == Ok(SocketType::SEQPACKET)
        && sockopt::socket_acceptconn(socket) == Ok(true)
}

/// The next connection that waits, and the process that made it.
///
/// # Errors
/// `EAGAIN` if none waits; else that of accept(2).
pub fn accepted(listener: &OwnedFd) -> Result<(OwnedFd, Credentials), Errno> {
    let socket = accept_with(listener, FLAGS)?;
    let by = connected(&socket).unwrap_or(Credentials { pid: 0, uid: u32::MAX, gid: u32::MAX });
    Ok((socket, by))
}

/// Whether the other end is still open.
pub fn is_open(socket: BorrowedFd<'_>) -> bool {
    let mut fds = [PollFd::from_borrowed_fd(socket, PollFlags::empty())];
    let none = Timespec { tv_sec: 0, tv_nsec: 0 };
    poll(&mut fds, Some(&none)).is_ok() && !fds[0].revents().intersects(PollFlags::HUP | PollFlags::ERR)
}

/// Receives one packet. `None`: it is longer than `into`, or a descriptor came with it, which is closed.
///
/// # Errors
/// `EAGAIN` if none has come; else that of recvmsg(2).
pub fn received<'a>(socket: BorrowedFd<'_>, into: &'a mut [u8]) -> Result<Option<&'a [u8]>, Errno> {
    let mut control = RecvAncillaryBuffer::new(&mut []);
    let got = recvmsg(socket, &mut [IoSliceMut::new(into)], &mut control, RecvFlags::CMSG_CLOEXEC)?;
    let is_cut = got.flags.intersects(ReturnFlags::TRUNC | ReturnFlags::CTRUNC);
    Ok(if is_cut { None } else { into.get(..got.bytes) })
}

/// Sends one packet, with a descriptor if there is one. Never waits: a connection that takes no packet is lost.
///
/// # Errors
/// That of sendmsg(2).
pub fn sent(socket: impl AsFd, packet: &[u8], with: Option<BorrowedFd<'_>>) -> Result<(), Errno> {
    let descriptors = with.map(|fd| [fd]);
    let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
    let mut control = SendAncillaryBuffer::new(&mut space);
    if let Some(descriptors) = &descriptors {
        control.push(SendAncillaryMessage::ScmRights(descriptors));
    }
    let flags = SendFlags::NOSIGNAL | SendFlags::DONTWAIT;
    sendmsg(socket, &[IoSlice::new(packet)], &mut control, flags).map(drop)
}
