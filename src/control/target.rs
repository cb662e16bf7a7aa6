//! What the console and the command line act on. A target answers commands, which include reads, and reports events;
//! nothing above this module knows whether an engine of this process is behind it or another process.

use crate::abi::actor::Actor;
use crate::abi::event::EventKinds;

use super::command::Command;
use super::completion::{CallId, Completion};
use super::watch::{Wake, Watch};

pub use super::target_info::{LinkState, RunId, Seq, TargetInfo, TargetKind};

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
