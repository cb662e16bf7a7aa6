//! The helpers of the kernel: those that run, those that ended last, totals, and events.

pub(super) mod read;

use std::collections::{BTreeMap, HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::abi::actor::Actor;
use crate::abi::event::{EventKind, EventKinds, Level, LossSource};
use crate::abi::knob_value::Change;
use crate::abi::log::{LogKind, LogLine};
use crate::abi::record::Record;
use crate::abi::sink::{Changed, RecordSink};
use crate::abi::snapshot::{Snapshot, Totals};
use crate::abi::time::Micros;
use crate::control::kernel_knobs::KernelKnobs;
use crate::control::target_info::TargetInfo;
use crate::control::text::kernel;
use crate::engine::{Bus, Subscription};
use crate::kernel::observation::{Observation, Times, Unknown};
use crate::kernel::watch::{Viewer, wall};
use crate::sys::process::monotonic;

use super::{birth, record};

/// How many warnings a snapshot lists.
const WARNINGS: usize = 16;

/// A helper that runs.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) record: Arc<Record>,
    /// When its process started, in clock ticks since boot; with the pid it names one process.
    pub(super) start_time: Option<u64>,
}

struct State {
    last_id: u64,
    live: BTreeMap<u64, Running>,
    /// The ids of `live` by pid.
    pids: HashMap<i32, u64>,
    ended: VecDeque<Arc<Record>>,
    /// How many ended helpers are not kept any more.
    first: u64,
    totals: Totals,
    requesters: u64,
    lost: u64,
    missed: u64,
    warnings: VecDeque<LogLine>,
    bus: Bus,
    /// The helpers that ran when the watch began are in `live`, or the watch has ended.
    is_listed: bool,
}

/// The helpers of the kernel.
pub(super) struct Store {
    state: Mutex<State>,
    changed: Condvar,
    watch: Viewer,
    sink: Option<Arc<dyn RecordSink>>,
    /// What a snapshot has of this process.
    base: Snapshot,
    knobs: KernelKnobs,
    keep: usize,
}

impl Store {
    pub(super) fn new(
        watch: Viewer,
        info: &TargetInfo,
        keep: usize,
        first_id: u64,
        sink: Option<Arc<dyn RecordSink>>,
        knobs: KernelKnobs,
    ) -> Self {
        let state = State {
            last_id: first_id.saturating_sub(1),
            live: BTreeMap::new(),
            pids: HashMap::new(),
            ended: VecDeque::new(),
            first: 0,
            totals: Totals::default(),
            requesters: 0,
            lost: 0,
            missed: 0,
            warnings: VecDeque::new(),
            bus: Bus::default(),
            is_listed: false,
        };
        let base = Snapshot::unknown(info.pid, info.uid, info.known);
        Self { state: Mutex::new(state), changed: Condvar::new(), watch, sink, base, knobs, keep }
    }

