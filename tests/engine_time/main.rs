//! Tests of the engine on a scripted host with a virtual clock. Each test's name starts with the id of its rule.
#![forbid(unsafe_code)]
#![expect(clippy::unwrap_used, reason = "tests")]

#[path = "../common/at_gate.rs"]
mod at_gate;
mod callers;
mod chains;
mod costs;
mod drain;
mod end;
mod gate;
mod hooks;
mod killable;
mod knobs;
mod limit;
mod own_masks;
mod read_side;
mod reaped;
mod records;
mod request;
#[cfg(feature = "control")]
mod requester;
mod sink;
mod support;
mod wait;
mod workers;
