//! Examines the processes behind a message, as far as its command requires it (AUTH-2).

use std::os::fd::AsFd;

use crate::abi::error::SysError;
use crate::abi::peer::{Credentials, Party, Peer};
use crate::control::authorize::Requirement;
use crate::sys::linux::peer::{Pidfd, Sender, connected, facts, groups, peer_pidfd, ticks_now};

/// What is known about a connection since it was accepted.
#[derive(Clone, Copy, Debug)]
pub struct Opened {
    /// The process that connected.
    pub by: Credentials,
    /// Whether it is in the group of readers.
    pub reads: bool,
    /// When the connection was accepted, in clock ticks since boot.
    accepted: u64,
}

impl Opened {
    /// Examines a connection that has just been accepted. `readers` is the group of readers.
    pub fn now(socket: impl AsFd, readers: Option<u32>) -> Result<Self, SysError> {
        let by = connected(&socket)?;
        let reads = match readers {
            Some(group) => by.gid == group || groups(&socket)?.contains(&group),
            None => false,
        };
        Ok(Self { by, reads, accepted: ticks_now() })
    }

    /// The process that connected and `sender`, with what `requirement` needs to know about them.
    ///
    /// A request is recorded with its sender's name and start time (AUTH-5), so those are read for it too.
    pub fn peer(&self, socket: impl AsFd, sender: &Sender, requirement: Requirement) -> Peer {
        let read = |pid, pidfd: &Pidfd| Some(facts(pid, pidfd, self.accepted));
        let of_sender =
            if requirement == Requirement::Read { None } else { read(sender.credentials.pid, &sender.pidfd) };
        let of_connected = match requirement.needs_facts() {
            false => None,
            // The process that has this pid now is judged; if another one had it then, it is gone.
            true if self.by.pid == sender.credentials.pid => of_sender.clone(),
            true => read(self.by.pid, &peer_pidfd(socket)),
        };
        Peer {
            connected: Party { credentials: self.by, facts: of_connected },
            sender: Party { credentials: sender.credentials, facts: of_sender },
            connected_reads: self.reads,
        }
    }
}
