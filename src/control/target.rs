//! The target of the console and the command line. A target answers commands, including reads, and reports events. The
//! code above this module does not know whether the target is an engine of this process or of another one.

use std::sync::Arc;

use crate::abi::actor::Actor;
use crate::abi::event::EventKinds;

use super::command::Command;
use super::completion::{CallId, Completion};
use super::watch::{Wake, Watch};

pub use super::target_info::{LinkState, RunId, Seq, TargetInfo, TargetKind};

/// Something whose helpers can be watched and whose knobs can be read and written.
pub trait Target: Send + Sync {
    /// Describes the target and the state of its connection. Cheap; never waits for the target.
    fn info(&self) -> TargetInfo;

    /// The kernel that the daemon of this target watches; `None` if this target is no daemon's engine, or it cannot be
    /// reached.
    fn beside(&self) -> Option<Arc<dyn Target>> {
        None
    }

    /// Submits a command and returns without waiting. `done` is called exactly once: before this returns, or later on a
    /// thread of the target. It must be short and must not wait for the answer to another command.
    ///
    /// `id` must not be in use by a command that has not been answered ([`CallId::fresh`]).
    fn submit(&self, by: &Actor, id: CallId, command: Command, done: Completion);

    /// Stops the wait of a command: a request is answered with `EINTR` and its helper keeps running (UMH-4). Does
    /// nothing if the command has been answered or does not wait for a helper.
    fn cancel(&self, id: CallId);

    /// Subscribes to events of these kinds, with a queue of `capacity` events. A slow reader loses events and learns
    /// how many. `wake` is called, with no lock held, when the empty queue gets an event.
    ///
    /// With `from`, the watch begins after that event of that run. If the target no longer has the events, the watch
    /// begins with their number ([`super::watch::Watched::Missed`]), which also counts events of other kinds.
    ///
    /// When the connection is lost, the watch ends with the reason. A watch that is created while the connection is
    /// lost yields nothing until the connection is back.
    fn watch(&self, kinds: EventKinds, from: Option<(RunId, Seq)>, capacity: usize, wake: Wake) -> Watch;
}
