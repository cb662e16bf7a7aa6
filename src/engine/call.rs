//! One call while it lives: shared by its caller, its worker and whoever kills it.

use std::sync::Arc;

use crate::abi::cap::CapMask;
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;
use crate::policy::call::End;
use crate::sys::host::{Stream, Watcher};

use super::record::Record;
use super::sync::Monitor;
use super::tail::Tails;
use super::umh::How;

/// A call from the queue to the end of its helper.
pub(super) struct Call {
    pub(super) id: u64,
    /// Its path is the modprobe path as it is at launch (SYS-7).
    pub(super) module: bool,
    /// Whether somebody watches for a time-out.
    pub(super) timed: bool,
    /// Its own masks (bset, inheritable).
    pub(super) own: Option<(CapMask, CapMask)>,
    pub(super) state: Arc<Monitor<CallState>>,
}

/// What its lock guards. The worker writes the record; the caller reads its answer.
pub(super) struct CallState {
    /// The record as it grows.
    pub(super) record: Record,
    /// Taken out by the worker while it launches, and put back; whoever owns the end drops it, which runs `cleanup`.
    pub(super) info: Option<SubprocessInfo>,
    /// Who owns the end.
    pub(super) end: End,
    /// The record as it was when the call was answered.
    pub(super) answer: Option<Arc<Record>>,
    /// What the helper wrote last.
    pub(super) tails: Tails,
    /// Set before the helper is reaped; from then on its pid may be a stranger's and is not signalled.
    pub(super) reaped: bool,
    /// Set when nothing more will happen.
    pub(super) over: bool,
}

impl Call {
    pub(super) fn new(how: &How, record: Record, info: SubprocessInfo) -> Arc<Self> {
        let id = record.id;
        let state = CallState {
            record,
            info: Some(info),
            end: End::new(how.wait != WaitMode::NoWait),
            answer: None,
            tails: Tails::default(),
            reaped: false,
            over: false,
        };
        let timed = how.timeout.is_some();
        Arc::new(Self { id, module: how.module, timed, own: how.own, state: Monitor::new(state) })
    }

    /// The record as it stands, with the output so far.
    pub(super) fn record(&self) -> Arc<Record> {
        let state = self.state.lock();
        let mut record = state.record.clone();
        if record.output.is_none() {
            record.output = state.tails.output().map(Arc::new);
        }
        Arc::new(record)
    }
}

impl Watcher for &Call {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self.state.lock().tails.push(stream, bytes);
    }
    fn about_to_reap(&mut self) {
        self.state.lock().reaped = true;
    }
}
