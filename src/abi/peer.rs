//! A process outside that gives commands over a socket, as far as the kernel vouches for it (AUTH-2).

use std::sync::Arc;

use nix::errno::Errno;

use super::actor::{Actor, Comm, Origin};
use super::cap::CapMask;
use super::place::Attribution;

/// What the kernel says about a process at the other end of a socket (`struct ucred`, unix(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Credentials {
    /// Its process id in this pid namespace; 0 if it has none here.
    pub pid: i32,
    /// Its user id in this user namespace. Of a process that connected it is the effective one, of a sender the real
    /// one.
    pub uid: u32,
    /// Its group id.
    pub gid: u32,
}

/// What /proc said about a process that a pidfd pinned, and that was still alive afterwards.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Facts {
    /// The owner of its files in /proc: its effective user, or user 0 if it has executed a program that this user may not
    /// look into (proc(5)), such as one with file capabilities.
    pub owner: u32,
    /// Its real user id.
    pub uid: u32,
    /// Its effective user id.
    pub euid: u32,
    /// Its effective capabilities, in its own user namespace.
    pub effective: CapMask,
    /// Whether its user namespace is the engine's.
    pub same_user_namespace: bool,
    /// When it started, in clock ticks since boot.
    pub start_time: u64,
    /// Its login user id; `None` where it is unset or could not be read.
    pub loginuid: Option<u32>,
    /// Its command name.
    pub comm: Comm,
    /// Its systemd unit or container.
    pub place: Option<Arc<Attribution>>,
}

/// Why nothing is known about a process.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Unproven {
    /// `EAGAIN` if a new connection may succeed, else `EPERM`.
    pub errno: Errno,
    /// The reason, a sentence without its full stop.
    pub why: String,
}

impl Unproven {
    /// `EPERM`, and the reason.
    pub fn denied(why: impl Into<String>) -> Self {
        Self { errno: Errno::EPERM, why: why.into() }
    }
}

/// One end of a connection: its credentials, and its facts if they were read.
#[derive(Clone, Debug)]
pub struct Party {
    /// As the kernel named it.
    pub credentials: Credentials,
    /// What is known beyond that. `None` if it was not read: then nothing is granted that depends on it.
    pub facts: Option<Result<Facts, Unproven>>,
}

/// The two processes behind a message: the one that opened the connection and the one that sent the message. Usually
/// they are the same, and both must be allowed (AUTH-2).
#[derive(Clone, Debug)]
pub struct Peer {
    /// The process that opened the connection.
    pub connected: Party,
    /// The process that sent every part of the message.
    pub sender: Party,
    /// Whether the one that connected is in the group of readers (AUTH-4).
    pub connected_reads: bool,
}

impl Peer {
    /// The sender as the actor of its command (AUTH-5). What was not read is left out.
    pub fn actor(&self) -> Actor {
        let Credentials { pid, uid, gid } = self.sender.credentials;
        let actor = Actor::new(Origin::Outside, pid, uid, gid, b"");
        let Some(Ok(facts)) = &self.sender.facts else { return actor };
        // Capabilities in another user namespace are none in the engine's.
        let effective = if facts.same_user_namespace { facts.effective } else { CapMask::EMPTY };
        let (start_time, loginuid, comm) = (Some(facts.start_time), facts.loginuid, facts.comm);
        Actor { start_time, loginuid, comm, effective, place: facts.place.clone(), ..actor }
    }
}
