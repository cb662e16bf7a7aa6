//! Floor 5: the daemon: one engine behind a socket, for other processes of the machine.
//!
//! [`server`] is one thread over the listening socket, the connections, the signals and the engine's answers. A message
//! becomes a command of `wire`, its sender is examined ([`peer`]) and judged by `control::authorize`, and the engine
//! performs it.
#![forbid(unsafe_code)]

mod admission;
mod connection;
mod denials;
pub mod descriptors;
pub mod journal;
pub mod mailbox;
pub mod notify;
mod outgoing;
pub mod peer;
pub mod server;
pub mod socket;
pub mod verdict;
