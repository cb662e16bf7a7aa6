//! Floor 0: the words of the field. No I/O, no threads, no clock.
#![forbid(unsafe_code)]

pub mod birth;
pub mod cap;
pub mod error;
pub mod escape;
pub mod executable;
pub mod mask;
pub mod module;
pub mod mutation;
pub mod path;
pub mod record;
pub mod subprocess;
pub mod wait;
pub mod who;

pub use nix::errno::Errno;
