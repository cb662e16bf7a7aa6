//! Floor 3: the one door for every operator intent.
#![forbid(unsafe_code)]

mod authorize;
pub mod command;
mod dispatch;
pub mod record_json;
pub mod text;

pub use crate::abi::knob::{Key, MaskKnob};
pub use crate::abi::knob_value::{Change, KnobValue};
pub use authorize::{Authorization, authorize};
pub use command::{Call, Command, Reply};
pub use dispatch::{dispatch, dispatch_as, read};
