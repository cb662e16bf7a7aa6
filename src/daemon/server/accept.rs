//! New connections.

use std::os::fd::OwnedFd;
use std::path::Path;
use std::time::{Duration, Instant};

use rustix::event::epoll::{self, EventData, EventFlags};
use rustix::io::Errno;
use rustix::net::{SocketFlags, accept_with};

use crate::abi::error::ControlError;
use crate::daemon::connection::Connection;
use crate::daemon::outgoing::{Message, Outgoing};
use crate::daemon::peer::Opened;
use crate::daemon::socket::{Listener, Locked};
use crate::sys::linux::peer::pass_credentials;
use crate::wire::frame::MAX_CALL;
use crate::wire::server::busy;

use super::{LISTENER, Server};

/// How long the listener is left alone when no descriptor is left.
const PAUSE: Duration = Duration::from_millis(200);
/// The most bytes of a call of a reader, which has only short ones: their share of the connections must not hold a
/// share of the memory.
const READERS_CALL: usize = 16 << 10;
/// The most connections accepted at one time.
const BURST: usize = 64;

/// The listener.
pub(super) struct Accepting {
    listener: Option<Listener>,
    path: std::path::PathBuf,
    /// They hold for connections that are open when the listener is closed, too.
    readers: Option<u32>,
    with_pidfd: bool,
    /// Held until the server is dropped: another daemon must not begin while this one ends.
    locked: Option<Locked>,
    /// A descriptor to give up when no other one is left, so that a connection can be accepted and refused.
    spare: Option<OwnedFd>,
    /// When to listen again, after no descriptor was left.
    retry: Option<Instant>,
}

fn spare() -> Option<OwnedFd> {
    std::fs::File::open("/dev/null").ok().map(Into::into)
}

impl Accepting {
    pub(super) fn new(listener: Listener) -> Self {
        let (path, readers, with_pidfd) = (listener.path.clone(), listener.readers, listener.with_pidfd);
        Self { path, readers, with_pidfd, locked: None, listener: Some(listener), spare: spare(), retry: None }
    }

    pub(super) fn path(&self) -> &Path {
        &self.path
    }

    pub(super) fn retry(&self) -> Option<Instant> {
        self.retry
    }

    /// The group of readers.
    pub(super) fn readers(&self) -> Option<u32> {
        self.readers
    }

    pub(super) fn with_pidfd(&self) -> bool {
        self.with_pidfd
    }

    pub(super) fn close(&mut self) {
        self.retry = None;
        if let Some(listener) = self.listener.take() {
            self.locked = listener.close();
        }
    }

    /// Listens again once the pause is over.
    pub(super) fn rearm(&mut self, epoll: &OwnedFd) {
        if self.retry.is_some_and(|at| Instant::now() >= at) {
            self.retry = None;
            self.interest(epoll, EventFlags::IN);
            self.spare = self.spare.take().or_else(spare);
        }
    }

    /// Level-triggered: a listener that cannot be served would be reported again and again.
    fn disarm(&mut self, epoll: &OwnedFd) {
        self.retry = Some(Instant::now() + PAUSE);
        self.interest(epoll, EventFlags::empty());
    }

    fn interest(&self, epoll: &OwnedFd, flags: EventFlags) {
        if let Some(listener) = &self.listener {
            // Both descriptors are open, and the listener was added: it cannot fail.
            let _ = epoll::modify(epoll, &listener.socket, EventData::new_u64(LISTENER), flags);
        }
    }
}

impl Server {
    pub(super) fn accept(&mut self) {
        for _ in 0..BURST {
            let Some(listener) = &self.accepting.listener else { return };
            match accept_with(&listener.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK) {
                Ok(socket) => self.open(socket),
                Err(Errno::AGAIN) => return,
                Err(Errno::MFILE | Errno::NFILE | Errno::NOBUFS | Errno::NOMEM) => {
                    self.refuse_without_descriptor();
                    return self.accepting.disarm(&self.epoll);
                }
                // A connection that was given up before it was accepted.
                Err(_) => {}
            }
        }
    }

    /// Accepts one connection with the spare descriptor, and refuses it.
    fn refuse_without_descriptor(&mut self) {
        self.accepting.spare = None;
        if let Some(listener) = &self.accepting.listener
            && let Ok(socket) = accept_with(&listener.socket, SocketFlags::CLOEXEC | SocketFlags::NONBLOCK)
        {
            refuse(&socket, "the daemon has no descriptor left");
        }
        self.accepting.spare = spare();
    }

    fn open(&mut self, socket: OwnedFd) {
        // A connection that was made before the listener had the options does not have them.
        if pass_credentials(&socket).is_err() {
            return;
        }
        let Ok(opened) = Opened::now(&socket, self.accepting.readers()) else { return };
        if let Err(why) = self.admission.enter(opened.by.uid) {
            return refuse(&socket, &why);
        }
        let number = self.next;
        self.next += 1;
        let owner = opened.by.uid == 0 || opened.by.uid == self.info.uid;
        let connection = Connection::new(socket, opened, if owner { MAX_CALL } else { READERS_CALL });
        match epoll::add(&self.epoll, &connection.socket, EventData::new_u64(number), connection.interest) {
            Ok(()) => _ = self.connections.insert(number, connection),
            Err(_) => self.admission.leave(connection.opened.by.uid),
        }
    }
}

/// Answers the first call with an error, whatever it is, and closes the connection.
fn refuse(socket: &OwnedFd, why: &str) {
    let mut outgoing = Outgoing::default();
    outgoing.push(Message::Own(busy(&ControlError::Busy(why.to_owned()))));
    // It fits into the socket's buffer, or the peer has gone.
    let _ = outgoing.write(socket);
}
