//! A target that is not an engine: 10,000 records, answers that come late or are held back, a connection that is lost
//! and restored, missed events, a restart. The library uses only its `Target` interface.

use std::collections::VecDeque;
use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Condvar, Mutex, Weak};
use std::thread;
use std::time::{Duration, Instant};

use khelper::abi::actor::Actor;
use khelper::abi::cap::CapMask;
use khelper::abi::error::ControlError;
use khelper::abi::event::{Event, EventKind, EventKinds};
use khelper::abi::knob_value::KnobValue;
use khelper::abi::record::Record;
use khelper::abi::snapshot::Snapshot;
use khelper::control::activity::page::{Anchor, PageRequest, RecordDetail, RecordPage, RecordSummary};
use khelper::control::completion::{CallId, Completion};
use khelper::control::provenance::{Knob, Where};
use khelper::control::target::{LinkState, RunId, Seq, Target, TargetInfo, TargetKind};
use khelper::control::watch::{EventSource, Wake, Watch, Watched};
use khelper::control::{Command, Key, Reply};
use khelper::engine::Engine;
use khelper::sys::fake::{FakeHost, Script};

/// The number of records.
pub const RECORDS: u64 = 10_000;
/// The delay of every answer.
const LATENCY: Duration = Duration::from_millis(200);
pub const NAME: &str = "box";
pub const PID: i32 = 4242;
const WHY: &str = "the cable was cut";

/// An unanswered command, and when it may be answered.
type Call = (Instant, Command, Completion);

pub struct Scripted {
    state: Arc<Mutex<State>>,
    calls: Sender<Call>,
}

struct State {
    link: LinkState,
    run: RunId,
    /// The newest request, and the number of the last event.
    newest: u64,
    seq: Seq,
    template: Arc<Record>,
    /// Answers wait until they are released.
    hold: bool,
    held: Vec<(Command, Completion)>,
    watches: Vec<Follower>,
    /// The names of the commands that came.
    came: Vec<&'static str>,
}

/// A watch, and the event after which it starts.
type Follower = (Weak<Feed>, Option<(RunId, Seq)>);

/// The queue of one watch.
struct Feed {
    queue: Mutex<Queue>,
    changed: Condvar,
    wake: Option<Box<dyn Fn() + Send + Sync>>,
    kinds: EventKinds,
}

struct Queue {
    items: VecDeque<Watched>,
    drained: bool,
}

impl Feed {
    /// Queues an item; wakes the watcher, without the lock, if the queue was empty.
    fn push(&self, item: Watched) {
        let is_news = {
            let mut queue = self.queue.lock().unwrap();
            queue.items.push_back(item);
            std::mem::take(&mut queue.drained)
        };
        self.changed.notify_all();
        if let Some(wake) = self.wake.as_ref().filter(|_| is_news) {
            wake();
        }
    }
}

struct Source(Arc<Feed>);

impl EventSource for Source {
    fn next(&self) -> Option<Watched> {
        let mut queue = self.0.queue.lock().unwrap();
        let item = queue.items.pop_front();
        queue.drained = item.is_none();
        item
    }
    fn wait(&self) -> Watched {
        let mut queue = self.0.queue.lock().unwrap();
        loop {
            if let Some(item) = queue.items.pop_front() {
                return item;
            }
            queue = self.0.changed.wait(queue).unwrap();
        }
    }
    fn close(&self) {
        self.0.push(Watched::Closed { why: None });
    }
}

/// A record as an engine makes it: only the library can construct one.
fn template() -> Arc<Record> {
    let host = FakeHost::new();
    host.script("/sbin/modprobe", Script::default());
    Engine::builder().host(host).start().unwrap().request_module("m", true)
}

impl Scripted {
    /// A connected target; with `hold`, its answers wait for [`Self::release`].
    pub fn new(hold: bool) -> Arc<Self> {
        let state = Arc::new(Mutex::new(State {
            link: LinkState::Up,
            run: RunId { started: 1, pid: PID },
            newest: RECORDS,
            seq: 50_000,
            template: template(),
            hold,
            held: Vec::new(),
            watches: Vec::new(),
            came: Vec::new(),
        }));
        let (calls, late) = channel();
        let answers = state.clone();
        thread::spawn(move || answer_late(&answers, &late));
        Arc::new(Self { state, calls })
    }

