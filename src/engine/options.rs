//! The options of a request: its requester, its limits, and what cancels the wait.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::mask::Masks;
use crate::abi::profile::Profile;
use crate::abi::wait::WaitMode;

use super::cancel::Cancel;

/// The requester, and what cancels its wait.
#[derive(Clone, Default)]
pub struct Caller {
    /// The requester; by default this process, with [`Origin::Library`](crate::abi::actor::Origin::Library).
    pub actor: Option<Arc<Actor>>,
    /// Ends the wait when it is cancelled.
    pub cancel: Cancel,
    /// Called once with the request's number, before any event of the request. It must be short.
    pub began: Option<Began>,
}

/// Receives the number of a request.
pub type Began = Arc<dyn Fn(u64) + Send + Sync>;

impl Caller {
    pub(super) fn begins(&self, id: u64) {
        if let Some(began) = &self.began {
            began(id);
        }
    }
}

/// The options of one request for a module.
#[derive(Clone, Default)]
pub struct RequestOptions {
    /// What modprobe is confined to. Where a rule names another profile, nothing is started (`EPERM`).
    pub profile: Option<Arc<Profile>>,
    /// The requester.
    pub ask: Caller,
}

/// The options of one call.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// Masks for this call only, which can only narrow the engine's.
    pub own: Option<Masks>,
    /// The time-out: the helper gets TERM after this time, and KILL 2 s later.
    pub timeout: Option<Duration>,
    /// What the helper is confined to. Where a rule names another profile, nothing is started (`EPERM`).
    pub profile: Option<Arc<Profile>>,
    /// The requester.
    pub ask: Caller,
}

/// How a call is made.
pub(super) struct How {
    pub(super) module: bool,
    pub(super) own: Option<Masks>,
    pub(super) profile: Option<Arc<Profile>>,
    pub(super) timeout: Option<Duration>,
    pub(super) wait: WaitMode,
}
