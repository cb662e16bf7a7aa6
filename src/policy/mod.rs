//! Floor 1: pure judgement. `(state, input, now) -> (state, decision)`; no I/O, no threads, no clock.
#![forbid(unsafe_code)]

pub mod gate;
pub mod limit;
