//! Floor 3: the one door for every operator intent.
#![forbid(unsafe_code)]

pub mod command;
pub mod knob;

pub use command::{Call, Command, MaskKnob, Reply, Written};
pub use knob::Key;

use crate::abi::error::ControlError;
use crate::abi::who::Origin;
use crate::engine::{Cancel, Engine};

/// Authorises and acts. Requests block until they are answered or `cancel` fires.
pub fn dispatch(
    _engine: &Engine,
    _origin: Origin,
    _command: Command,
    _cancel: &Cancel,
) -> Result<Reply, ControlError> {
    todo!()
}
