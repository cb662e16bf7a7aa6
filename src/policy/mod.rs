//! Floor 1: pure judgement. `(state, input, now) -> (state, decision)`; no I/O, no threads, no clock.
#![forbid(unsafe_code)]

pub mod access;
pub mod call;
pub mod gate;
pub mod glob;
pub mod limit;
pub mod loops;
pub mod masks;
