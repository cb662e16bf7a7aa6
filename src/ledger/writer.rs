//! The writer: a record sink that appends lines to segments.

use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use crate::abi::error::Explain;
use crate::abi::event::EventKind;
use crate::abi::record::Record;
use crate::abi::sink::{Changed, LedgerState, RecordSink};
use crate::control::target_info::RunId;
use crate::sys::fork::ProcessMark;
use crate::sys::host::Host;
use crate::sys::process;

use super::clocks::{Clocks, MachineClocks};
use super::error::LedgerError;
use super::folder::{FAILURES, Folder};
use super::line::{Item, KeepOutput, Running, Wall, micros};
use super::open::{KERNEL, Left, LeftRunning, Orphan, left_in};
use super::rotate::Limits;
use super::series::{Fixed, Open, Series};
use super::state::{Losses, State};
use super::watch::{self, Watching};

/// How a ledger is written.
pub struct Options {
    /// The folder; it is made if it does not exist.
    pub folder: PathBuf,
    /// The target whose lines these are: `embedded`, `daemon` or `kernel`.
    pub target: &'static str,
    /// Of which helpers the output is stored.
    pub output: KeepOutput,
    /// How much of everything is kept.
    pub all: Limits,
    /// How much of the failures is kept.
    pub failures: Limits,
    /// The clocks.
    pub clocks: Arc<dyn Clocks>,
}

impl Options {
    /// The default limits, the output of failures, and this machine's clocks.
    pub fn new(folder: impl Into<PathBuf>, target: &'static str) -> Self {
        Self {
            folder: folder.into(),
            target,
            output: KeepOutput::default(),
            all: Limits::ALL,
            failures: Limits::FAILURES,
            clocks: Arc::new(MachineClocks),
        }
    }
}

/// A ledger that an engine writes ([`RecordSink`]).
pub struct Ledger {
    run: RunId,
    first_id: u64,
    folder: PathBuf,
    mark: ProcessMark,
    clocks: Arc<dyn Clocks>,
    /// When the event of the line happened that is being written, or [`IDLE`].
    busy_since: AtomicI64,
    state: Mutex<State>,
    /// Apart from `state`, which is locked while a write blocks.
    stats: Mutex<LedgerState>,
    watching: Mutex<Option<Watching>>,
    left: Mutex<LeftRunning>,
}

const IDLE: Wall = Wall::MIN;

impl Ledger {
    /// Opens a ledger for a new run of an engine on `host`. Nothing is written before the first line.
    ///
    /// # Errors
    /// As for [`Folder::open`].
    pub fn open(options: Options, host: &dyn Host) -> Result<Arc<Self>, LedgerError> {
        let folder = Folder::open(&options.folder, true)?;
        let failures = folder.sub(FAILURES, true)?;
        let boot: Arc<str> = process::boot_id().into();
        let left = left_in(&folder, &boot, options.target)?;
        let now = options.clocks.wall();
        let actor = Arc::new(host.actor());
        let run = RunId { started: u64::try_from(now).unwrap_or(0), pid: actor.pid };
        let first_id = left.next_id;
        let path = folder.path().to_owned();
        let state = State {
            all: Series::new(folder, options.all),
            failures: Series::new(failures, options.failures),
            fixed: Fixed {
                run,
                target: options.target.into(),
                boot,
                known: host.known(),
                bounding: host.sets().bounding.at_most() & host.known(),
                actor,
            },
            output: options.output,
            n: 0,
            next_id: first_id,
            open: Open::new(),
            lost: Losses::default(),
            failures_lost: Losses::default(),
            closed: false,
        };
        let ledger = Arc::new(Self {
            run,
            first_id,
            folder: path,
            mark: ProcessMark::current(),
            clocks: options.clocks,
            busy_since: AtomicI64::new(IDLE),
            state: Mutex::new(state),
            stats: Mutex::default(),
            watching: Mutex::default(),
            left: Mutex::default(),
        });
        ledger.take_over(left);
        Ok(ledger)
    }

    /// Writes what has become of the helpers of earlier runs, and watches those that still run.
    fn take_over(self: &Arc<Self>, mut left: Left) {
        let now = self.clocks.wall();
        let orphans = std::mem::take(&mut left.orphans);
        let is_kernel = &*lock(&self.state).fixed.target == KERNEL;
        for orphan in &orphans {
            let item = match orphan.process {
                // Its watch goes on, as over a rotation.
                Some(_) if is_kernel => Item::Open(orphan.running.clone()),
                Some(_) => Item::StillRunning(orphan.running.clone()),
                None => Item::Ended(Arc::new(orphan.ended())),
            };
            self.put(&item, Some(orphan.run), now);
        }
        // Else the next start tries again.
        if self.stats().lost == 0 {
            left.end(now);
        }
        let mut alive: Vec<Orphan> = orphans.into_iter().filter(|orphan| orphan.process.is_some()).collect();
        if is_kernel {
            // A watch sees how these end.
            let mut left = lock(&self.left);
            alive.retain(|Orphan { run, running, .. }| {
                if left.runs.contains_key(&running.record.id) {
                    return true;
                }
                left.runs.insert(running.record.id, *run);
                left.helpers.push(running.clone());
                false
            });
        }
        if !alive.is_empty() {
            // Without a thread, the next start of the ledger finds out what has become of them.
            let ledger = Arc::downgrade(self);
            let ended = move |orphan: &Orphan| {
                if let Some(ledger) = ledger.upgrade() {
                    ledger.orphan_ended(orphan.run, Arc::new(orphan.ended()));
                }
            };
            *lock(&self.watching) = watch::start(alive, Box::new(ended)).ok();
        }
    }

