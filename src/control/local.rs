//! The target that is an engine of this process. A command that waits for a helper or for a drain has a thread of its own;
//! one that changes something or reads the file system keeps its order on one worker thread; what only reads memory is
//! answered before `submit` returns.

use std::cell::RefCell;
use std::collections::BTreeMap;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};
use std::thread;
use std::time::{SystemTime, UNIX_EPOCH};

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::{ControlError, EngineError, Stage};
use crate::abi::event::EventKinds;
use crate::engine::{Cancel, Engine, Received, Subscription};

use super::activity::page::PageRequest;
use super::activity::reader::Reader;
use super::authorize::authorize;
use super::command::{Command, Reply};
use super::completion::{CallId, Completion};
use super::dispatch::dispatch_as;
use super::knob::Key;
use super::target::{LinkState, RunId, Seq, Target, TargetInfo, TargetKind};
use super::watch::{EventSource, Wake, Watch, Watched};

/// A request waits on its caller's stack; hooks may run on it. As large as an engine worker's, for the same reason: few of
/// them are kept after a burst.
const STACK: usize = 1024 * 1024;
/// The thread of a watch only calls its [`Wake`].
const WATCH_STACK: usize = 64 * 1024;

/// An engine of this process as a target.
pub struct Local {
    engine: Engine,
    run: RunId,
    calls: Arc<Calls>,
    /// The threads for commands that keep their order; each is started with the first command that needs it.
    worker: Mutex<Option<Sender<Job>>>,
    reader: Mutex<Option<Sender<Job>>>,
}

/// A command on its way.
struct Job {
    by: Actor,
    id: CallId,
    command: Command,
    cancel: Cancel,
    done: Completion,
    /// Held by a command of the worker's.
    _order: Option<Ordered>,
}

/// The commands that have not been answered.
#[derive(Default)]
struct Calls {
    cancels: Mutex<BTreeMap<CallId, Cancel>>,
    /// How many of them wait for the worker, or are performed by it.
    ordered: AtomicUsize,
}

/// Where a command is performed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// At once, on the caller's thread: it reads memory.
    Here,
    /// At once if every command of the worker's is done, else on the worker after them.
    HereInOrder,
    /// On the worker, in order.
    Worker,
    /// On the thread that reads records, in order.
    Reader,
    /// On a thread of its own: it waits for a helper, a drain, or for what runs.
    Own,
}

const fn lane_of_write(writes: &[(Key, Vec<u8>)]) -> Lane {
    match writes {
        [(Key::Gate, _)] => Lane::Own,
        _ => Lane::Worker,
    }
}

fn lane(command: &Command) -> Lane {
    match command {
        Command::Status | Command::Record(_) | Command::Live { .. } => Lane::Here,
        Command::Get(_) => Lane::HereInOrder,
        // Changing the depth waits for readers of the gate alone.
        Command::SetDepth(_)
        | Command::Reset(_)
        | Command::ResetLoopMessages
        | Command::Abandon(_)
        | Command::Kill { .. }
        | Command::Chain(_)
        | Command::CheckPath(_) => Lane::Worker,
        Command::Write(writes) => lane_of_write(writes),
        Command::Activity(_) | Command::Matching { .. } | Command::Records(_) => Lane::Reader,
        Command::RequestModule { .. } | Command::Call(_) | Command::Probe { .. } | Command::Shutdown { .. } => {
            Lane::Own
        }
    }
}

