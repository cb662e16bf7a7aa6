//! Floor 1: pure decisions. `(state, input, now) -> (state, decision)`; no I/O, no threads, no clock.
#![forbid(unsafe_code)]

pub mod asker;
pub mod authorize;
pub mod completion;
pub mod finder;
pub mod gate;
pub mod kernel_ask;
pub mod kernel_write;
pub mod limit;
pub mod masks;
pub mod module_search;
pub mod posture;
pub mod profile;
pub mod recursion;
pub mod resolution;
pub mod rules;
