//! Passes an open file from a thread of the program to a worker, which has its own descriptor table, as a message
//! between two sockets (SCM_RIGHTS, unix(7)). pidfd_getfd(2) would do the same, but containers refuse it.

use std::collections::hash_map::RandomState;
use std::hash::{BuildHasher, Hasher};
use std::io::{IoSlice, IoSliceMut};
use std::mem::MaybeUninit;
use std::os::fd::{AsFd, AsRawFd, OwnedFd};

use nix::errno::Errno;
use rustix::net::{
    AddressFamily, RecvAncillaryBuffer, RecvAncillaryMessage, RecvFlags, SendAncillaryBuffer, SendAncillaryMessage,
    SendFlags, SocketAddrUnix, SocketFlags, SocketType, bind, getsockname, recvmsg, sendmsg_addr, socket_with, sockopt,
};

use crate::abi::error::SysError;

/// Proves that a message comes from this process: every process of the machine can see the address of a socket.
type Secret = [u8; 16];

/// The receiving socket, in the descriptor table of the thread that creates it.
#[derive(Debug)]
pub struct Receiver {
    socket: OwnedFd,
    address: Address,
}

/// The address to send to, for any thread of this process.
#[derive(Clone, Debug)]
pub struct Address {
    name: SocketAddrUnix,
    secret: Secret,
}

impl Receiver {
    /// A socket with an abstract name that the kernel chooses.
    pub fn new() -> Result<Self, SysError> {
        let failed = |what| move |e: rustix::io::Errno| SysError::new(what, Errno::from_raw(e.raw_os_error()));
        let socket = socket().map_err(failed("a socket to receive a file with"))?;
        bind(&socket, &SocketAddrUnix::new_unnamed()).map_err(failed("bind of a socket"))?;
        let name = getsockname(&socket).and_then(SocketAddrUnix::try_from).map_err(failed("getsockname"))?;
        // Only files are wanted: turns credentials off, whatever the default.
        let _ = sockopt::set_socket_passcred(&socket, false);
        let random = || RandomState::new().build_hasher().finish().to_ne_bytes();
        let mut secret = Secret::default();
        secret[..8].copy_from_slice(&random());
        secret[8..].copy_from_slice(&random());
        Ok(Self { socket, address: Address { name, secret } })
    }

    /// The address to send to.
    pub fn address(&self) -> Address {
        self.address.clone()
    }

    /// The file that was sent, close-on-exec and above 2. `EAGAIN` if none was sent before.
    pub fn receive(self) -> Result<OwnedFd, SysError> {
        let failed = |e: rustix::io::Errno| SysError::new("receiving a file", Errno::from_raw(e.raw_os_error()));
        loop {
            // One byte more than a valid message has.
            let mut bytes = [0; size_of::<Secret>() + 1];
            let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
            let mut files = RecvAncillaryBuffer::new(&mut space);
            let flags = RecvFlags::DONTWAIT | RecvFlags::CMSG_CLOEXEC;
            let got = recvmsg(&self.socket, &mut [IoSliceMut::new(&mut bytes)], &mut files, flags).map_err(failed)?;
            let mut file = None;
            for message in files.drain() {
                if let RecvAncillaryMessage::ScmRights(mut received) = message {
                    file = received.next();
                }
            }
            // A file from another process is closed.
            if bytes[..got.bytes] == self.address.secret[..]
                && let Some(file) = file
            {
                return above_stdio(file).map_err(failed);
            }
        }
    }
}

impl Address {
    /// Sends the file, which also stays open here. `EAGAIN` if another process has filled the socket's queue.
    pub fn send(&self, file: impl AsFd) -> Result<(), SysError> {
        let failed = |e: rustix::io::Errno| SysError::new("sending a file", Errno::from_raw(e.raw_os_error()));
        let socket = socket().map_err(failed)?;
        let files = [file.as_fd()];
        let mut space = [MaybeUninit::uninit(); rustix::cmsg_space!(ScmRights(1))];
        let mut rights = SendAncillaryBuffer::new(&mut space);
        rights.push(SendAncillaryMessage::ScmRights(&files));
        let flags = SendFlags::DONTWAIT | SendFlags::NOSIGNAL;
        sendmsg_addr(&socket, &self.name, &[IoSlice::new(&self.secret)], &mut rights, flags).map_err(failed)?;
        Ok(())
    }
}

fn socket() -> rustix::io::Result<OwnedFd> {
    socket_with(AddressFamily::UNIX, SocketType::DGRAM, SocketFlags::CLOEXEC, None)
}

/// Moves the file above 2: a worker that shares the program's table may receive 0 to 2, which a launch sets itself.
fn above_stdio(file: OwnedFd) -> rustix::io::Result<OwnedFd> {
    if file.as_raw_fd() > 2 { Ok(file) } else { rustix::io::fcntl_dupfd_cloexec(&file, 3) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::{Read, Write};

    #[test]
    fn umh_6_the_file_itself_arrives_and_what_a_stranger_sends_does_not() {
        let (mut reader, mut writer) = std::io::pipe().unwrap();
        let receiver = Receiver::new().unwrap();
        let stranger = Address { secret: [7; 16], ..receiver.address() };
        let other = std::fs::File::open("/dev/null").unwrap();
        stranger.send(&other).unwrap();
        receiver.address().send(&writer).unwrap();
        let received = receiver.receive().unwrap();
        assert!(received.as_raw_fd() > 2 && rustix::io::fcntl_getfd(&received).unwrap().bits() != 0, "close-on-exec");
        writer.write_all(b"a").unwrap();
        std::fs::File::from(received).write_all(b"b").unwrap();
        drop(writer);
        let mut text = String::new();
        // The end comes when both are closed.
        reader.read_to_string(&mut text).unwrap();
        assert_eq!(text, "ab");
        let nothing = Receiver::new().unwrap().receive().unwrap_err();
        assert_eq!(nothing.errno, Errno::EAGAIN);
    }
}
