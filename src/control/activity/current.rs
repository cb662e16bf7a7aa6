//! Records as they are now.

use crate::abi::record::{Outcome, Record};
use crate::abi::snapshot::Live;

use super::history::History;
use super::page::RecordDetail;

/// A record with the chain of processes above its requester.
pub(super) fn detail(history: &dyn History, id: u64) -> Option<RecordDetail> {
    let record = history.record(id)?;
    let chain_now = record.chain.is_empty();
    let chain = if chain_now { history.chain(record.actor.pid) } else { record.chain.to_vec() };
    Some(RecordDetail { record, chain, chain_now })
}

/// The current record of a request that has not ended, without its helper's output.
pub(super) fn current_record(live: &Live, draft: &Record) -> Record {
    Record { state: live.state, pid: live.pid, abandoned: live.abandoned, outcome: Outcome::Running, ..draft.clone() }
}
