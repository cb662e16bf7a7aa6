//! One connection: what it has sent, what it is to get, and what it waits for.

use std::os::fd::OwnedFd;

use nix::errno::Errno;
use rustix::event::epoll::EventFlags;

use crate::abi::event::EventKinds;
use crate::control::authorize::Access;
use crate::control::target::Seq;
use crate::sys::linux::peer::{Sender, receive};
use crate::wire::event::missed;
use crate::wire::frame::{Splitter, TooLong};

use super::outgoing::{Message, Outgoing};
use super::peer::Opened;

/// What a connection waits for. Only an idle one is read.
#[derive(Debug)]
pub enum State {
    /// Its next call.
    Idle,
    /// The answer to a call.
    Slow {
        /// The command's number.
        call: u64,
    },
    /// Events.
    Watching(Watching),
}

/// A watch.
#[derive(Debug)]
pub struct Watching {
    /// Which events.
    pub kinds: EventKinds,
    /// How much of them.
    pub access: Access,
    /// Only events after this one.
    pub after: Seq,
    /// Events that were lost and not reported yet.
    pub missed: u64,
    /// They are of the watch of the kernel.
    pub kernel: bool,
}

/// Why a connection cannot be read any more.
#[derive(Debug, PartialEq, Eq)]
pub enum Broken {
    /// The peer is gone.
    Gone,
    /// A message is too long.
    TooLong,
    /// The parts of a message come from different processes.
    Mixed,
}

/// A connection.
#[derive(Debug)]
pub struct Connection {
    /// The socket.
    pub socket: OwnedFd,
    /// Who opened it.
    pub opened: Opened,
    /// What it waits for.
    pub state: State,
    /// What it is to get.
    pub outgoing: Outgoing,
    /// It will send nothing more.
    pub ended: bool,
    /// It is closed once everything is written.
    pub closing: bool,
    /// What epoll reports about it.
    pub interest: EventFlags,
    incoming: Splitter,
    /// The process that sent the bytes that were received and not parsed.
    sender: Option<Sender>,
}

impl Connection {
    /// A connection that has just been accepted; it accepts messages of up to `longest` bytes.
    pub fn new(socket: OwnedFd, opened: Opened, longest: usize) -> Self {
        Self {
            socket,
            opened,
            state: State::Idle,
            outgoing: Outgoing::default(),
            ended: false,
            closing: false,
            interest: EventFlags::IN,
            incoming: Splitter::new(longest),
            sender: None,
        }
    }

    /// Whether it watches the kernel, or the engine.
    pub fn is_watching(&self, kernel: bool) -> bool {
        matches!(&self.state, State::Watching(watching) if watching.kernel == kernel)
    }

    /// Whether the next call may be read and parsed.
    pub fn takes_calls(&self) -> bool {
        matches!(self.state, State::Idle) && !self.closing && !self.outgoing.is_full()
    }

    /// Whether nothing is left to do for it.
    pub fn is_over(&self) -> bool {
        self.outgoing.is_empty() && (self.closing || self.ended && matches!(self.state, State::Idle))
    }

    /// Sends the number of events that a watch has lost, once nothing else waits. Returns whether there was something to
    /// report.
    pub fn report_gap(&mut self) -> bool {
        let State::Watching(watching) = &mut self.state else { return false };
        if watching.missed == 0 || !self.outgoing.is_empty() {
            return false;
        }
        self.outgoing.push(Message::Own(missed(std::mem::take(&mut watching.missed))));
        true
    }

    /// What epoll should report. A hang-up is always reported.
    pub fn wanted(&self) -> EventFlags {
        let mut wanted = EventFlags::empty();
        if self.takes_calls() && !self.ended {
            wanted |= EventFlags::IN;
        }
        if !self.outgoing.is_empty() {
            wanted |= EventFlags::OUT;
        }
        wanted
    }

