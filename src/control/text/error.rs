//! Errors of commands, in words.

use nix::errno::Errno;

use crate::abi::error::{ControlError, Explain};
use crate::abi::escape::screen_again;

/// The cause and the advice, escaped.
pub fn explain(error: &ControlError) -> String {
    screen_again(&format!("{error}: {}", error.advice()))
}

/// [`explain`] for a write to these knobs. The text begins with their names; a single knob that the error itself names
/// is not repeated.
pub fn not_changed(names: &[&str], error: &ControlError) -> String {
    let why = explain(error);
    let (all, were) = match names {
        [] => return why,
        [one] if error.key() == Some(one) => return why,
        [one] => ((*one).to_owned(), "was"),
        [some @ .., last] => (format!("{} and {last}", some.join(", ")), "were"),
    };
    format!("{all} {were} {}: {why}", not(error, "changed"))
}

/// `not done`, or `perhaps done` after a panic (`ECANCELED`), since the command may have acted before it.
pub fn not(error: &ControlError, done: &str) -> String {
    let word = if error.errno() == Errno::ECANCELED { "perhaps" } else { "not" };
    format!("{word} {done}")
}
