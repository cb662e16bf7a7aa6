//! The bytes that wait to be written to a connection.

use std::collections::VecDeque;
use std::sync::Arc;

use rustix::net::{SendFlags, send};
use std::os::fd::AsFd;

/// The most bytes that may wait before a watch loses events and a connection is not read any more.
pub const FULL: usize = 256 << 10;

/// A message, possibly shared by many connections.
#[derive(Clone, Debug)]
pub enum Message {
    /// Of this connection alone.
    Own(Vec<u8>),
    /// An event, serialized once for every watch.
    Shared(Arc<[u8]>),
}

impl Message {
    fn bytes(&self) -> &[u8] {
        match self {
            Self::Own(bytes) => bytes,
            Self::Shared(bytes) => bytes,
        }
    }
}

/// A queue of messages.
#[derive(Debug, Default)]
pub struct Outgoing {
    messages: VecDeque<Message>,
    /// How much of the first message has been written.
    written: usize,
    /// How many bytes wait.
    waiting: usize,
}

impl Outgoing {
    /// Appends a message. An empty one is nothing.
    pub fn push(&mut self, message: Message) {
        if !message.bytes().is_empty() {
            self.waiting += message.bytes().len();
            self.messages.push_back(message);
        }
    }

    /// Whether nothing waits.
    pub fn is_empty(&self) -> bool {
        self.messages.is_empty()
    }

    /// Whether [`FULL`] or more bytes wait.
    pub fn is_full(&self) -> bool {
        self.waiting >= FULL
    }

    /// Whether an event of this length still fits.
    pub fn has_room(&self, length: usize) -> bool {
        self.messages.is_empty() || self.waiting + length <= FULL
    }

    /// Writes what the socket takes, without waiting. The error says that the connection is gone.
    pub fn write(&mut self, socket: impl AsFd) -> Result<(), rustix::io::Errno> {
        while let Some(first) = self.messages.front() {
            let rest = &first.bytes()[self.written..];
            match send(&socket, rest, SendFlags::DONTWAIT | SendFlags::NOSIGNAL) {
                Ok(sent) => {
                    self.waiting -= sent;
                    self.written += sent;
                    if sent == rest.len() {
                        self.written = 0;
                        self.messages.pop_front();
                    }
                }
                Err(rustix::io::Errno::AGAIN) => return Ok(()),
                Err(rustix::io::Errno::INTR) => {}
                Err(e) => return Err(e),
            }
        }
        // A burst must not keep its memory.
        self.messages.shrink_to(4);
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::io::Read;
    use std::os::unix::net::UnixStream;

    #[test]
    fn everything_is_written_in_order_and_the_room_comes_back() {
        let (here, mut there) = UnixStream::pair().unwrap();
        let mut queue = Outgoing::default();
        let mut sent = Vec::new();
        for n in 0..40u8 {
            let message = vec![n; 10_000];
            sent.extend_from_slice(&message);
            queue.push(if n % 2 == 0 { Message::Own(message) } else { Message::Shared(message.into()) });
        }
        queue.push(Message::Own(Vec::new()));
        assert!(queue.is_full() && !queue.has_room(1));
        let mut read = vec![0; sent.len()];
        let mut at = 0;
        while at < read.len() {
            queue.write(&here).unwrap();
            at += there.read(&mut read[at..]).unwrap();
        }
        assert_eq!(read, sent);
        assert!(queue.is_empty() && !queue.is_full() && queue.has_room(FULL + 1), "one message is never too long");
        queue.push(Message::Own(vec![1]));
        assert!(queue.has_room(FULL - 1) && !queue.has_room(FULL));
        drop(there);
        assert_eq!(queue.write(&here), Err(rustix::io::Errno::PIPE));
    }
}
