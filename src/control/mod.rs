//! Floor 3: the one door for every operator intent.
#![forbid(unsafe_code)]

pub mod activity;
pub mod alerts;
mod authorize;
pub mod command;
mod dispatch;
pub mod knob;
pub mod record_json;
pub mod rehearsal;
pub mod repeat;
pub mod tally;
pub mod terminate;
#[cfg(test)]
pub(crate) mod testing;
pub mod text;

pub use command::{Call, Command, MaskKnob, Reply, Written};
pub use dispatch::{dispatch, dispatch_as, read};
pub use knob::Key;
