//! The process at the other end of a Unix socket: what the kernel says about it, and what /proc says while it is pinned
//! (AUTH-2).

mod facts;
mod options;
mod receive;

pub use facts::{Pidfd, facts, ticks_now};
pub use options::{connected, groups, pass_credentials, peer_pidfd};
pub use receive::{Chunk, Sender, receive};
