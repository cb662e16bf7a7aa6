//! The watch: a thread that reads, joins and hands out observations.

use std::os::fd::{AsFd, OwnedFd};
use std::sync::atomic::{AtomicBool, Ordering};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use rustix::event::{EventfdFlags, eventfd};

use super::askers::Askers;
use super::join::{Counts, Join};
use super::knowledge::Knowledge;
use super::observation::Observation;
use super::read::{self, Into, Unread, now};
use super::source::{Source, helpers_of, listed};
use crate::abi::error::SysError;
use crate::sys::channel::{Receiver, RecvTimeoutError, Sender, TrySendError, bounded};
use crate::sys::thread::{self, spawn};

pub use super::read::Loss;

/// Events of other sources may come so much later.
const DELAY: u64 = 5_000_000;
/// How often the lists of workers and helpers are compared with /proc.
const CHECK: u64 = 30_000_000_000;
/// It is done earlier after so many ends of processes that are none of the kernel's.
const FOREIGN: u64 = 100;
/// How soon after a loss that is done.
const SOON: u64 = 50_000_000;
/// How soon it is repeated for helpers that are gone although their end was not told; it may be on the way.
const AGAIN: u64 = 1_000_000_000;

/// What a watch tells.
#[derive(Clone, Debug)]
pub enum Told {
    /// Every helper that ran when the watch began has been told; comes once.
    Listed,
    /// A helper runs, and has run for a while.
    Started(Box<Observation>),
    /// A helper has ended.
    Helper(Box<Observation>),
    /// The kernel's buffers were full.
    Lost(Loss),
    /// So many of the above are lost, because the reader of this queue was too slow.
    Missed(u64),
}

/// The moment of a time of the kernel, by the wall clock.
pub fn wall(time: u64) -> SystemTime {
    let (now, wall) = (now(), SystemTime::now());
    let ago = Duration::from_nanos(now.saturating_sub(time));
    wall.checked_sub(ago).unwrap_or(wall)
}

/// The state of a watch.
#[derive(Clone, Debug)]
pub struct Status {
    /// What can be known.
    pub knowledge: Knowledge,
    /// Since when, in nanoseconds of CLOCK_MONOTONIC.
    pub since: u64,
    /// What was counted.
    pub counts: Counts,
    /// What was lost because the reader of the queue was too slow.
    pub missed: u64,
    /// Why the watch has ended by itself.
    pub failed: Option<SysError>,
}

/// A watch of this machine's kernel. Dropping it ends the watch and removes the trace instances.
#[derive(Debug)]
pub struct Watch {
    queue: Receiver<Told>,
    status: Arc<Mutex<Status>>,
    stop: Stopper,
    askers: Askers,
    thread: Option<JoinHandle<()>>,
}

/// Reads the state of a watch from another thread; a cheap handle.
#[derive(Clone, Debug)]
pub struct Viewer(Arc<Mutex<Status>>);

impl Viewer {
    /// The state at this moment.
    pub fn status(&self) -> Status {
        self.0.lock().unwrap_or_else(PoisonError::into_inner).clone()
    }
}

/// Ends a watch from another thread; a cheap handle.
#[derive(Clone, Debug)]
pub struct Stopper(Arc<Stop>);

impl Stopper {
    /// Ends the watch. What it still knows comes from [`Watch::next`], running helpers included.
    pub fn stop(&self) {
        self.0.is_set.store(true, Ordering::Release);
        // A full counter wakes the thread just as well.
        let _ = rustix::io::write(&self.0.wake, &1u64.to_ne_bytes());
    }
}

#[derive(Debug)]
struct Stop {
    wake: OwnedFd,
    is_set: AtomicBool,
}

impl Watch {
    /// Starts a watch, with a queue of `capacity`.
    ///
    /// # Errors
    /// What is known, if that is nothing: [`Knowledge::states`] says why. A system error if the thread cannot be made.
    pub fn start(capacity: usize) -> Result<Self, (Knowledge, Option<SysError>)> {
        let (source, knowledge) = Source::open();
        if !knowledge.is_some() {
            return Err((knowledge, None));
        }
        let failed = |what: &'static str| {
            let knowledge = knowledge.clone();
            move |errno| (knowledge, Some(SysError::new(what, errno)))
        };
        let wake = eventfd(0, EventfdFlags::CLOEXEC | EventfdFlags::NONBLOCK)
            .map_err(|e| failed("eventfd")(Errno::from_raw(e.raw_os_error())))?;
        let stop = Arc::new(Stop { wake, is_set: AtomicBool::new(false) });
        let status = Status {
            knowledge: knowledge.clone(),
            since: source.since,
            counts: Counts::default(),
            missed: 0,
            failed: None,
        };
        let status = Arc::new(Mutex::new(status));
        let (sender, queue) = bounded(capacity);
        let askers = Askers::default();
        let out = Out { sender, missed: 0, status: status.clone(), askers: askers.clone() };
        let thread_stop = stop.clone();
        let thread = spawn("khelper-kernel", move || run(source, out, &thread_stop))
            .map_err(|e| failed("start a thread")(Errno::from_raw(e.raw_os_error().unwrap_or(libc::EAGAIN))))?;
        Ok(Self { queue, status, stop: Stopper(stop), askers, thread: Some(thread) })
    }

    /// The next item; `None` when the watch has ended.
    pub fn next(&self) -> Option<Told> {
        self.queue.recv().ok()
    }

    /// The next item, if it comes in time.
    ///
    /// # Errors
    /// `Timeout`, or `Disconnected` when the watch has ended.
    pub fn next_within(&self, time: Duration) -> Result<Told, RecvTimeoutError> {
        self.queue.recv_timeout(time)
    }

    /// The state at this moment.
    pub fn status(&self) -> Status {
        self.viewer().status()
    }

    /// A handle that reads the state.
    pub fn viewer(&self) -> Viewer {
        Viewer(self.status.clone())
    }

    /// Who the newest helpers were started for.
    pub fn askers(&self) -> Askers {
        self.askers.clone()
    }

    /// A handle that ends the watch.
    pub fn stopper(&self) -> Stopper {
        self.stop.clone()
    }
}

