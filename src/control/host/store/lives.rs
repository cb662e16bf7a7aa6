//! The starts and ends of helpers.

use std::sync::{Arc, MutexGuard};

use crate::abi::event::EventKind;
use crate::abi::record::Record;
use crate::control::host::{birth, lineage, record};
use crate::kernel::observation::{Observation, Times, Unknown};
use crate::kernel::watch::wall;
use crate::sys::process::monotonic;

use super::{Running, State, Store, rulings};

impl Store {
    /// A helper runs, and has run for a while. `start_time` names its process.
    pub(in crate::control::host) fn started(&self, observation: &Observation, start_time: Option<u64>) {
        let above = lineage::above(observation);
        let mut state = self.lock();
        let found = start_time.filter(|_| observation.times == Times::default());
        let left = found.and_then(|ticks| state.left.remove(&(observation.pid, ticks)));
        let (id, is_left) = left.as_ref().map_or_else(|| (state.new_id(), false), |record| (record.id, true));
        let record = left.unwrap_or_else(|| {
            let mut record = record::of(observation, id, wall);
            if let Some(ticks) = found {
                // It was found running: since its start.
                let since = birth::made_at(ticks);
                (record.at, record.wall, record.started_us) = (since / 1000, wall(since), Some(0));
            }
            record.asked_by = state.asked_by(&above);
            if let Some(ruling) = state.rulings.of(observation.pid, rulings::is_of(observation, start_time)) {
                rulings::add(&mut record, ruling);
            }
            Arc::new(record)
        });
        state.totals.launched += 1;
        // An end of the process that had this number before was lost.
        if let Some(before) = state.pids.insert(observation.pid, id) {
            state.live.remove(&before);
        }
        state.live.insert(id, Running { record: record.clone(), start_time, is_left });
        state.bus.emit(monotonic(), EventKind::Started { id, pid: observation.pid });
        drop(state);
        if let Some(sink) = self.sink.as_ref().filter(|_| !is_left) {
            sink.started(&record);
        }
    }

    /// A helper has ended.
    pub(in crate::control::host) fn finished(&self, observation: &Observation) {
        // The watch ends: it runs on.
        if observation.status == Err(Unknown::StillRunning) {
            return;
        }
        let mut state = self.lock();
        let started = state.pids.remove(&observation.pid).and_then(|id| state.live.remove(&id));
        let id = match &started {
            Some(running) => running.record.id,
            None => state.new_id(),
        };
        let mut record = record::of(observation, id, wall);
        if let Some(running) = started.as_ref().filter(|running| running.is_left) {
            record = record::ended(&running.record, record, observation.times.ended);
        } else if let Some(running) = &started {
            record.asked_by = running.record.asked_by;
            // The same moment, as it was computed then; of a helper that was found running only its start is known.
            let ended = observation.times.ended.filter(|_| record.started_us.is_none());
            (record.at, record.wall) = (running.record.at, running.record.wall);
            if let Some(ended) = ended {
                record.started_us = running.record.started_us;
                record.ended_us = record.started_us.map(|_| (ended / 1000).saturating_sub(record.at));
            }
        } else {
            state.totals.launched += 1;
        }
        let found = started.as_ref().and_then(|running| running.start_time);
        if let Some(ruling) = state.rulings.take(observation.pid, rulings::is_of(observation, found)) {
            rulings::add(&mut record, &ruling);
        }
        self.over(state, Arc::new(record));
    }

    /// What an earlier watch has recorded as running and is not there any more: how it ended is lost.
    pub(in crate::control::host) fn lose_left(&self) {
        let left: Vec<_> = std::mem::take(&mut self.lock().left).into_values().collect();
        for record in left {
            self.over(self.lock(), Arc::new(record::lost(&record)));
        }
    }

    /// A record is complete.
    fn over(&self, mut state: MutexGuard<'_, State>, record: Arc<Record>) {
        state.requesters += u64::from(record.actor.is_known());
        state.totals.by_outcome[record.outcome as usize] += 1;
        if let (Some(from), Some(to)) = (record.started_us, record.ended_us) {
            state.totals.run_times.add(to.saturating_sub(from));
            state.totals.queue_times.add(from);
        }
        if self.keep > 0 {
            if state.ended.len() == self.keep {
                state.ended.pop_front();
                state.first += 1;
                state.totals.records_dropped += 1;
            }
            state.ended.push_back(record.clone());
        } else {
            state.first += 1;
        }
        let at = record.ended_us.map_or_else(monotonic, |ended| record.at + ended);
        state.bus.emit(at, EventKind::Finished(record.clone()));
        drop(state);
        if let Some(sink) = &self.sink {
            sink.finished(&record);
        }
    }
}

impl State {
    /// The nearest of these processes that is a helper which runs.
    fn asked_by(&self, above: &[(i32, u64)]) -> Option<u64> {
        let is_it = |id: &u64, start: u64| self.live.get(id).is_some_and(|running| running.start_time == Some(start));
        above.iter().find_map(|(pid, start)| self.pids.get(pid).copied().filter(|id| is_it(id, *start)))
    }
}
