//! How a request is made: who asks, by which door, and what stops the wait.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::mask::Masks;
use crate::abi::wait::WaitMode;

use super::cancel::Cancel;
use super::inner::Inner;
use super::sysctl::Values;
use crate::abi::record::{Kind, Record};

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

impl Inner {
    /// A record with nothing but the question in it, and the cancel of its own that `abandon` fires.
    pub(super) fn draft(&self, kind: Kind, wait: WaitMode, values: &Values, ask: &Caller) -> (Record, Cancel) {
        let clock = self.host.clock();
        let actor = self.actors.of(ask.actor.as_ref());
        let mut record = Record::new(kind, wait, actor, (clock.wall(), clock.now()));
        (record.bset, record.inheritable) = (values.bset, values.inheritable);
        (record, Cancel::new())
    }
}
