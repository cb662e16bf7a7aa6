//! Floor 3: the one door for every operator intent.
#![forbid(unsafe_code)]

pub mod activity;
pub mod alerts;
mod authorize;
pub mod batch;
pub mod command;
pub mod completion;
mod dispatch;
pub mod export;
pub mod knob;
pub mod local;
mod reads;
pub mod record_json;
pub mod rehearsal;
pub mod repeat;
pub mod tally;
pub mod target;
pub mod terminate;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod watch;

pub use authorize::{Authorization, authorize};
pub use command::{Call, Command, Left, MaskKnob, Reply, Written};
pub use dispatch::{dispatch, dispatch_as, read};
pub use knob::Key;

use crate::abi::actor::{Actor, Origin};
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;

/// This process, as the actor behind a command that comes from `origin`.
pub fn actor(origin: Origin) -> Actor {
    Actor { origin, ..LinuxHost::new().actor() }
}
