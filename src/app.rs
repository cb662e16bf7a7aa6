//! Floor 5: builds the parts, wires them, stops them in order.
#![forbid(unsafe_code)]

use std::process::ExitCode;

/// The whole program.
pub fn main() -> ExitCode {
    ExitCode::FAILURE
}
