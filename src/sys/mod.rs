//! Floor 1: the machine. All unsafe code of the crate lives here.

pub mod host;
