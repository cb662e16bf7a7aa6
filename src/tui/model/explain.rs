//! Errors in words.

use crate::abi::error::{ControlError, Explain};

use crate::abi::escape::screen_again;

/// Returns the cause and the advice, escaped.
pub fn explain(error: &ControlError) -> String {
    screen_again(&format!("{error}: {}", error.advice()))
}
