//! Floor 3: the commands of an operator. Every command is authorized here before it acts.
#![forbid(unsafe_code)]

pub mod activity;
pub mod alerts;
pub mod ask;
pub mod authorize;
pub mod batch;
pub mod command;
pub mod completion;
pub mod config;
mod dispatch;
pub mod event_json;
pub mod export;
pub mod finder;
pub mod from_json;
pub mod host;
pub mod json_source;
pub mod kernel_json;
pub mod kernel_knobs;
pub mod knob_json;
mod knobs;
pub mod ledger_view;
pub mod local;
pub mod metrics;
pub mod module_tree;
pub mod modules;
pub mod pages;
pub mod posture_json;
pub mod profiles;
pub mod provenance;
pub mod read_tree;
mod reads;
pub mod record_json;
pub mod rehearsal;
pub mod repeat;
pub mod rules;
mod rules_knob;
pub mod rules_view;
pub mod shim;
pub mod sources;
pub mod tally;
pub mod target;
pub mod target_info;
pub mod terminate;
#[cfg(test)]
pub(crate) mod testing;
#[cfg(test)]
pub(crate) mod tests;
pub mod text;
pub mod tree;
pub mod watch;
pub mod withheld;

pub use crate::abi::knob::{Key, MaskKnob};
pub use crate::abi::knob_value::{Change, KnobValue};
pub use authorize::{Authorization, authorize};
pub use command::{Call, Command, KernelWrite, Left, Reply};
pub use dispatch::{dispatch, dispatch_as};
pub use knobs::read;

use crate::abi::actor::{Actor, Origin};
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;

/// This process, as the actor behind a command that comes from `origin`.
pub fn actor(origin: Origin) -> Actor {
    Actor { origin, ..LinuxHost::new().actor() }
}
