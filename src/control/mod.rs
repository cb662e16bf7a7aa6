//! Floor 3: the one door for every operator intent.
#![forbid(unsafe_code)]

mod authorize;
pub mod command;
mod dispatch;
#[cfg(feature = "cli")]
pub mod grammar;
pub mod json;
pub mod knob;
pub mod report;
pub mod words;

pub use command::{Call, Command, MaskKnob, Reply, Written};
pub use dispatch::{dispatch, dispatch_as, read};
pub use knob::Key;
