//! `--target kernel`: what is said if this machine's kernel cannot be watched.

use crate::control::host::NotWatched;
use crate::control::kernel_json;
use crate::control::text::kernel;

use super::exit;
use super::output::{Answers, complain, say};

/// Says why the kernel cannot be watched, on stderr or as JSON. Returns the exit code.
pub fn not_watched(why: &NotWatched, json: bool) -> u8 {
    if json {
        Answers::default().line(&kernel_json::not_watched(&why.states));
    } else {
        why.states.iter().for_each(|state| say(&format!("kernel: {}", kernel::state(state))));
    }
    why.error.iter().for_each(|error| complain(error));
    exit::UNAVAILABLE
}