    /// Takes the next complete message, and what `read` makes of it and of its sender. Call [`Self::fill`] after `None`.
    pub fn take_message<T>(
        &mut self,
        read: impl FnOnce(&[u8], &Sender, &Opened, &OwnedFd) -> T,
    ) -> Result<Option<T>, Broken> {
        let Self { incoming, sender, opened, socket, .. } = self;
        match (incoming.next_message(), sender) {
            (Err(TooLong { .. }), _) => Err(Broken::TooLong),
            (Ok(None), _) => Ok(None),
            (Ok(Some(message)), Some(sender)) => Ok(Some(read(message, sender, opened, socket))),
            // Bytes without a sender are refused when they are received.
            (Ok(Some(_)), None) => Err(Broken::Mixed),
        }
    }

    /// Receives what one process has sent. Returns false if nothing is there. Call it only when no complete message is
    /// left: what is left is then the beginning of one message, and must have the same sender as the rest.
    pub fn fill(&mut self, buffer: &mut [u8], with_pidfd: bool) -> Result<bool, Broken> {
        if self.incoming.waiting() == 0 {
            self.sender = None;
        }
        let chunk = match receive(&self.socket, buffer, with_pidfd) {
            Ok(chunk) => chunk,
            Err(Errno::EAGAIN | Errno::EINTR) => return Ok(false),
            Err(_) => return Err(Broken::Gone),
        };
        if chunk.bytes == 0 {
            self.ended = true;
            self.sender = None;
            return Ok(false);
        }
        let sender = chunk.sender.ok_or(Broken::Mixed)?;
        match &self.sender {
            // The first pidfd is kept: while its process lives, no other one has its pid.
            Some(first) if first.credentials == sender.credentials => {}
            Some(_) => return Err(Broken::Mixed),
            None => self.sender = Some(sender),
        }
        self.incoming.push(&buffer[..chunk.bytes]);
        Ok(true)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::sys::linux::peer::pass_credentials;
    use std::io::Write;
    use std::os::unix::net::UnixStream;

    fn pair() -> (Connection, UnixStream) {
        let (here, there) = UnixStream::pair().unwrap();
        pass_credentials(&here).unwrap();
        let opened = Opened::now(&here, None).unwrap();
        (Connection::new(here.into(), opened, 64), there)
    }

    fn next(connection: &mut Connection) -> Option<(Vec<u8>, i32)> {
        connection.take_message(|message, sender, _, _| (message.to_vec(), sender.credentials.pid)).unwrap()
    }

    #[test]
    fn messages_are_taken_one_by_one_with_their_sender() {
        let (mut connection, mut there) = pair();
        let mut buffer = [0; 16];
        assert_eq!(connection.fill(&mut buffer, true), Ok(false));
        there.write_all(b"one\0two\0thr").unwrap();
        assert_eq!(connection.fill(&mut buffer, true), Ok(true));
        for expected in [&b"one"[..], b"two"] {
            let (message, pid) = next(&mut connection).unwrap();
            assert_eq!((&*message, pid), (expected, std::process::id() as i32));
        }
        assert!(next(&mut connection).is_none());
        there.write_all(b"ee\0").unwrap();
        drop(there);
        assert_eq!(connection.fill(&mut buffer, true), Ok(true));
        assert_eq!(next(&mut connection).unwrap().0, b"three");
        assert!(next(&mut connection).is_none());
        assert_eq!(connection.fill(&mut buffer, true), Ok(false));
        assert!(connection.ended && connection.is_over());
    }

    #[test]
    fn a_busy_connection_is_not_read() {
        let (mut connection, _there) = pair();
        assert_eq!(connection.wanted(), EventFlags::IN);
        connection.outgoing.push(Message::Own(vec![1]));
        assert_eq!(connection.wanted(), EventFlags::IN | EventFlags::OUT);
        connection.outgoing.push(Message::Own(vec![1; super::super::outgoing::FULL]));
        assert_eq!(connection.wanted(), EventFlags::OUT, "its answers are not read");
        let (mut connection, _there) = pair();
        connection.state = State::Watching(Watching {
            kinds: EventKinds::ALL,
            access: Access::Full,
            after: 0,
            missed: 0,
            kernel: false,
        });
        assert_eq!(connection.wanted(), EventFlags::empty());
        connection.ended = true;
        assert!(!connection.is_over(), "a half-closed watch still gets events");
        connection.closing = true;
        assert!(connection.is_over());
    }
}
