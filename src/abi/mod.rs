//! Floor 0: shared types and their text forms. No I/O, no threads, no clock.
#![forbid(unsafe_code)]

pub mod actor;
pub mod args;
pub mod argv_text;
mod attribution;
pub mod cap;
pub mod compiled;
pub mod counted;
pub mod depth;
pub mod era;
pub mod error;
pub mod escape;
pub mod event;
pub mod executable;
pub mod fnmatch;
pub mod glob;
pub mod histogram;
pub mod kernel_ask;
pub mod kernel_helper;
pub mod kernel_program;
pub mod knob;
pub mod knob_value;
pub mod launch_spec;
pub mod log;
pub mod mask;
pub mod module;
pub mod mutation;
pub mod path;
pub mod peer;
pub mod place;
pub mod process;
pub mod profile;
pub mod record;
pub mod rules_mode;
pub mod safe_text;
pub mod shim;
pub mod sink;
pub mod snapshot;
pub mod sort;
pub mod sorted;
pub mod stage;
pub mod subprocess;
pub mod time;
pub mod verdict;
pub mod wait;
pub(crate) mod wildcard;
pub(crate) mod wire;

/// The name of [`actor`] in 0.1.0, kept for programs written against that version.
#[doc(hidden)]
pub use actor as who;
pub use nix::errno::Errno;
