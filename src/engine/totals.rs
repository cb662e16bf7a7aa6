//! Counts how requests end.

use crate::abi::error::Stage;
use crate::abi::record::{Outcome, Record};
use crate::abi::snapshot::Totals;
use crate::abi::time::Micros;

/// Counts a request that has ended. The registry's lock is held meanwhile: nothing is allocated here.
pub(super) fn ended(totals: &mut Totals, at: Micros, record: &Record) {
    totals.by_outcome[record.outcome as usize] += 1;
    if let (Some(started), Some(ended)) = (record.started_us, record.ended_us) {
        totals.run_times.add(ended.saturating_sub(started));
    }
    let (Outcome::Refused, Some(stage)) = (record.outcome, record.stage) else { return };
    totals.refused_by_stage[stage as usize] += 1;
    match stage {
        Stage::Limit => {
            totals.refused_limit += 1;
            totals.refused_limit_at = Some(at);
        }
        Stage::Throttle => totals.throttled += 1,
        Stage::Gate => totals.refused_gate += 1,
        Stage::Hook => totals.refused_hook += 1,
        _ => {}
    }
}
