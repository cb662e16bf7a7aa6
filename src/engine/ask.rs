//! How a request is made: who asks, by which door, and what stops the wait.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::cap::CapMask;
use crate::abi::wait::WaitMode;
use crate::abi::who::{Origin, Requester};

use super::cancel::Cancel;
use super::inner::Inner;
use super::record::{Args, Kind, Outcome, Record, State};
use super::sysctl::Values;

/// Who asks, and what stops the wait.
#[derive(Clone, Default)]
pub struct Ask {
    /// By which door; the library's by default.
    pub origin: Option<Origin>,
    /// The requester, if it is not this process.
    pub requester: Option<Requester>,
    /// Stops the wait when it fires.
    pub cancel: Cancel,
}

/// What a call may have of its own.
#[derive(Clone, Default)]
pub struct CallOptions {
    /// Narrower masks for this call alone: bset, inheritable.
    pub own: Option<(CapMask, CapMask)>,
    /// TERM after this, KILL 2 s later.
    pub timeout: Option<Duration>,
    /// Who asks.
    pub ask: Ask,
}

impl Inner {
    /// A record with nothing but the question in it, and the cancel of its own that `abandon` fires.
    pub(super) fn draft(&self, kind: Kind, wait: WaitMode, values: &Values, ask: &Ask) -> (Record, Cancel) {
        let clock = self.host.clock();
        let record = Record {
            id: 0,
            kind,
            module: None,
            path: Arc::from([]),
            args: Args::List(Arc::from([])),
            env: Arc::from([]),
            wait,
            origin: ask.origin.unwrap_or(Origin::Library),
            requester: ask.requester.clone().map_or_else(|| self.me.clone(), Arc::new),
            wall: clock.wall(),
            at: clock.now(),
            state: State::Waiting,
            outcome: Outcome::Running,
            stage: None,
            errno: None,
            why: None,
            result: None,
            status: None,
            abandoned: false,
            timed_out: false,
            enforced: None,
            bset: values.bset,
            inheritable: values.inheritable,
            own: None,
            caps: None,
            caps_started: None,
            not_enforced: Box::from([]),
            pid: None,
            queued_us: None,
            started_us: None,
            ended_us: None,
            cpu_us: 0,
            max_rss_kib: 0,
            output: None,
            chain: Box::default(),
        };
        (record, Cancel::new())
    }
}