    /// Releases the held answers; later ones come in time.
    pub fn release(&self) {
        let held = {
            let mut state = self.state.lock().unwrap();
            state.hold = false;
            std::mem::take(&mut state.held)
        };
        held.into_iter().for_each(|(command, done)| answer(&self.state, &command, done));
    }

    /// Holds back answers from now on.
    pub fn hold(&self) {
        self.state.lock().unwrap().hold = true;
    }

    /// Loses the connection: every open command gets an error, every watch ends.
    pub fn lose(&self) {
        let (held, watches) = {
            let mut state = self.state.lock().unwrap();
            state.link = LinkState::Lost { why: WHY.into() };
            (std::mem::take(&mut state.held), std::mem::take(&mut state.watches))
        };
        held.into_iter().for_each(|(_, done)| done.finish(Err(lost())));
        for feed in watches.iter().filter_map(|(feed, _)| feed.upgrade()) {
            feed.push(Watched::Closed { why: Some(WHY.into()) });
        }
    }

    /// Adds requests without events.
    pub fn goes_on(&self, requests: u64) {
        let mut state = self.state.lock().unwrap();
        state.newest += requests;
        state.seq += 4 * requests;
    }

    /// Restores the connection, of the same run or of another one.
    pub fn comes_back(&self, restarted: bool) {
        let (watches, seq) = {
            let mut state = self.state.lock().unwrap();
            state.link = LinkState::Up;
            if restarted {
                state.run.started += 1;
                (state.newest, state.seq) = (3, 12);
            }
            (state.watches.clone(), state.seq)
        };
        for (feed, from) in watches {
            let seen = from.map(|(_, seq)| seq).filter(|_| !restarted).unwrap_or_default();
            if let Some(feed) = feed.upgrade() {
                feed.push(Watched::Missed(seq.saturating_sub(seen).max(1)));
            }
        }
    }

    /// Overflows the queues of the watches.
    pub fn floods(&self, requests: u64) {
        self.goes_on(requests);
        for feed in self.watches() {
            feed.push(Watched::Missed(4 * requests));
        }
    }

    /// Ends one request, with an event.
    pub fn one_ends(&self) {
        self.goes_on(1);
        let (seq, record) = {
            let state = self.state.lock().unwrap();
            (state.seq, state.record(state.newest))
        };
        let event = Arc::new(Event { seq, at: 0, kind: EventKind::Finished(record) });
        for feed in self.watches().into_iter().filter(|feed| feed.kinds.has(&event.kind)) {
            feed.push(Watched::Event(event.clone()));
        }
    }

    /// The names of the commands that came.
    pub fn came(&self) -> Vec<&'static str> {
        self.state.lock().unwrap().came.clone()
    }

    fn watches(&self) -> Vec<Arc<Feed>> {
        self.state.lock().unwrap().watches.iter().filter_map(|(feed, _)| feed.upgrade()).collect()
    }
}

impl Target for Scripted {
    fn info(&self) -> TargetInfo {
        let state = self.state.lock().unwrap();
        TargetInfo {
            kind: TargetKind::Daemon,
            name: NAME.into(),
            version: String::new(),
            pid: PID,
            uid: 0,
            run: state.run,
            link: state.link.clone(),
            known: CapMask::up_to(40),
        }
    }

    fn submit(&self, _by: &Actor, _id: CallId, command: Command, done: Completion) {
        let is_lost = {
            let mut state = self.state.lock().unwrap();
            state.came.push(name(&command));
            state.link != LinkState::Up
        };
        if is_lost {
            return done.finish(Err(lost()));
        }
        // The thread runs as long as the target exists.
        let _ = self.calls.send((Instant::now() + LATENCY, command, done));
    }

    fn cancel(&self, _id: CallId) {}

