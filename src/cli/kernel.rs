//! `--target kernel`: what is said if this machine's kernel cannot be watched.

use crate::control::host::NotWatched;
use crate::control::text::kernel;

use super::exit;
use super::output::{complain, say};

/// Says why the kernel cannot be watched. Returns the exit code.
pub fn not_watched(why: &NotWatched) -> u8 {
    why.states.iter().for_each(|state| say(&format!("kernel: {}", kernel::state(state))));
    why.error.iter().for_each(|error| complain(error));
    exit::UNAVAILABLE
}
