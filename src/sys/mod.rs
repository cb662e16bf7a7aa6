//! Floor 1: the machine. All unsafe code of the crate lives here.

pub mod attributes;
mod born;
pub mod fake;
pub mod heap;
pub mod host;
pub mod linux;
pub mod local;
pub mod probe;
pub mod signals;
pub mod stdout;
