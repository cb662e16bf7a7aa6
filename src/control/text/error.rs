//! Why a command was refused.

use nix::errno::Errno;

use crate::abi::error::{ControlError, Explain};
use crate::abi::escape::screen_again;

/// The cause and what to do about it, escaped.
pub fn explain(error: &ControlError) -> String {
    screen_again(&format!("{error}: {}", error.advice()))
}

/// [`explain`] for a write of these knobs; the knobs are named unless the error begins with the name of the only one.
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

/// `not done`, or `perhaps done`: a command that panicked may have acted before.
pub fn not(error: &ControlError, done: &str) -> String {
    let word = if error.errno() == Errno::ECANCELED { "perhaps" } else { "not" };
    format!("{word} {done}")
}
