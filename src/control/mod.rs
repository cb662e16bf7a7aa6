//! Floor 3: the one door for every operator intent.
#![forbid(unsafe_code)]

pub mod command;
mod dispatch;
pub mod json;
pub mod knob;
pub mod words;

pub use command::{Call, Command, MaskKnob, Reply, Written};
pub use dispatch::{dispatch, dispatch_as};
pub use knob::Key;
