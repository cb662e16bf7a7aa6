//! This machine's kernel as a target: its helpers as a watch sees them ([`crate::kernel`]). Commands that need an engine
//! are refused in words.

mod act;
mod answer;
mod birth;
mod knobs;
mod lineage;
mod pump;
mod record;
mod request;
mod rules;
mod store;
#[cfg(test)]
pub(crate) mod tests;

use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::error::io_words;
use crate::abi::error::{ControlError, SysError};
use crate::abi::event::EventKinds;
use crate::abi::record::Record;
use crate::abi::sink::RecordSink;
use crate::abi::snapshot::{KnownState, WatchState};
use crate::kernel::askers::Askers;
use crate::kernel::knowledge::{Knowledge, ROOT};
use crate::kernel::list::{self, NotListed};
use crate::kernel::watch::{Stopper, Watch as KernelWatch};
use crate::sys::channel::{Sender, channel};
use crate::sys::thread::{spawn, spawn_with};

use super::authorize::{Authorization, authorize};
use super::command::Command;
use super::completion::{CallId, Completion};
use super::kernel_knobs::Recorder;
use super::local::watch_of;
use super::target::{LinkState, RunId, Seq, Target, TargetInfo, TargetKind};
use super::watch::{Wake, Watch};
use answer::{Job, is_quick};
use store::{Source, Store};

pub use record::of as record_of;
pub use store::Ruling;

/// The most ended helpers that a watch usually keeps, as many as an engine does.
pub const KEPT: usize = 10_000;
/// Helpers that may wait between the watch and the records.
const QUEUE: usize = 65_536;
/// How long the start of a watch waits for the list of helpers that run already.
const LISTED: Duration = Duration::from_secs(2);
/// The stack of the thread that performs commands.
const STACK: usize = 512 * 1024;

/// How the kernel is watched.
pub struct Options {
    /// The most ended helpers that are kept.
    pub keep: usize,
    /// Receives every helper: a ledger.
    pub sink: Option<Arc<dyn RecordSink>>,
    /// This watch, and the number of its first helper: those of the ledger.
    pub run: Option<(RunId, u64)>,
    /// The helpers that an earlier watch has recorded as running, each with the start time of its process: one that runs
    /// still keeps its record and its number.
    pub left: Vec<(Arc<Record>, u64)>,
    /// Receives the changes of the kernel's knobs that this process makes, if there is no `sink`.
    pub changes: Option<Recorder>,
    /// Every capability that the kernel knows.
    pub known: CapMask,
    /// This process.
    pub by: Actor,
    /// The program that reports what a helper gets, for a rehearsal: khelper itself.
    pub probe: Option<std::path::PathBuf>,
}

impl Options {
    /// The usual options, without a ledger.
    pub fn new(known: CapMask, by: Actor) -> Self {
        Self { keep: KEPT, sink: None, run: None, left: Vec::new(), changes: None, known, by, probe: None }
    }
}

impl Options {
    /// The target, and the number of its first helper.
    fn info(&self) -> (TargetInfo, u64) {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let (run, first_id) = self.run.unwrap_or((RunId { started, pid: self.by.pid }, 1));
        let info = TargetInfo {
            kind: TargetKind::Kernel,
            name: String::new(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: self.by.pid,
            uid: self.by.uid,
            run,
            link: LinkState::Up,
            known: self.known,
        };
        (info, first_id)
    }
}

/// Why the kernel cannot be watched.
#[derive(Debug)]
pub struct NotWatched {
    /// What is not known, and what would change that.
    pub states: Vec<KnownState>,
    /// The system error, if one is the cause.
    pub error: Option<SysError>,
}

/// A watch of this machine's kernel, as a target. Dropping it ends the watch.
pub struct HostKernel {
    store: Arc<Store>,
    /// The watch, and the thread that takes what it tells; `None` if the helpers were listed.
    watch: Option<(Stopper, Mutex<Option<JoinHandle<()>>>)>,
    /// Who the newest helpers were started for.
    askers: Askers,
    /// The queue of the thread that performs commands; `None` until one needs it.
    worker: Mutex<Option<Sender<Job>>>,
    info: TargetInfo,
}

impl HostKernel {
    /// Starts a watch.
    ///
    /// # Errors
    /// Nothing can be known of this kernel's helpers here, or a thread cannot be started.
    pub fn start(options: Options) -> Result<Self, NotWatched> {
        let watch = KernelWatch::start(QUEUE).map_err(|(knowledge, error)| not_watched(&knowledge, error))?;
        let (info, first_id) = options.info();
        let status = watch.status();
        let store = Arc::new(Store::new(Source::Watch(watch.viewer()), &info, first_id, options));
        let (stopper, askers, filled) = (watch.stopper(), watch.askers(), store.clone());
        let pump = spawn("khelper-helpers", move || pump::run(watch, &filled));
        let failed = |e: std::io::Error| {
            let errno = nix::errno::Errno::from_raw(e.raw_os_error().unwrap_or(libc::EAGAIN));
            not_watched(&status.knowledge, Some(SysError::new("start a thread", errno)))
        };
        let pump = Mutex::new(Some(pump.map_err(failed)?));
        store.wait_listed(LISTED);
        Ok(Self { store, watch: Some((stopper, pump)), askers, worker: Mutex::default(), info })
    }

