//! The writer: a record sink that appends lines to segments.

use std::collections::BTreeMap;
use std::path::PathBuf;
use std::sync::atomic::{AtomicI64, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::time::SystemTime;

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::Explain;
use crate::abi::record::Record;
use crate::abi::sink::{Changed, LedgerState, RecordSink};
use crate::control::target_info::RunId;
use crate::sys::fork::ProcessMark;
use crate::sys::host::Host;
use crate::sys::process;

use super::error::LedgerError;
use super::folder::{FAILURES, Folder};
use super::line::{Head, Item, KeepOutput, Running, Usual, Wall, encode, micros};
use super::open::{Left, Orphan, left_in};
use super::rotate::{Limits, STEP, prune};
use super::segment::Segment;
use super::watch::{self, Watching};

/// The clocks of a ledger.
pub trait Clocks: Send + Sync {
    /// The wall clock, in microseconds since the epoch.
    fn wall(&self) -> Wall;
    /// CLOCK_MONOTONIC, in microseconds.
    fn monotonic(&self) -> u64;
}

/// The clocks of this machine.
#[derive(Debug)]
pub struct MachineClocks;

impl Clocks for MachineClocks {
    fn wall(&self) -> Wall {
        micros(SystemTime::now())
    }
    fn monotonic(&self) -> u64 {
        process::monotonic()
    }
}

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
}

const IDLE: Wall = Wall::MIN;

struct State {
    all: Series,
    failures: Series,
    fixed: Fixed,
    output: KeepOutput,
    /// The number of the last line.
    n: u64,
    /// The id of the next request.
    next_id: u64,
    /// Helpers that run.
    open: BTreeMap<(RunId, u64), Running>,
    /// Lines lost since the last one that says so, and why.
    lost: u64,
    errno: Option<Errno>,
    closed: bool,
}

/// What the first line of every segment has.
struct Fixed {
    run: RunId,
    target: Arc<str>,
    boot: Arc<str>,
    known: CapMask,
    bounding: CapMask,
    actor: Arc<Actor>,
}

/// The segments of one folder, and the one that is being written.
struct Series {
    folder: Folder,
    limits: Limits,
    current: Option<(Segment, Head)>,
    /// The time of the last line.
    last: Wall,
    /// The bytes of the other segments.
    others: u64,
}

impl Ledger {
    /// Opens a ledger for a new run of an engine on `host`. Nothing is written before the first line.
    ///
    /// # Errors
    /// As for [`Folder::open`].
    pub fn open(options: Options, host: &dyn Host) -> Result<Arc<Self>, LedgerError> {
        let folder = Folder::open(&options.folder, true)?;
        let failures = folder.sub(FAILURES, true)?;
        let boot: Arc<str> = process::boot_id().into();
        let left = left_in(&folder, &boot)?;
        let now = options.clocks.wall();
        let actor = Arc::new(host.actor());
        let run = RunId { started: u64::try_from(now).unwrap_or(0), pid: actor.pid };
        let first_id = left.next_id;
        let path = folder.path().to_owned();
        let series = |folder, limits| Series { folder, limits, current: None, last: Wall::MIN, others: 0 };
        let state = State {
            all: series(folder, options.all),
            failures: series(failures, options.failures),
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
            open: BTreeMap::new(),
            lost: 0,
            errno: None,
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
        });
        ledger.take_over(left);
        Ok(ledger)
    }

    /// Writes what has become of the helpers of earlier runs, and watches those that still run.
    fn take_over(self: &Arc<Self>, mut left: Left) {
        let now = self.clocks.wall();
        let orphans = std::mem::take(&mut left.orphans);
        for orphan in &orphans {
            let item = match orphan.process {
                Some(_) => Item::StillRunning(orphan.running.clone()),
                None => Item::Ended(Arc::new(orphan.ended())),
            };
            self.put(&item, Some(orphan.run), now);
        }
        // Else the next start tries again.
        if self.stats().lost == 0 {
            left.end(now);
        }
        let alive: Vec<Orphan> = orphans.into_iter().filter(|orphan| orphan.process.is_some()).collect();
        if !alive.is_empty() {
            // Without a thread, the next start of the ledger finds out what has become of them.
            let ledger = Arc::downgrade(self);
            let ended = move |orphan: &Orphan| match ledger.upgrade() {
                Some(ledger) => ledger.orphan_ended(orphan.run, Arc::new(orphan.ended())),
                None => {}
            };
            *lock(&self.watching) = watch::start(alive, Box::new(ended)).ok();
        }
    }

    /// A helper of an earlier run has ended.
    fn orphan_ended(&self, run: RunId, record: Arc<Record>) {
        self.put(&Item::Ended(record), Some(run), self.clocks.wall());
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
        if std::mem::replace(&mut state.closed, true) {
            return;
        }
        let (wall, next_id) = (self.clocks.wall(), state.next_id);
        let open = state.open.len() as u64;
        let closed = state.all.end(wall, &Item::End { next_id, open });
        let closed = closed.and(state.failures.end(wall, &Item::End { next_id, open: 0 }));
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
        match done {
            Ok(()) => (stats.written, stats.error) = (stats.written + 1, None),
            Err(errno) => {
                stats.lost += 1;
                stats.error = Some(LedgerError::at(&self.folder, errno).whole().into());
            }
        }
    }
}

impl RecordSink for Ledger {
    fn started(&self, record: &Arc<Record>) {
        let start_time = record.pid.and_then(process::start_time);
        let since = after(record, record.started_us);
        self.put(&Item::Started(Running { record: record.clone(), start_time }), None, since);
    }

