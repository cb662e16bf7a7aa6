//! The helpers of the kernel: those that run, those that ended last, totals, and events.

mod lives;
pub(super) mod read;
mod rulings;

use std::collections::{HashMap, VecDeque};
use std::sync::{Arc, Condvar, Mutex, MutexGuard, PoisonError};
use std::time::{Duration, SystemTime};

use crate::abi::actor::Actor;
use crate::abi::event::{EventKind, EventKinds, Level, LossSource};
use crate::abi::log::{LogKind, LogLine};
use crate::abi::record::Record;
use crate::abi::sink::{Changed, RecordSink};
use crate::abi::snapshot::{KnownState, Snapshot, Totals};
use crate::abi::sorted::SortedMap;
use crate::abi::time::Micros;
use crate::control::kernel_knobs::{KernelKnobs, Recorder};
use crate::control::target_info::TargetInfo;
use crate::control::text::kernel;
use crate::engine::{Bus, Subscription};
use crate::kernel::watch::Viewer;
use crate::sys::process::monotonic;

use super::Options;
pub use rulings::Ruling;
use rulings::Rulings;

/// How many warnings a snapshot lists.
const WARNINGS: usize = 16;

/// A helper that runs.
#[derive(Clone)]
pub(super) struct Running {
    pub(super) record: Arc<Record>,
    /// When its process started, in clock ticks since boot; with the pid it names one process.
    pub(super) start_time: Option<u64>,
    /// Whether an earlier watch has seen it start.
    is_left: bool,
}

struct State {
    last_id: u64,
    live: SortedMap<u64, Running>,
    /// The ids of `live` by pid.
    pids: HashMap<i32, u64>,
    /// What an earlier watch has recorded as running and this one has not found yet, by pid and start time.
    left: HashMap<(i32, u64), Arc<Record>>,
    rulings: Rulings,
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

/// Where the helpers come from.
pub(super) enum Source {
    /// A watch.
    Watch(Viewer),
    /// The list of processes, read once; what a watch could know, if that was asked.
    List(Vec<KnownState>),
}

/// The helpers of the kernel.
pub(super) struct Store {
    state: Mutex<State>,
    changed: Condvar,
    source: Source,
    sink: Option<Arc<dyn RecordSink>>,
    changes: Option<Recorder>,
    /// What a snapshot has of this process.
    base: Snapshot,
    knobs: KernelKnobs,
    keep: usize,
}

impl Store {
    pub(super) fn new(
        source: Source,
        info: &TargetInfo,
        first_id: u64,
        Options { keep, sink, left, changes, probe, .. }: Options,
    ) -> Self {
        let left = left.into_iter().filter_map(|(record, start)| Some(((record.pid?, start), record))).collect();
        let state = State {
            last_id: first_id.saturating_sub(1),
            live: SortedMap::new(),
            pids: HashMap::new(),
            left,
            rulings: Rulings::default(),
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
        let knobs = KernelKnobs::default().probing(probe);
        Self { state: Mutex::new(state), changed: Condvar::new(), source, sink, changes, base, knobs, keep }
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

    /// A knob of the kernel, or what is kept of it, was changed by this process.
    pub(super) fn changed(&self, kind: EventKind) {
        self.emit(self.lock(), kind);
    }

    fn emit(&self, mut state: MutexGuard<'_, State>, kind: EventKind) {
        let at = monotonic();
        let change =
            ((self.sink.is_some() || self.changes.is_some()) && Changed::includes(&kind)).then(|| kind.clone());
        state.bus.emit(at, kind);
        let seq = state.bus.seq();
        drop(state);
        let Some(kind) = change else { return };
        let changed = Changed { wall: SystemTime::now(), event: crate::abi::event::Event { seq, at, kind } };
        match (&self.sink, &self.changes) {
            (Some(sink), _) => sink.changed(&changed),
            (None, Some(record)) if is_of_knobs(&changed.event.kind) => record(&changed),
            (None, _) => {}
        }
    }

    /// The watch has ended.
    pub(super) fn ended(&self) {
        let mut state = self.lock();
        if let Source::Watch(watch) = &self.source
            && let Some(error) = watch.status().failed
        {
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

/// Whether a knob of the kernel was changed, or what is kept of it.
const fn is_of_knobs(kind: &EventKind) -> bool {
    matches!(kind, EventKind::KnobChanged { .. } | EventKind::Unpersisted { .. })
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
