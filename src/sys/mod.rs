//! Floor 1: the machine. All unsafe code of the crate lives here.

pub mod attached;
pub mod attributes;
pub mod caller;
pub mod channel;
pub mod fake;
pub mod fork;
pub mod host;
pub mod linux;
pub mod local_time;
pub mod malloc;
pub mod orphans;
mod own_state;
pub mod pass_fd;
pub mod probe;
pub mod process;
pub mod regex;
pub mod search;
pub mod service;
pub mod signals;
mod startup_state;
pub mod stdout;
pub mod terminal;
pub mod thread;
pub mod user_namespace;