impl Local {
    /// Over this engine, which is started already.
    pub fn new(engine: Engine) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let run = RunId { started, pid: engine.actor(Origin::Library).pid };
        Self { engine, run, calls: Arc::default(), worker: Mutex::default(), reader: Mutex::default() }
    }

    /// The same, to be handed to a console or a command.
    pub fn shared(engine: &Engine) -> Arc<dyn Target> {
        Arc::new(Self::new(engine.clone()))
    }

    /// On the caller's thread, whose panics are the caller's.
    fn perform_here(&self, job: Job) {
        let Job { by, id, command, cancel, done, _order } = job;
        let reply = door(&self.engine, &by, command, &cancel);
        self.calls.answer(id, done, reply);
    }

    /// Gives the job to a thread, which is started if there is none, or none any more after a panic.
    fn queue(&self, thread: &Mutex<Option<Sender<Job>>>, start: fn(&Self) -> io::Result<Sender<Job>>, job: Job) {
        let mut thread = lock(thread);
        let unsent = match thread.as_ref() {
            Some(sender) => match sender.send(job) {
                Ok(()) => return,
                Err(unsent) => unsent.0,
            },
            None => job,
        };
        match start(self) {
            Ok(sender) => {
                // It cannot fail: the thread that was started holds the receiver.
                let _ = sender.send(unsent);
                *thread = Some(sender);
            }
            Err(_) => {
                drop(thread);
                self.calls.answer(unsent.id, unsent.done, Err(no_thread()));
            }
        }
    }

    fn start_worker(&self) -> io::Result<Sender<Job>> {
        let (sender, jobs) = channel::<Job>();
        let (engine, calls) = (self.engine.clone(), self.calls.clone());
        let work = move || jobs.into_iter().for_each(|job| perform(&engine, &calls, job));
        thread::Builder::new().name("control-worker".into()).stack_size(STACK).spawn(work)?;
        Ok(sender)
    }

    /// The reader remembers which records match from one page to the next.
    fn start_reader(&self) -> io::Result<Sender<Job>> {
        let (sender, jobs) = channel::<Job>();
        let (engine, calls) = (self.engine.clone(), self.calls.clone());
        let work = move || {
            let mut reader = Reader::new(engine.clone());
            for job in jobs {
                let Job { by, id, command, cancel, done, _order } = job;
                let read = || match command {
                    Command::Activity(page) => read_page(&engine, &mut reader, &by, page),
                    command => door(&engine, &by, command, &cancel),
                };
                let reply = catch_unwind(AssertUnwindSafe(read)).unwrap_or_else(|_| {
                    reader = Reader::new(engine.clone());
                    Err(panicked("khelper panicked while it read records"))
                });
                calls.answer(id, done, reply);
            }
        };
        thread::Builder::new().name("control-reader".into()).stack_size(STACK).spawn(work)?;
        Ok(sender)
    }

    /// A thread of its own, so that no number of commands that block waits for another. The thread of a command whose
    /// completion submits the next one performs that as well: a batch needs no new thread for each.
    fn start_thread(&self, job: Job) {
        let Some(job) = hand_over(&self.calls, job) else { return };
        let (engine, calls) = (self.engine.clone(), self.calls.clone());
        // The thread takes the job out; it stays here if there is no thread.
        let job = Arc::new(Mutex::new(Some(job)));
        let theirs = job.clone();
        let work = move || {
            let mut next = lock(&theirs).take();
            while let Some(job) = next {
                let Job { by, id, command, cancel, done, _order } = job;
                let reply = act(&engine, &by, command, &cancel);
                ROOM.set(Some(Room { calls: calls.clone(), job: None }));
                calls.answer(id, done, reply);
                next = ROOM.take().and_then(|room| room.job);
            }
        };
        let thread = thread::Builder::new().name("control-request".into()).stack_size(STACK);
        if thread.spawn(work).is_err() {
            let job = lock(&job).take();
            if let Some(job) = job {
                self.calls.answer(job.id, job.done, Err(no_thread()));
            }
        }
    }
}

thread_local! {
    /// While a completion runs on a thread of [`Local::start_thread`]: room for the command that it performs next.
    static ROOM: RefCell<Option<Room>> = const { RefCell::new(None) };
}

struct Room {
    calls: Arc<Calls>,
    job: Option<Job>,
}

/// Gives the job to the calling thread for later, if it has room and is a thread of the same target; else gives it back.
fn hand_over(calls: &Arc<Calls>, job: Job) -> Option<Job> {
    ROOM.with_borrow_mut(|room| match room {
        Some(room) if room.job.is_none() && Arc::ptr_eq(&room.calls, calls) => {
            room.job = Some(job);
            None
        }
        _ => Some(job),
    })
}

impl Target for Local {
    fn info(&self) -> TargetInfo {
        let me = self.engine.actor(Origin::Library);
        TargetInfo {
            kind: TargetKind::Embedded,
            name: String::new(),
            pid: me.pid,
            uid: me.uid,
            run: self.run,
            link: LinkState::Up,
            known: self.engine.known(),
        }
    }

    fn submit(&self, by: &Actor, id: CallId, command: Command, done: Completion) {
        // A forked child has none of the threads, and the locks may be held by one of them.
        if let Err(error) = self.engine.check_process() {
            return done.finish(Err(error.into()));
        }
        let lane = lane(&command);
        let cancel = Cancel::new();
        if lane == Lane::Own && !self.calls.begin(id, &cancel) {
            return done.finish(Err(ControlError::Busy("another command with this number is under way".into())));
        }
        let job = Job { by: by.clone(), id, command, cancel, done, _order: None };
        match lane {
            Lane::Here => self.perform_here(job),
            Lane::HereInOrder if self.calls.ordered.load(Ordering::Acquire) == 0 => self.perform_here(job),
            Lane::HereInOrder | Lane::Worker => {
                let job = Job { _order: Some(Ordered::new(&self.calls)), ..job };
                self.queue(&self.worker, Self::start_worker, job);
            }
            Lane::Reader => self.queue(&self.reader, Self::start_reader, job),
            Lane::Own => self.start_thread(job),
        }
    }

