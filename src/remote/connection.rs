//! One connection: bytes in and out, without blocking.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use crate::wire::frame::{MAX_ANSWER, Splitter};

use super::address::Address;

/// How much is read at a time.
const READ: usize = 16 << 10;

/// A connection to the daemon.
#[derive(Debug)]
pub(super) struct Connection {
    socket: OwnedFd,
    incoming: Splitter,
    outgoing: Vec<u8>,
    /// Its calls are for the watch of the kernel.
    pub(super) kernel: bool,
}

impl Connection {
    /// Connects. Never waits: a daemon whose queue of connections is full is an error (`EAGAIN`).
    pub(super) fn open(address: &Address) -> io::Result<Self> {
        let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
        let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
        connect(&socket, &SocketAddrUnix::new(&address.path)?)?;
        Ok(Self { socket, incoming: Splitter::new(MAX_ANSWER), outgoing: Vec::new(), kernel: address.kernel })
    }

    /// Sends a message, or as much of it as the socket takes; the rest follows with [`Self::write`].
    pub(super) fn send(&mut self, message: &[u8]) -> io::Result<()> {
        self.outgoing.extend_from_slice(message);
        self.write()
    }

    /// Whether something is left to write.
    pub(super) fn is_behind(&self) -> bool {
        !self.outgoing.is_empty()
    }

    /// Writes what the socket takes.
    pub(super) fn write(&mut self) -> io::Result<()> {
        while !self.outgoing.is_empty() {
            match send(&self.socket, &self.outgoing, SendFlags::NOSIGNAL) {
                Ok(length) => _ = self.outgoing.drain(..length),
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(e) => return Err(e.into()),
            }
        }
        Ok(())
    }

    /// Reads what is there, at most 16 KiB. Returns false at the end of the stream.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; READ];
        loop {
            match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((_, 0)) => return Ok(false),
                Ok((_, length)) => {
                    self.incoming.push(&buffer[..length]);
                    return Ok(true);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                Err(e) => return Err(e.into()),
            }
        }
    }

    /// The next message that has arrived.
    pub(super) fn next_message(&mut self) -> io::Result<Option<&[u8]>> {
        self.incoming.next_message().map_err(io::Error::other)
    }
}

impl AsFd for Connection {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.socket.as_fd()
    }
}
