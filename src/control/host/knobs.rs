//! The kernel's own knobs, as this target shows them.

use crate::abi::error::ControlError;
use crate::control::command::{Command, Reply};

/// Performs a command about knobs.
pub(super) fn perform(command: &Command) -> Result<Reply, ControlError> {
    Err(ControlError::Unsupported(format!("the target kernel has no knobs in this version ({})", name(command))))
}

const fn name(command: &Command) -> &'static str {
    match command {
        Command::Get(_) | Command::Knobs(_) => "get",
        Command::Diff => "diff",
        _ => "set",
    }
}