    fn finished(&self, record: &Arc<Record>) {
        self.put(&Item::Ended(record.clone()), None, after(record, record.ended_us));
    }

    fn changed(&self, change: &Changed) {
        self.put(&Item::Changed(change.event.clone()), None, micros(change.wall));
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

impl State {
    fn bytes(&self) -> u64 {
        self.all.bytes() + self.failures.bytes()
    }

    fn put(&mut self, clocks: &dyn Clocks, item: &Item, run: Option<RunId>) -> Result<(), Errno> {
        self.n += 1;
        let done = if self.closed { Err(Errno::ESHUTDOWN) } else { self.write(clocks, item, run) };
        self.note(item, run.unwrap_or(self.fixed.run));
        if let Err(errno) = done {
            (self.lost, self.errno) = (self.lost + 1, Some(errno));
        }
        done
    }

    /// Keeps account of the helpers that run and of the ids.
    fn note(&mut self, item: &Item, run: RunId) {
        let id = match item {
            Item::Started(running) | Item::StillRunning(running) => {
                self.open.insert((run, running.record.id), running.clone());
                running.record.id
            }
            Item::Ended(record) => {
                self.open.remove(&(run, record.id));
                record.id
            }
            _ => return,
        };
        self.next_id = self.next_id.max(id.saturating_add(1));
    }

    fn write(&mut self, clocks: &dyn Clocks, item: &Item, run: Option<RunId>) -> Result<(), Errno> {
        let (wall, n) = (clocks.wall(), self.n);
        let lost = (self.lost > 0).then(|| Item::Lost { count: self.lost, errno: self.errno });
        let news = lost.iter().chain([item]);
        self.all.rotate(clocks, wall, (n, self.next_id), &self.fixed, &self.open)?;
        self.all.append((wall, n, run), news, self.output)?;
        self.lost = 0;
        if matches!(item, Item::Ended(record) if is_failure(record)) {
            self.failures.rotate(clocks, wall, (n, self.next_id), &self.fixed, &BTreeMap::new())?;
            self.failures.append((wall, n, run), [item], self.output)?;
        }
        Ok(())
    }
}

/// Whether the record goes to the failures, too: everything but a helper that exited with status 0 in time, and no-ops.
fn is_failure(r: &Record) -> bool {
    use crate::abi::record::Outcome::{Exited, Noop};
    match r.outcome {
        Exited => r.timed_out || r.status.and_then(|s| s.exit_code()) != Some(0),
        Noop => false,
        _ => true,
    }
}

impl Series {
    fn bytes(&self) -> u64 {
        self.others + self.current.as_ref().map_or(0, |(segment, _)| segment.bytes())
    }

    /// Begins a new segment if there is none, or if the one that is being written is large, old, or from a time to come.
    fn rotate(
        &mut self,
        clocks: &dyn Clocks,
        wall: Wall,
        (n, next_id): (u64, u64),
        fixed: &Fixed,
        open: &BTreeMap<(RunId, u64), Running>,
    ) -> Result<(), Errno> {
        if let Some((segment, _)) = &self.current {
            let limits = &self.limits;
            let full = segment.written() >= limits.segment_bytes || wall - segment.begun() >= limits.segment_age;
            if !full && wall >= self.last.saturating_sub(STEP) {
                return Ok(());
            }
            // The lines are in the file; that they may not be on the disk is all that can be lost.
            let _ = self.end(wall, &Item::End { next_id, open: 0 });
        }
        let Fixed { run, target, boot, known, bounding, actor } = fixed;
        let head = Head {
            wall,
            mono: clocks.monotonic(),
            n,
            next_id,
            run: *run,
            target: target.clone(),
            boot: boot.clone(),
            known: *known,
            bounding: *bounding,
            actor: actor.clone(),
            usual: Usual::default(),
        };
        let mut first = encode(&head, (wall, n, None), &Item::Segment(Box::new(head.clone())), KeepOutput::None);
        for ((run, _), running) in open {
            first.extend(encode(&head, (wall, 0, Some(*run)), &Item::Open(running.clone()), KeepOutput::None));
        }
        // If the folder cannot be read, the next rotation removes what is too much.
        self.others = prune(&self.folder, &self.limits, wall, self.limits.segment_bytes).unwrap_or(self.others);
        let segment = Segment::create(&self.folder, wall, &first)?;
        let _ = self.folder.sync();
        (self.current, self.last) = (Some((segment, head)), wall);
        Ok(())
    }

    fn append<'a>(
        &mut self,
        (wall, n, run): (Wall, u64, Option<RunId>),
        items: impl IntoIterator<Item = &'a Item>,
        keep: KeepOutput,
    ) -> Result<(), Errno> {
        let Some((segment, head)) = &mut self.current else { return Ok(()) };
        let mut lines = Vec::new();
        for item in items {
            let about = if matches!(item, Item::Lost { .. }) { (wall, 0, None) } else { (wall, n, run) };
            lines.extend(encode(head, about, item, keep));
        }
        segment.append(&lines)?;
        self.last = self.last.max(wall);
        Ok(())
    }

    /// Ends the segment that is being written.
    fn end(&mut self, wall: Wall, item: &Item) -> Result<(), Errno> {
        let Some((segment, head)) = self.current.take() else { return Ok(()) };
        // The clock may have gone back: the times of a segment do not.
        let wall = wall.max(self.last);
        let (bytes, closed) = segment.close(&encode(&head, (wall, 0, None), item, KeepOutput::None));
        self.others += bytes;
        closed
    }
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