    fn lock(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// The helpers that ran when the watch began have been told.
    pub(super) fn listed(&self) {
        self.lock().is_listed = true;
        self.changed.notify_all();
    }

    /// Waits for that, for at most so long.
    pub(super) fn wait_listed(&self, most: Duration) {
        let waits = |state: &mut State| !state.is_listed;
        drop(self.changed.wait_timeout_while(self.lock(), most, waits).unwrap_or_else(PoisonError::into_inner));
    }

    pub(super) fn subscribe(&self, capacity: usize, kinds: EventKinds, after: Option<u64>) -> Subscription {
        let mut state = self.lock();
        match after {
            None => state.bus.subscribe(capacity, kinds),
            Some(after) => state.bus.subscribe_after(after, capacity, kinds),
        }
    }

    /// A helper runs, and has run for a while. `start_time` names its process.
    pub(super) fn started(&self, observation: &Observation, start_time: Option<u64>) {
        let mut state = self.lock();
        let id = state.new_id();
        let mut record = record::of(observation, id, wall);
        if let (Some(ticks), true) = (start_time, observation.times == Times::default()) {
            // It was found running: since its start.
            let since = birth::made_at(ticks);
            (record.at, record.wall, record.started_us) = (since / 1000, wall(since), Some(0));
        }
        let record = Arc::new(record);
        state.totals.launched += 1;
        // An end of the process that had this number before was lost.
        if let Some(before) = state.pids.insert(observation.pid, id) {
            state.live.remove(&before);
        }
        state.live.insert(id, Running { record: record.clone(), start_time });
        state.bus.emit(monotonic(), EventKind::Started { id, pid: observation.pid });
        drop(state);
        if let Some(sink) = &self.sink {
            sink.started(&record);
        }
    }

    /// A helper has ended.
    pub(super) fn finished(&self, observation: &Observation) {
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
        if let Some(running) = &started {
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
        let record = Arc::new(record);
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

    /// Something is lost.
    pub(super) fn lost(&self, source: LossSource, count: Option<u64>) {
        let mut state = self.lock();
        match source {
            LossSource::Reader => state.missed += count.unwrap_or(1),
            _ => state.lost += count.unwrap_or(1),
        }
        let text = kernel::lost(source, count);
        state.warn(monotonic(), text);
        self.emit(state, EventKind::Lost { source, count });
    }

    /// An operator sent a signal.
    pub(super) fn signalled(&self, running: &Running, pid: i32, signal: i32, actor: Arc<Actor>) {
        self.emit(self.lock(), EventKind::Signalled { id: running.record.id, pid, signal, actor });
    }

    /// A knob of the kernel was changed by this process.
    pub(super) fn changed(&self, change: &Change, actor: &Arc<Actor>) {
        self.emit(self.lock(), EventKind::KnobChanged { change: Arc::new(change.clone()), actor: actor.clone() });
    }

    fn emit(&self, mut state: MutexGuard<'_, State>, kind: EventKind) {
        let at = monotonic();
        let change = (self.sink.is_some() && Changed::includes(&kind)).then(|| kind.clone());
        state.bus.emit(at, kind);
        let seq = state.bus.seq();
        drop(state);
        if let (Some(sink), Some(kind)) = (&self.sink, change) {
            sink.changed(&Changed { wall: SystemTime::now(), event: crate::abi::event::Event { seq, at, kind } });
        }
    }

    /// The watch has ended.
    pub(super) fn ended(&self) {
        let mut state = self.lock();
        if let Some(error) = self.watch.status().failed {
            state.warn(monotonic(), format!("the watch of the kernel has ended: {error}"));
        }
        state.bus.close();
        drop(state);
        self.listed();
    }

    /// The helper that runs and has this number.
    pub(super) fn running(&self, id: u64) -> Option<Running> {
        self.lock().live.get(&id).cloned()
    }

    /// Whether a helper ever had this number.
    pub(super) fn knows(&self, id: u64) -> bool {
        id > 0 && id <= self.lock().last_id
    }

    /// The records with these ids, in this order, without those that are not kept any more.
    pub(super) fn records(&self, ids: &[u64]) -> Vec<Arc<Record>> {
        let state = self.lock();
        ids.iter().filter_map(|id| state.record(*id)).collect()
    }

    /// The kernel's knobs.
    pub(super) const fn knobs(&self) -> &KernelKnobs {
        &self.knobs
    }
}

impl State {
    fn new_id(&mut self) -> u64 {
        self.last_id += 1;
        self.last_id
    }

    fn record(&self, id: u64) -> Option<Arc<Record>> {
        let ended = || self.ended.iter().rev().find(|record| record.id == id);
        self.live.get(&id).map(|running| &running.record).or_else(ended).cloned()
    }

    fn warn(&mut self, at: Micros, text: String) {
        self.warnings.truncate(WARNINGS - 1);
        let kind = LogKind::Note { level: Level::Warning, text: text.as_str().into() };
        self.warnings.push_front(LogLine { at, kind });
    }
}