    /// Lists the helpers that run now, without a watch: nothing that starts or ends later is seen. It says what a watch
    /// could know here if `checks`.
    ///
    /// # Errors
    /// The helpers cannot be seen here.
    pub fn list(options: Options, checks: bool) -> Result<Self, NotWatched> {
        let helpers = list::running().map_err(|why| match why {
            NotListed::PidNamespace(knowledge) => not_watched(&knowledge, None),
            NotListed::Hidden => NotWatched { states: vec![hidden()], error: None },
        })?;
        let (info, first_id) = options.info();
        let source = Source::List(if checks { states(&list::check()) } else { Vec::new() });
        let store = Arc::new(Store::new(source, &info, first_id, options));
        for helper in helpers {
            store.started(&helper, pump::start_time(&helper));
        }
        store.ended();
        Ok(Self { store, watch: None, askers: Askers::default(), worker: Mutex::default(), info })
    }

    /// Ends the watch, and waits until its last helpers are recorded and its trace instances removed. A second call does
    /// nothing.
    pub fn stop(&self) {
        let Some((stopper, pump)) = &self.watch else { return };
        stopper.stop();
        let pump = pump.lock().unwrap_or_else(PoisonError::into_inner).take();
        if let Some(pump) = pump {
            // It ends as the watch does; a panic of it was told already.
            let _ = pump.join();
        }
    }

    /// The state of the watch.
    pub fn state(&self) -> Option<Box<WatchState>> {
        self.store.snapshot().kernel
    }

    /// Like [`Target::submit`], for a command that has been authorized already.
    pub fn submit_authorized(&self, authorization: Authorization, _id: CallId, done: Completion) {
        if is_quick(authorization.command()) {
            return done.finish(answer::perform(&self.store, None, authorization));
        }
        if matches!(authorization.command(), Command::RequestModule { .. } | Command::Rehearse(_)) {
            return self.ask(authorization, done);
        }
        let mut worker = self.worker.lock().unwrap_or_else(PoisonError::into_inner);
        if worker.is_none() {
            let (sender, jobs) = channel();
            let store = self.store.clone();
            let work = move || answer::work(&store, &jobs);
            let started = spawn_with("khelper-kernel-commands", STACK, work);
            if let Err(e) = started {
                return done
                    .finish(Err(ControlError::Busy(format!("cannot start a thread for commands: {}", io_words(&e)))));
            }
            *worker = Some(sender);
        }
        // The thread ends only when this sender is dropped; a job that is not taken answers with an error.
        if let Some(worker) = &*worker {
            let _ = worker.send(Job { authorization, done });
        }
    }
}

impl HostKernel {
    /// Performs a module request or a rehearsal on a thread of its own: it waits for the helper.
    fn ask(&self, authorization: Authorization, done: Completion) {
        let (store, held) = (self.store.clone(), Arc::new(Mutex::new(Some((authorization, done)))));
        let take = |held: &Mutex<Option<_>>| held.lock().unwrap_or_else(PoisonError::into_inner).take();
        let given = held.clone();
        let work = move || {
            if let Some((authorization, done)) = take(&given) {
                done.finish(answer::perform(&store, None, authorization));
            }
        };
        let started = spawn_with("khelper-request", STACK, work);
        if let Err(e) = started
            && let Some((_, done)) = take(&held)
        {
            done.finish(Err(ControlError::Busy(format!("cannot start a thread for the request: {}", io_words(&e)))));
        }
    }
}

impl Drop for HostKernel {
    fn drop(&mut self) {
        self.stop();
    }
}

impl Target for HostKernel {
    fn info(&self) -> TargetInfo {
        self.info.clone()
    }

    fn submit(&self, by: &Actor, id: CallId, command: Command, done: Completion) {
        match authorize(by.clone(), command) {
            Ok(authorization) => self.submit_authorized(authorization, id, done),
            Err(error) => done.finish(Err(error)),
        }
    }

    /// No command of this target waits for a helper.
    fn cancel(&self, _: CallId) {}

    fn watch(&self, kinds: EventKinds, from: Option<(RunId, Seq)>, capacity: usize, wake: Wake) -> Watch {
        let after = from.map(|(run, seq)| if run == self.info.run { seq } else { 0 });
        watch_of(self.store.subscribe(capacity, kinds, after), wake)
    }
}

/// What is known, in words.
fn states(knowledge: &Knowledge) -> Vec<KnownState> {
    let of = |state: crate::kernel::knowledge::State| KnownState {
        name: state.name.into(),
        known: state.known,
        unknown: state.unknown,
        change: state.change,
    };
    knowledge.states().into_iter().map(of).collect()
}

/// /proc hides the kernel's threads, and so everything that they start.
fn hidden() -> KnownState {
    let words = "what runs: /proc shows this user no process of others (`hidepid=` in proc(5))";
    KnownState { name: "list_hidden".into(), known: "".into(), unknown: words.into(), change: ROOT.into() }
}

fn not_watched(knowledge: &Knowledge, error: Option<SysError>) -> NotWatched {
    NotWatched { states: states(knowledge), error }
}
