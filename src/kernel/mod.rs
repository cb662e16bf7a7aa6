//! Floor 2: the helpers of this machine's kernel, as its trace events and its proc connector tell of them.
//!
//! [`watch`] reads both, [`join`] puts them together, and each [`observation`] says what is known of one helper and why
//! the rest is not. Nothing here changes the kernel's settings: the trace instances are this process's own.
#![forbid(unsafe_code)]

pub mod askers;
pub mod capable;
pub mod event;
pub mod format;
pub mod join;
pub mod knowledge;
pub mod list;
pub mod observation;
pub mod page;
mod probes;
mod read;
#[cfg(test)]
mod recorded;
mod setup;
mod source;
pub mod watch;