    /// A helper of an earlier run has ended.
    fn orphan_ended(&self, run: RunId, record: Arc<Record>) {
        self.put(&Item::Ended(record), Some(run), self.clocks.wall());
    }

    /// The helpers of the kernel that an earlier watch has seen start and that run still, each with the start time of its
    /// process. What is written about one of them later, by its id, is about the run that it began in.
    pub fn left(&self) -> Vec<(Arc<Record>, u64)> {
        let helpers = std::mem::take(&mut lock(&self.left).helpers);
        helpers.into_iter().filter_map(|Running { record, start_time }| Some((record, start_time?))).collect()
    }

    /// This run, for [`crate::control::local::Local::with_run`].
    pub fn run(&self) -> RunId {
        self.run
    }

    /// The id of the first request, for [`crate::engine::Builder::first_id`]: the numbers go on from the last one in
    /// the ledger.
    pub fn first_id(&self) -> u64 {
        self.first_id
    }

    /// Its state. Never waits for a write.
    pub fn stats(&self) -> LedgerState {
        let since = self.busy_since.load(Ordering::Relaxed);
        let lag = if since == IDLE { 0 } else { self.clocks.wall().saturating_sub(since) };
        LedgerState { lag_us: u64::try_from(lag).unwrap_or(0), ..lock(&self.stats).clone() }
    }

    /// Ends the segments, flushes them to the disk and unlocks them. What comes later is lost. Stop the engine first
    /// ([`crate::engine::Engine::shutdown`]), which hands over what is queued. A second call does nothing.
    pub fn close(&self) {
        if !self.mark.is_current() {
            return;
        }
        lock(&self.watching).take();
        let mut state = lock(&self.state);
        if state.closed {
            return;
        }
        let closed = state.close(self.clocks.as_ref());
        let mut stats = lock(&self.stats);
        stats.bytes = state.bytes();
        if let Err(errno) = closed {
            stats.error = Some(LedgerError::at(&self.folder, errno).whole().into());
        }
    }

    /// Appends a line about an event of `run`, of this one if `None`, that happened at `since`.
    fn put(&self, item: &Item, run: Option<RunId>, since: Wall) {
        if !self.mark.is_current() {
            return;
        }
        self.busy_since.store(since, Ordering::Relaxed);
        let mut state = lock(&self.state);
        let done = state.put(self.clocks.as_ref(), item, run);
        let bytes = state.bytes();
        drop(state);
        self.busy_since.store(IDLE, Ordering::Relaxed);
        let mut stats = lock(&self.stats);
        stats.bytes = bytes;
        match done.all {
            Ok(()) => stats.written += 1,
            Err(_) => stats.lost += 1,
        }
        stats.failures_lost += u64::from(done.failures.is_err());
        stats.error = match (done.all, done.failures) {
            (Err(errno), _) => Some(LedgerError::at(&self.folder, errno)),
            (_, Err(errno)) => Some(LedgerError::at(&self.folder.join(FAILURES), errno)),
            _ => None,
        }
        .map(|error| error.whole().into());
    }
}

impl RecordSink for Ledger {
    fn started(&self, record: &Arc<Record>) {
        let start_time = record.pid.and_then(process::start_time);
        let since = after(record, record.started_us);
        self.put(&Item::Started(Running { record: record.clone(), start_time }), None, since);
    }

    fn finished(&self, record: &Arc<Record>) {
        // It stays: a signal may be told after the end that it caused.
        let run = lock(&self.left).runs.get(&record.id).copied();
        self.put(&Item::Ended(record.clone()), run, after(record, record.ended_us));
    }

    fn changed(&self, change: &Changed) {
        let run = match &change.event.kind {
            EventKind::Signalled { id, .. } => lock(&self.left).runs.get(id).copied(),
            _ => None,
        };
        self.put(&Item::Changed(change.event.clone()), run, micros(change.wall));
    }

    fn lost(&self, count: u64) {
        if !self.mark.is_current() {
            return;
        }
        // The engine counts them; if this line cannot be written, the next one tells of them.
        let told = lock(&self.state).lose(self.clocks.as_ref(), count);
        if let Err(errno) = told {
            lock(&self.stats).error = Some(LedgerError::at(&self.folder, errno).whole().into());
        }
    }

    fn ledger(&self) -> Option<LedgerState> {
        Some(self.stats())
    }
}

impl Drop for Ledger {
    fn drop(&mut self) {
        self.close();
    }
}

/// `us` after the request was made.
fn after(record: &Record, us: Option<u64>) -> Wall {
    micros(record.wall).saturating_add_unsigned(us.unwrap_or(0))
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
