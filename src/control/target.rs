//! What the console and the command line act on. A target answers commands, which include reads, and reports events;
//! nothing above this module knows whether an engine of this process is behind it or another process.

use std::fmt;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::event::EventKinds;

use super::command::Command;
use super::completion::{CallId, Completion};
use super::watch::{Wake, Watch};

/// Something whose helpers can be watched and whose knobs can be read and written.
pub trait Target: Send + Sync {
    /// What it is and whether it can be reached. Cheap; it never waits for the target.
    fn info(&self) -> TargetInfo;

    /// Hands in a command and returns at once. `done` is called exactly once: before this returns, or later on a thread of
    /// the target's. It must be short and must not wait for the answer to another command.
    ///
    /// `id` must not be in use by a command that has not been answered ([`CallId::fresh`]).
    fn submit(&self, by: &Actor, id: CallId, command: Command, done: Completion);

    /// Stops the wait of a command: a request is answered with `EINTR` and its helper lives on (UMH-4). Does nothing if
    /// the command has been answered or does not wait for a helper.
    fn cancel(&self, id: CallId);

    /// Subscribes to events of these kinds, with a queue of `capacity` of them. A slow reader loses events and learns how
    /// many. `wake` is called, outside of every lock, when there is something to read after there was nothing.
    ///
    /// With `from`, events after that one of that run. The target may keep none of them: then the watch begins with their
    /// number ([`super::watch::Watched::Missed`]), which also counts events of other kinds.
    ///
    /// When the connection is lost the watch ends, with the reason. One that is made while the connection is lost is silent
    /// until the connection is back.
    fn watch(&self, kinds: EventKinds, from: Option<(RunId, Seq)>, capacity: usize, wake: Wake) -> Watch;
}

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

    /// The sentence that says whose knobs these are; then shorter ones, each for less room.
    pub fn sentences(&self) -> [String; 4] {
        let pid = self.pid;
        let name = &self.name;
        match self.kind {
            TargetKind::Embedded => [
                format!("embedded engine (pid {pid}): this machine's kernel is untouched"),
                format!("embedded engine (pid {pid}): kernel untouched"),
                format!("engine (pid {pid}): kernel untouched"),
                format!("engine (pid {pid})"),
            ],
            TargetKind::Daemon => [
                format!("daemon {name} (pid {pid}): an engine of another process; the kernel is untouched"),
                format!("daemon {name} (pid {pid}): kernel untouched"),
                format!("daemon {name}: kernel untouched"),
                format!("daemon {name}"),
            ],
        }
    }

    /// The target within a sentence.
    pub fn object(&self) -> String {
        match self.kind {
            TargetKind::Embedded => format!("the embedded engine (pid {})", self.pid),
            TargetKind::Daemon => format!("the daemon {} (pid {})", self.name, self.pid),
        }
    }

    /// The error of a command that was not sent, since the connection is lost.
    pub fn not_sent(&self, why: &str) -> ControlError {
        ControlError::Unavailable(format!("no connection to {}: {why}; nothing was sent", self.object()))
    }

    /// Why the target cannot be reached; `None` if it can.
    pub fn lost(&self) -> Option<&str> {
        match &self.link {
            LinkState::Up => None,
            LinkState::Lost { why } => Some(why),
        }
    }
}
