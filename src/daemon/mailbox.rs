//! What other threads tell the I/O thread: a channel, and an eventfd that wakes it.

use std::os::fd::OwnedFd;
use std::sync::Arc;
use std::thread::{self, ThreadId};

use rustix::event::{EventfdFlags, eventfd};

use crate::abi::event::Level;
use crate::control::command::Left;
use crate::sys::channel::{Receiver, Sender, channel};

/// What came of reading the configuration again.
#[derive(Debug)]
pub struct Reloaded {
    /// How bad it is.
    pub level: Level,
    /// Sentences for the log.
    pub lines: Vec<String>,
    /// The state of the daemon, in a few words.
    pub state: &'static str,
}

impl Reloaded {
    /// Nothing of it was applied.
    pub fn refused(why: String) -> Self {
        Self { level: Level::Error, lines: vec![why], state: "configuration refused: kept the old one" }
    }

    /// It was applied. `failed` says what was not.
    pub fn applied(lines: Vec<String>, failed: Vec<String>) -> Self {
        match failed.is_empty() {
            true => Self { level: Level::Info, lines, state: "configuration read again" },
            false => {
                let lines = failed.into_iter().chain(lines).collect();
                Self { level: Level::Error, lines, state: "configuration applied, but for what is named above" }
            }
        }
    }
}

/// A message to the I/O thread.
pub enum Mail {
    /// A command was performed. The bytes answer it; they are empty if the caller wants no answer.
    Answer {
        /// The connection.
        connection: u64,
        /// The command's number.
        call: u64,
        /// The answer.
        bytes: Vec<u8>,
    },
    /// A command has made a request.
    Began {
        /// The connection.
        connection: u64,
        /// The request.
        request: u64,
    },
    /// The configuration was read again.
    Reloaded(Reloaded),
    /// The engine has ended, and these requests still run.
    Ended(Vec<Left>),
}

/// Sends to the I/O thread.
#[derive(Clone)]
pub struct Mailbox {
    sender: Sender<Mail>,
    bell: Bell,
}

/// Wakes the I/O thread.
#[derive(Clone)]
pub struct Bell {
    fd: Arc<OwnedFd>,
    /// The I/O thread.
    owner: ThreadId,
}

impl Bell {
    /// Wakes the I/O thread; does nothing on that thread itself, which looks into its inbox before it waits.
    pub fn ring(&self) {
        if thread::current().id() != self.owner {
            self.ring_again();
        }
    }

    /// Wakes the I/O thread the next time it waits.
    pub fn ring_again(&self) {
        // Fails only if the counter is full, and then the thread is awake.
        let _ = rustix::io::write(&*self.fd, &1u64.to_ne_bytes());
    }

    /// The descriptor to wait on.
    pub fn fd(&self) -> &OwnedFd {
        &self.fd
    }

    /// Makes the descriptor silent until the next ring.
    pub fn silence(&self) {
        // Fails only if nothing has rung.
        let _ = rustix::io::read(&*self.fd, &mut [0u8; 8]);
    }
}

impl Mailbox {
    /// A mailbox of the calling thread, and its end.
    pub fn new() -> rustix::io::Result<(Self, Receiver<Mail>)> {
        let fd = Arc::new(eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)?);
        let (sender, inbox) = channel();
        Ok((Self { sender, bell: Bell { fd, owner: thread::current().id() } }, inbox))
    }

    /// Sends, and wakes the I/O thread.
    pub fn send(&self, mail: Mail) {
        // Without a receiver the server has stopped, and nobody waits for this.
        let _ = self.sender.send(mail);
        self.bell.ring();
    }

    /// What wakes the I/O thread.
    pub fn bell(&self) -> &Bell {
        &self.bell
    }
}
