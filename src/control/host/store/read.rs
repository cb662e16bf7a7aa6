//! What is read of the helpers of the kernel: the state at one moment, those that run, and pages of records.

use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::abi::actor::ChainLink;
use crate::abi::kernel_helper::Fact;
use crate::abi::record::Record;
use crate::abi::snapshot::{Live, Snapshot, WatchState};
use crate::control::activity::history::History;
use crate::control::host::{knobs, states};
use crate::control::text::kernel;
use crate::sys::process::monotonic;

use super::{Running, Source, Store};

/// How many helpers that run a snapshot lists, and how many records.
const RUNNING: usize = 256;
const LAST: usize = 64;

impl Store {
    pub(in crate::control::host) fn live(&self, after: u64, most: usize) -> Vec<Live> {
        self.lock().live.from(after.saturating_add(1)).take(most).map(|(_, running)| live(running)).collect()
    }

    /// The state at this moment.
    pub(in crate::control::host) fn snapshot(&self) -> Snapshot {
        let (now, wall_now) = (monotonic(), SystemTime::now());
        let (since, states, failed) = match &self.source {
            Source::List(states) => (None, states.clone(), None),
            Source::Watch(watch) => {
                let status = watch.status();
                let ago = Duration::from_micros(now.saturating_sub(status.since / 1000));
                (Some(wall_now.checked_sub(ago).unwrap_or(wall_now)), states(&status.knowledge), status.failed)
            }
        };
        let mut values = self.base.knobs.clone();
        knobs::fill(&self.knobs, &mut values);
        let ledger = self.sink.as_ref().and_then(|sink| sink.ledger());
        let state = self.lock();
        let count = u32::try_from(state.live.len()).unwrap_or(u32::MAX);
        let mut totals = state.totals.clone();
        totals.requests = totals.launched;
        totals.events_missed = state.bus.missed();
        let watch = WatchState {
            since,
            states,
            helpers: totals.over(),
            requesters: state.requesters,
            lost: state.lost,
            missed: state.missed,
            failed: failed.map(|error| error.to_string().as_str().into()),
        };
        Snapshot {
            seq: state.bus.seq(),
            now,
            wall: wall_now,
            live: count,
            running_helpers: count,
            live_total: state.live.len(),
            running: state.live.values().take(RUNNING).map(live).collect(),
            watchers: state.bus.watchers(),
            last: state.ended.iter().rev().take(LAST).cloned().collect(),
            totals,
            warnings: state.warnings.iter().cloned().collect(),
            ledger,
            kernel: Some(Box::new(watch)),
            rules: None,
            knobs: values,
            ..self.base.clone()
        }
    }
}

fn live(running: &Running) -> Live {
    let record = &running.record;
    // A helper whose program is not known has the words for that.
    let title = match record.title() {
        b"" => kernel::not_known(record, Fact::Path).into_bytes().into(),
        title => title.into(),
    };
    Live {
        id: record.id,
        kind: record.kind,
        title,
        state: record.state,
        abandoned: false,
        at: record.at,
        pid: record.pid,
        actor: record.actor.clone(),
        asked_by: record.asked_by,
    }
}

/// The records of a store.
#[derive(Clone)]
pub(in crate::control::host) struct Kept(pub(in crate::control::host) Arc<Store>);

impl History for Kept {
    fn record(&self, id: u64) -> Option<Arc<Record>> {
        self.0.lock().record(id)
    }

    fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>) {
        let state = self.0.lock();
        let first = from.max(state.first);
        let at = usize::try_from(first - state.first).unwrap_or(usize::MAX).min(state.ended.len());
        (first, state.ended.range(at..).take(most).cloned().collect())
    }

    fn live_after(&self, id: u64, most: usize) -> Vec<(Live, Arc<Record>)> {
        let state = self.0.lock();
        let after = state.live.from(id.saturating_add(1)).take(most);
        after.map(|(_, running)| (live(running), running.record.clone())).collect()
    }

    /// The watch knows the thread that asked, and not who asked it.
    fn chain(&self, _: i32) -> Vec<ChainLink> {
        Vec::new()
    }
}
