//! The process behind a request or a command, and how the command reached the engine.

use std::fmt;
use std::sync::Arc;

use serde::{Deserialize, Serialize};

use super::cap::CapMask;
use super::place::{Attribution, Place};

/// A command name (proc_pid_comm(5)): at most 15 hostile bytes.
#[derive(Clone, Copy, PartialEq, Eq, Default)]
pub struct Comm([u8; 16]);

impl Comm {
    /// The bytes up to the first NUL, truncated to 15.
    pub fn new(bytes: &[u8]) -> Self {
        let mut comm = [0; 16];
        for (to, from) in comm.iter_mut().take(15).zip(bytes.iter().take_while(|b| **b != 0)) {
            *to = *from;
        }
        Self(comm)
    }
    /// The bytes up to the first NUL.
    pub fn as_bytes(&self) -> &[u8] {
        let end = self.0.iter().position(|b| *b == 0).unwrap_or(self.0.len());
        &self.0[..end]
    }
}

impl fmt::Display for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&super::escape::screen(self.as_bytes()))
    }
}
impl fmt::Debug for Comm {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{self}")
    }
}

impl Serialize for Comm {
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        super::wire::bytes::serialize(&self.as_bytes().to_vec(), s)
    }
}
impl<'de> Deserialize<'de> for Comm {
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        super::wire::bytes::deserialize(d).map(|bytes: Vec<u8>| Self::new(&bytes))
    }
}

/// How a command reached the engine (AUTH). Every origin but `Outside` is the engine's owner, who may narrow masks
/// without privileges (a deviation from SYS-3).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Origin {
    /// The library's caller.
    Library,
    /// The command line that started this engine.
    CommandLine,
    /// The console that owns this engine.
    Console,
    /// Another process, judged by its uid and effective capabilities.
    Outside,
}

impl Origin {
    /// The name in logs and on the screen.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Library => "library",
            Self::CommandLine => "command line",
            Self::Console => "console",
            Self::Outside => "outside",
        }
    }
}

/// The process that gives a command, in its state at that time (AUTH-5). It is stored in the event, in the record and
/// with the changed knob.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Actor {
    /// How the command reached the engine.
    pub origin: Origin,
    /// Its real user id.
    pub uid: u32,
    /// Its real group id.
    pub gid: u32,
    /// Its process id, in the engine's pid namespace.
    pub pid: i32,
    /// When it started, in clock ticks since boot (proc_pid_stat(5), field 22); with the pid it names one process.
    /// `None` where it could not be read.
    pub start_time: Option<u64>,
    /// Its login user id (proc_pid_loginuid(5)); `None` where it is unset or could not be read.
    pub loginuid: Option<u32>,
    /// Its command name. For display only, never for authorization: it can be forged (REQ-2).
    pub comm: Comm,
    /// Its effective capabilities, as the kernel reported them in the engine's user namespace (SYS-3).
    pub effective: CapMask,
    /// Its systemd unit or container; `None` if it has none, or if it could not be read.
    #[serde(default, skip_serializing_if = "Option::is_none")]
    pub place: Option<Arc<Attribution>>,
}

impl Actor {
    /// A process with no start time, no login user id and no capabilities.
    pub fn new(origin: Origin, pid: i32, uid: u32, gid: u32, comm: &[u8]) -> Self {
        let (comm, effective) = (Comm::new(comm), CapMask::EMPTY);
        Self { origin, uid, gid, pid, start_time: None, loginuid: None, comm, effective, place: None }
    }

    /// A requester of this machine's kernel of which nothing but perhaps its thread is known: it was gone before its user
    /// and name could be read. 0: not even the thread.
    pub fn unknown(tid: i32) -> Self {
        Self::new(Origin::Outside, tid, u32::MAX, u32::MAX, b"")
    }

    /// Whether the user and the name are known. No process has the uid -1 (setresuid(2)).
    pub const fn is_known(&self) -> bool {
        self.uid != u32::MAX
    }

    /// The name of its unit, if only the system manager could have put it there.
    pub fn unit(&self) -> Option<&[u8]> {
        match self.place.as_deref()? {
            Attribution { place: Place::Unit(name), is_believed: true } => Some(name),
            _ => None,
        }
    }

    /// The same process with another origin.
    #[must_use]
    pub fn by(&self, origin: Origin) -> Self {
        Self { origin, ..self.clone() }
    }
}

/// One link of a chain of requesters (REQ-12), nearest first.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct ChainLink {
    /// The process.
    pub pid: i32,
    /// Its command name.
    pub comm: Comm,
    /// Whether the link is known (a living parent) or guessed from the helper's session, because its parent is dead.
    pub known: bool,
    /// The request whose helper this process is, if it is a helper of this engine.
    pub helper_of: Option<u64>,
}