    fn cancel(&self, id: CallId) {
        let cancel = lock(&self.calls.cancels).get(&id).cloned();
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
    }

    fn watch(&self, kinds: EventKinds, from: Option<(RunId, Seq)>, capacity: usize, wake: Wake) -> Watch {
        let events = match from {
            None => self.engine.subscribe_to(capacity, kinds),
            Some((run, seq)) if run == self.run => self.engine.subscribe_after(seq, capacity, kinds),
            // Everything of this run is new.
            Some(_) => self.engine.subscribe_after(0, capacity, kinds),
        };
        let Some(wake) = wake.into_fn() else { return Watch::new(Events::open(events)) };
        let waits = events.clone();
        let work = move || {
            while waits.wait_for_news() {
                wake();
            }
            // The end is news too.
            wake();
        };
        match thread::Builder::new().name("control-watch".into()).stack_size(WATCH_STACK).spawn(work) {
            Ok(_) => Watch::new(Events::open(events)),
            Err(e) => {
                events.close();
                Watch::new(Events { events, why: Some(format!("no thread could be made for events: {e}").into()) })
            }
        }
    }
}

/// A subscription as a watch.
struct Events {
    events: Subscription,
    /// Why it was closed, if not by one side's end.
    why: Option<Arc<str>>,
}

impl Events {
    const fn open(events: Subscription) -> Self {
        Self { events, why: None }
    }

    fn item(&self, received: Received) -> Watched {
        match received {
            Received::Event(event) => Watched::Event(event),
            Received::Missed(missed) => Watched::Missed(missed),
            Received::Closed => Watched::Closed { why: self.why.clone() },
        }
    }
}

impl EventSource for Events {
    fn next(&self) -> Option<Watched> {
        self.events.next().map(|received| self.item(received))
    }
    fn wait(&self) -> Watched {
        self.item(self.events.recv())
    }
    fn close(&self) {
        self.events.close();
    }
}

impl Calls {
    /// Enters a command that can be cancelled; false if the number is in use.
    fn begin(&self, id: CallId, cancel: &Cancel) -> bool {
        use std::collections::btree_map::Entry;
        match lock(&self.cancels).entry(id) {
            Entry::Vacant(free) => {
                free.insert(cancel.clone());
                true
            }
            Entry::Occupied(_) => false,
        }
    }

    /// Takes the command off the list, then answers: whoever reads the answer may use the number again.
    fn answer(&self, id: CallId, done: Completion, reply: Result<Reply, ControlError>) {
        lock(&self.cancels).remove(&id);
        done.finish(reply);
    }
}

/// Counts one command of the worker's, until it is answered or dropped.
struct Ordered(Arc<Calls>);

impl Ordered {
    fn new(calls: &Arc<Calls>) -> Self {
        calls.ordered.fetch_add(1, Ordering::AcqRel);
        Self(calls.clone())
    }
}

impl Drop for Ordered {
    fn drop(&mut self) {
        self.0.ordered.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Authorizes, acts and answers.
fn perform(engine: &Engine, calls: &Calls, job: Job) {
    let Job { by, id, command, cancel, done, _order } = job;
    let reply = act(engine, &by, command, &cancel);
    calls.answer(id, done, reply);
}

/// Authorizes and acts. Nothing of the command is used after a panic, and the engine's locks outlive one.
fn act(engine: &Engine, by: &Actor, command: Command, cancel: &Cancel) -> Result<Reply, ControlError> {
    let act = || door(engine, by, command, cancel);
    let panicked = |_| Err(panicked("khelper panicked while it performed this command"));
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(panicked)
}

/// The one door.
fn door(engine: &Engine, by: &Actor, command: Command, cancel: &Cancel) -> Result<Reply, ControlError> {
    dispatch_as(engine, by.clone(), command, cancel)
}

/// A page, through the same door: the thread's reader is only quicker than one that begins anew.
fn read_page(engine: &Engine, reader: &mut Reader, by: &Actor, page: Box<PageRequest>) -> Result<Reply, ControlError> {
    let authorized = authorize(by.clone(), Command::Activity(page))?;
    engine.check_process()?;
    match authorized.command() {
        Command::Activity(page) => Ok(Reply::Activity(Box::new(reader.answer(page)))),
        _ => Ok(Reply::Done),
    }
}

fn no_thread() -> ControlError {
    ControlError::Busy("no thread could be made for this command, and it was not performed".into())
}

fn panicked(why: &'static str) -> ControlError {
    EngineError::new(Stage::Process, Errno::ECANCELED, why, "this is a bug: its message is printed at the end").into()
}

fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
