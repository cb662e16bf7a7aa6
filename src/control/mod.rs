//! Floor 3: the one door for every operator intent.
#![forbid(unsafe_code)]

pub mod activity;
mod authorize;
pub mod batch;
pub mod command;
pub mod completion;
mod dispatch;
pub mod knob;
pub mod local;
mod reads;
pub mod record_json;
pub mod target;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;
pub mod watch;

pub use command::{Call, Command, Left, MaskKnob, Reply, Written};
pub use dispatch::{dispatch, dispatch_as, read};
pub use knob::Key;

use crate::abi::actor::{Actor, Origin};
use crate::abi::cap::CapMask;
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;

/// This process, as the actor behind a command that comes from `origin`.
pub fn actor(origin: Origin) -> Actor {
    let me = LinuxHost::new().requester();
    let (uid, gid, start_time, loginuid) = (me.uid, nix::unistd::getgid().as_raw(), None, None);
    Actor { origin, uid, gid, pid: me.pid, start_time, loginuid, comm: me.comm, effective: CapMask::EMPTY }
}
