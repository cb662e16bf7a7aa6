//! Floor 4: the daemon's protocol. It is Varlink (<https://varlink.org>): JSON objects, each ended by a NUL byte, over a
//! stream socket. The interface is `io.khelper.Control` ([`interface::CONTROL`]).
//!
//! [`frame`] splits bytes into messages. [`method`] converts between commands and calls, and between replies and
//! answers. [`server`] reads calls and writes answers; [`client`] writes calls and reads answers. Nothing here does I/O.
#![forbid(unsafe_code)]

pub mod client;
mod error;
pub mod event;
pub mod frame;
pub mod host;
pub mod interface;
pub mod method;
pub mod path;
pub mod server;
#[cfg(test)]
mod tests;
mod translate;
