//! Reads of an engine's state and records.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::record::Record;
use crate::abi::snapshot::{Live as LiveRequest, Snapshot};
use crate::abi::sorted::{SortedMap, set};
use crate::abi::wait::WaitMode;
use crate::engine::Engine;

use super::command::Left;
use super::rules::Live;

/// The most records that are read in one hold of the registry's lock.
const PIECE: usize = 256;

/// The state. Its records have no output: output held by a reader would escape the memory limit for output (UMH-13).
pub(super) fn status(engine: &Engine, rules: Option<&Live>) -> Snapshot {
    let rules = rules.map(Live::state);
    let mut snapshot = Snapshot { rules, ..engine.snapshot() };
    for record in snapshot.last.iter_mut().filter(|record| record.output.is_some()) {
        *record = Arc::new(Record { output: None, ..Record::clone(record) });
    }
    snapshot
}

pub(super) fn live(engine: &Engine, after: u64, most: usize) -> Vec<LiveRequest> {
    engine.live_after(after, most).into_iter().map(|(live, _)| live).collect()
}

/// The most bytes of output, arguments and environment that one answer has, but for its first record. In JSON a byte takes
/// up to six, and an answer may have 64 MiB.
const MOST_BYTES: usize = 1 << 20;

/// The records with the first of these ids, as many as one answer has, in this order, without those that have been
/// dropped. Ended records are read in one pass.
pub(super) fn records(engine: &Engine, ids: &[u64]) -> Vec<Arc<Record>> {
    let mut found: SortedMap<u64, Arc<Record>> = SortedMap::new();
    let wanted = set(ids.iter().copied());
    let mut from = 0;
    loop {
        let (first, piece) = engine.ended_from(from, PIECE);
        if piece.is_empty() {
            break;
        }
        from = first + piece.len() as u64;
        for record in piece.into_iter().filter(|record| wanted.contains(&record.id)) {
            found.insert(record.id, record);
        }
    }
    let all = ids.iter().filter_map(|id| found.get(id).cloned().or_else(|| engine.record(*id)));
    let mut before = 0;
    let fits = |record: &Arc<Record>| {
        let fits = before < MOST_BYTES;
        before += text_of(record);
        fits
    };
    all.take_while(fits).collect()
}

/// The bytes of its output, its arguments and its environment.
fn text_of(record: &Record) -> usize {
    let output = record.output.as_deref().map_or(0, |output| output.bytes());
    let args: usize = record.argv().iter().map(|arg| arg.len()).sum();
    output + args + record.env.iter().map(|variable| variable.len()).sum::<usize>()
}

/// Shuts the engine down. Returns the requests that still run.
pub(super) fn shutdown(engine: &Engine, patience: Duration, actor: &Actor) -> Vec<Left> {
    let is_captured = |id| engine.record(id).is_some_and(|record| matches!(record.wait, WaitMode::Proc { .. }));
    let left = engine.shutdown_as(patience, actor).into_iter();
    left.map(|live| Left { captured: is_captured(live.id), live }).collect()
}
