//! What a target is, and whether it can be reached.

use std::fmt;

use crate::abi::cap::CapMask;

/// The number of an event, counted from 1 within a run.
pub type Seq = u64;

/// One start of an engine. The numbers of requests and events begin again with each run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct RunId {
    /// When it began, in microseconds since the epoch.
    pub started: u64,
    /// The process that runs it.
    pub pid: i32,
}

impl fmt::Display for RunId {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:x}-{}", self.started, self.pid)
    }
}

/// What is behind a target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TargetKind {
    /// An engine of this process; it ends with the process.
    Embedded,
    /// The engine of another process, which outlives the connection.
    Daemon,
}

/// Whether a target can be reached.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum LinkState {
    /// It can.
    Up,
    /// It cannot for now: commands are refused, and what is known of it is old.
    Lost {
        /// The reason, escaped.
        why: String,
    },
}

/// What a target is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetInfo {
    /// What is behind it.
    pub kind: TargetKind,
    /// The name that the operator gave it: a socket, a host. Escaped; empty for [`TargetKind::Embedded`].
    pub name: String,
    /// The engine's process.
    pub pid: i32,
    /// Its user.
    pub uid: u32,
    /// Which start of the engine this is.
    pub run: RunId,
    /// Whether it can be reached.
    pub link: LinkState,
    /// Every capability that the target's kernel knows.
    pub known: CapMask,
}

impl TargetInfo {
    /// Whether the engine ends with this process.
    pub fn is_owned(&self) -> bool {
        self.kind == TargetKind::Embedded
    }

    /// Why the target cannot be reached; `None` if it can.
    pub fn lost(&self) -> Option<&str> {
        match &self.link {
            LinkState::Up => None,
            LinkState::Lost { why } => Some(why),
        }
    }
}
