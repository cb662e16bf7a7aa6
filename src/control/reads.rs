//! What is read of an engine: without what helpers wrote, unless one record is asked for.

use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::record::Record;
use crate::abi::snapshot::{Live, Snapshot};
use crate::abi::wait::WaitMode;
use crate::engine::Engine;

use super::command::Left;

/// The state. Output that is held by a reader would outlive its budget (UMH-13), so its records have none.
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

/// Ends the engine.
pub(super) fn shutdown(engine: &Engine, patience: Duration, actor: &Actor) -> Vec<Left> {
    let is_captured = |id| engine.record(id).is_some_and(|record| matches!(record.wait, WaitMode::Proc { .. }));
    let left = engine.shutdown_as(patience, actor).into_iter();
    left.map(|live| Left { captured: is_captured(live.id), live }).collect()
}
