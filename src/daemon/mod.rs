//! Floor 5: the daemon: one engine behind a socket, for other processes of the machine.
#![forbid(unsafe_code)]

mod admission;
pub mod notify;
mod outgoing;
pub mod peer;
pub mod socket;
