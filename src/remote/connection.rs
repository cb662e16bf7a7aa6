//! One connection: bytes in and out, without blocking.

use std::io;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use rustix::net::{
    AddressFamily, RecvFlags, SendFlags, SocketAddrUnix, SocketFlags, SocketType, connect, recv, send, socket_with,
};

use crate::abi::error::ControlError;
use crate::wire::frame::{MAX_ANSWER, Splitter};

use super::address::{Address, Place};
use super::ssh::{Ended, Ssh};

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
    /// The process behind the socket, if the daemon is on another machine, and how it has ended.
    ssh: Option<(Ssh, Option<Ended>)>,
}

impl Connection {
    /// Connects. Never waits: a daemon whose queue of connections is full is an error (`EAGAIN`), and what is sent before
    /// ssh has reached the far side is kept.
    pub(super) fn open(address: &Address) -> io::Result<Self> {
        let (socket, ssh) = match &address.place {
            Place::Socket(path) => {
                let flags = SocketFlags::CLOEXEC | SocketFlags::NONBLOCK;
                let socket = socket_with(AddressFamily::UNIX, SocketType::STREAM, flags, None)?;
                connect(&socket, &SocketAddrUnix::new(path)?)?;
                (socket, None)
            }
            Place::Far(way) => {
                let (ssh, socket) = way.start()?;
                (socket, Some((ssh, None)))
            }
        };
        let (incoming, outgoing) = (Splitter::new(MAX_ANSWER), Vec::new());
        Ok(Self { socket, incoming, outgoing, kernel: address.kernel, ssh })
    }

    /// The error for a connection that ended before the daemon said anything, if it goes through ssh.
    pub(super) fn unreached(&self) -> Option<ControlError> {
        let (ssh, ended) = self.ssh.as_ref()?;
        ended.as_ref().map(|ended| ssh.unreached(ended))
    }

    /// The end of the stream: an error with the reason, if it goes through ssh.
    fn end<T>(&mut self, otherwise: io::Result<T>) -> io::Result<T> {
        let Some((ssh, ended)) = &mut self.ssh else { return otherwise };
        Err(io::Error::other(ended.get_or_insert_with(|| ssh.ended()).why()))
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
                Err(e) => return self.end(Err(e.into())),
            }
        }
        Ok(())
    }

    /// Reads what is there, at most 16 KiB. Returns false at the end of the stream.
    pub(super) fn read(&mut self) -> io::Result<bool> {
        let mut buffer = [0; READ];
        if let Some((ssh, _)) = &mut self.ssh {
            ssh.listen();
        }
        loop {
            match recv(&self.socket, &mut buffer, RecvFlags::empty()) {
                Ok((_, 0)) => return self.end(Ok(false)),
                Ok((_, length)) => {
                    self.incoming.push(&buffer[..length]);
                    return Ok(true);
                }
                Err(rustix::io::Errno::INTR) => {}
                Err(rustix::io::Errno::AGAIN) => return Ok(true),
                Err(e) => return self.end(Err(e.into())),
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