    fn watch(&self, kinds: EventKinds, from: Option<(RunId, Seq)>, _capacity: usize, wake: Wake) -> Watch {
        let queue = Mutex::new(Queue { items: VecDeque::new(), drained: true });
        let feed = Arc::new(Feed { queue, changed: Condvar::new(), wake: wake.into_fn(), kinds });
        self.state.lock().unwrap().watches.push((Arc::downgrade(&feed), from));
        Watch::new(Source(feed))
    }
}

fn name(command: &Command) -> &'static str {
    match command {
        Command::Status => "status",
        Command::Activity(_) => "activity",
        Command::RequestModule { .. } => "request",
        Command::Knobs(_) => "knobs",
        Command::Write(_) => "write",
        Command::Shutdown { .. } => "shutdown",
        Command::CheckPath(_) => "check path",
        _ => "another",
    }
}

fn lost() -> ControlError {
    ControlError::Unavailable(format!("no connection: {WHY}"))
}

/// Answers each call when its time has come.
fn answer_late(state: &Mutex<State>, calls: &Receiver<Call>) {
    while let Ok((due, command, done)) = calls.recv() {
        thread::sleep(due.saturating_duration_since(Instant::now()));
        let mut now = state.lock().unwrap();
        match (&now.link, now.hold) {
            (LinkState::Up, true) => now.held.push((command, done)),
            (LinkState::Up, false) => {
                drop(now);
                answer(state, &command, done);
            }
            _ => {
                drop(now);
                done.finish(Err(lost()));
            }
        }
    }
}

fn answer(state: &Mutex<State>, command: &Command, done: Completion) {
    let reply = state.lock().unwrap().reply(command);
    done.finish(reply);
}

impl State {
    fn reply(&mut self, command: &Command) -> Result<Reply, ControlError> {
        Ok(match command {
            Command::Status => Reply::Status(Box::new(self.snapshot())),
            Command::Activity(page) => Reply::Activity(Box::new(self.page(page))),
            Command::RequestModule { .. } => {
                self.newest += 1;
                Reply::Answered(self.record(self.newest))
            }
            Command::Knobs(keys) => {
                let of = |key: Key| KnobValue::Path(format!("{} of {NAME}", key.name()).into_bytes().into());
                Reply::Knobs(keys.iter().map(|key| Knob { key: *key, value: of(*key), from: Where::Default }).collect())
            }
            Command::CheckPath(_) => Reply::Warnings(Vec::new()),
            _ => Reply::Done,
        })
    }

    fn snapshot(&self) -> Snapshot {
        let mut snapshot = Snapshot::unknown(PID, 0, CapMask::up_to(40));
        snapshot.seq = self.seq;
        snapshot.wall = std::time::SystemTime::now();
        snapshot.totals.requests = self.newest;
        snapshot.totals.by_outcome[1] = self.newest;
        snapshot.last = (0..64).map(|n| self.record(self.newest.saturating_sub(n).max(1))).collect();
        snapshot
    }

    fn record(&self, id: u64) -> Arc<Record> {
        let mut record = Record::clone(&self.template);
        record.id = id;
        record.module = Some(format!("m{id}").into_bytes().into());
        Arc::new(record)
    }

    /// The newest record first, for any query.
    fn page(&self, question: &PageRequest) -> RecordPage {
        let matched = usize::try_from(self.newest.min(RECORDS)).unwrap();
        let id_at = |index: usize| self.newest - index as u64;
        let last = matched - 1;
        let at = match question.anchor {
            Anchor::First => 0,
            Anchor::Last => last,
            Anchor::Near { id, index, by } => {
                let here = (0..matched).find(|at| id_at(*at) == id);
                here.unwrap_or(index.min(last)).saturating_add_signed(by).min(last)
            }
        };
        let first = at.saturating_sub(question.around);
        let rows = first..at.saturating_add(question.around + 1).min(matched);
        let detail = RecordDetail { record: self.record(id_at(at)), chain: Vec::new(), chain_now: true };
        RecordPage {
            matched,
            in_rows: matched,
            looked: matched,
            newest: self.newest,
            first,
            rows: rows.map(|index| RecordSummary::of(&self.record(id_at(index)))).collect(),
            at: Some(at),
            detail: Some(Box::new(detail)),
            ..RecordPage::default()
        }
    }
}
