//! The limit on descriptors: the daemon raises its own, and helpers get the one that it started with.

use rustix::process::{Resource, Rlimit, getrlimit, setrlimit};

use crate::abi::launch_spec;

use super::admission::MOST;

/// The descriptors that a connection may need: its own, and a pidfd while a message is incomplete.
const PER_CONNECTION: usize = 2;
/// The descriptors for everything else, helpers' pipes among them.
const REST: u64 = 512;

/// Raises the soft limit as far as the connections need it. Returns the most connections, and the limit for helpers.
pub fn raise() -> (usize, launch_spec::Rlimit) {
    let before = getrlimit(Resource::Nofile);
    let hard = before.maximum.unwrap_or(u64::MAX);
    let soft = before.current.unwrap_or(u64::MAX);
    let wanted = ((MOST * PER_CONNECTION) as u64 + REST).min(hard);
    let raised =
        soft < wanted && setrlimit(Resource::Nofile, Rlimit { current: Some(wanted), maximum: before.maximum }).is_ok();
    let now = if raised { wanted } else { soft };
    let most = usize::try_from(now.saturating_sub(REST.min(now / 2))).unwrap_or(usize::MAX) / PER_CONNECTION;
    (most.clamp(1, MOST), launch_spec::Rlimit { resource: Resource::Nofile as u32, soft, hard })
}