impl Drop for Watch {
    fn drop(&mut self) {
        self.stop.stop();
        if let Some(thread) = self.thread.take() {
            let _ = thread.join();
        }
    }
}

/// The sending side of the queue.
struct Out {
    sender: Sender<Told>,
    missed: u64,
    status: Arc<Mutex<Status>>,
    askers: Askers,
}

impl Out {
    fn send(&mut self, told: Told) {
        if self.missed > 0 && self.sender.try_send(Told::Missed(self.missed)).is_ok() {
            self.missed = 0;
        }
        if self.missed > 0 || matches!(self.sender.try_send(told), Err(TrySendError::Full(_))) {
            self.missed += 1;
            self.status.lock().unwrap_or_else(PoisonError::into_inner).missed += 1;
        }
    }
}

fn run(mut source: Source, mut out: Out, stop: &Stop) {
    // Who asked is gone within a millisecond.
    thread::hurry();
    let mut join = Join::new(source.sources(), source.since);
    let result = rounds(&mut source, &mut join, &mut out, stop);
    for observation in join.finish() {
        out.send(Told::Helper(Box::new(observation)));
    }
    let mut status = out.status.lock().unwrap_or_else(PoisonError::into_inner);
    (status.counts, status.failed) = (join.counts(), result.err());
}

fn rounds(source: &mut Source, join: &mut Join, out: &mut Out, stop: &Stop) -> Result<(), SysError> {
    let mut page = vec![0; source.tracing.as_ref().map_or(0, |tracing| tracing.page_size)];
    let (mut check_at, mut checked_at, mut foreign_before, mut is_listed) = (0_u64, 0, 0, false);
    let (mut suspects, mut lost, mut unread) = (Vec::new(), Vec::new(), Vec::new());
    loop {
        // After that everything that is in the buffers is read once more.
        let is_last = stop.is_set.load(Ordering::Acquire);
        let wait = if join.is_idle() && unread.is_empty() { check_at.saturating_sub(now()) } else { DELAY };
        source.ready(stop.wake.as_fd(), if is_last { 0 } else { wait });
        // What is not ready now is empty at a time after `round`.
        let round = now();
        let ready = source.ready(stop.wake.as_fd(), 0);
        // First what makes /proc be read.
        if let Some(tracing) = &mut source.tracing {
            let mut into = Into { facts: &source.facts, join, lost: &mut lost, unread: &mut unread };
            for at in ready {
                read::buffer(tracing, at, &mut page, round, &mut into)?;
            }
        }
        read::helpers(&mut unread, &source.facts, join);
        if let Some(connector) = &source.exits {
            read::exits(connector, round, join, &mut lost)?;
        }
        // Children of processes that are newer than the filter pass it.
        let foreign = join.counts().foreign_exits - foreign_before;
        let is_due = now() >= check_at || (foreign > FOREIGN && now() >= checked_at + AGAIN);
        // Before the time advances: a worker whose own birth is lost is known from the list alone, and its forks come next.
        if join.must_list() || is_due {
            check(source, join, &mut suspects, &mut unread)?;
            (checked_at, foreign_before) = (now(), join.counts().foreign_exits);
            check_at = now() + if suspects.is_empty() { CHECK } else { AGAIN };
        }
        let observations = join.advance(round.saturating_sub(DELAY));
        out.askers.tell(join.new_askers());
        if !lost.is_empty() {
            check_at = now() + SOON;
        }
        lost.drain(..).for_each(|loss| out.send(Told::Lost(loss)));
        observations.into_iter().for_each(|observation| out.send(Told::Helper(Box::new(observation))));
        join.started().into_iter().for_each(|observation| out.send(Told::Started(Box::new(observation))));
        if !is_listed && join.has_told_all() {
            is_listed = true;
            out.send(Told::Listed);
        }
        // A worker with a number below those that pass anyway.
        if join.new_kernel_threads().into_iter().any(|pid| pid.unsigned_abs() < source.newest) {
            source.renew_filter(&listed().1)?;
        }
        out.status.lock().unwrap_or_else(PoisonError::into_inner).counts = join.counts();
        if is_last {
            return Ok(());
        }
    }
}

/// Compares what is remembered with /proc: workers, helpers that run, helpers whose end was not told.
fn check(
    source: &mut Source,
    join: &mut Join,
    suspects: &mut Vec<i32>,
    unread: &mut Vec<Unread>,
) -> Result<(), SysError> {
    let (all, parents) = listed();
    let helpers = helpers_of(&all);
    // Gone now and already at the last check: its end is not merely on the way.
    let known = join.running();
    unread.extend(helpers.iter().filter(|pid| !known.contains(pid)).map(|pid| Unread::new(now(), *pid)));
    let missing: Vec<i32> = known.into_iter().filter(|pid| !helpers.contains(pid)).collect();
    missing.iter().filter(|pid| suspects.contains(pid)).for_each(|pid| join.vanished(*pid));
    *suspects = missing;
    join.listed(now(), all.iter().filter(|task| task.is_kernel).map(|task| task.pid), &helpers);
    source.renew_filter(&parents)
}
