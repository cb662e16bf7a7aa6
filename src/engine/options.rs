//! How a request is made: who asks, by which door, and what stops the wait.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::mask::Masks;
use crate::abi::wait::WaitMode;

use super::cancel::Cancel;

/// Who asks, and what stops the wait.
#[derive(Clone, Default)]
pub struct Caller {
    /// Who asks; by default this process, as the library's caller.
    pub actor: Option<Arc<Actor>>,
    /// Stops the wait when it fires.
    pub cancel: Cancel,
}

/// What a call may have of its own.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// Narrower masks for this call alone.
    pub own: Option<Masks>,
    /// TERM after this, KILL 2 s later.
    pub timeout: Option<Duration>,
    /// Who asks.
    pub ask: Caller,
}

/// How a call is made, whoever asked for it.
pub(super) struct How {
    pub(super) module: bool,
    pub(super) own: Option<Masks>,
    pub(super) timeout: Option<Duration>,
    pub(super) wait: WaitMode,
}
