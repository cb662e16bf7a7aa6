//! Reads of an engine's state and records.

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::record::Record;
use crate::abi::snapshot::{Live, Snapshot};
use crate::abi::wait::WaitMode;
use crate::engine::Engine;

use super::command::Left;

/// The most records that are read in one hold of the registry's lock.
const PIECE: usize = 256;

/// The state. Its records have no output: output held by a reader would escape the memory limit for output (UMH-13).
pub(super) fn status(engine: &Engine) -> Snapshot {
    let mut snapshot = engine.snapshot();
    for record in snapshot.last.iter_mut().filter(|record| record.output.is_some()) {
        *record = Arc::new(Record { output: None, ..Record::clone(record) });
    }
    snapshot
}

pub(super) fn live(engine: &Engine, after: u64, most: usize) -> Vec<Live> {
    engine.live_after(after, most).into_iter().map(|(live, _)| live).collect()
}

/// The records with these ids, in this order, without those that have been dropped. Ended records are read in one pass.
pub(super) fn records(engine: &Engine, ids: &[u64]) -> Vec<Arc<Record>> {
    let mut found: BTreeMap<u64, Arc<Record>> = BTreeMap::new();
    let wanted: BTreeSet<u64> = ids.iter().copied().collect();
    let mut from = 0;
    loop {
        let (first, piece) = engine.ended_from(from, PIECE);
        if piece.is_empty() {
            break;
        }
        from = first + piece.len() as u64;
        found.extend(piece.into_iter().filter(|record| wanted.contains(&record.id)).map(|record| (record.id, record)));
    }
    ids.iter().filter_map(|id| found.get(id).cloned().or_else(|| engine.record(*id))).collect()
}

/// Shuts the engine down. Returns the requests that still run.
pub(super) fn shutdown(engine: &Engine, patience: Duration, actor: &Actor) -> Vec<Left> {
    let is_captured = |id| engine.record(id).is_some_and(|record| matches!(record.wait, WaitMode::Proc { .. }));
    let left = engine.shutdown_as(patience, actor).into_iter();
    left.map(|live| Left { captured: is_captured(live.id), live }).collect()
}
