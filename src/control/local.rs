//! A target that is an engine of this process. A command that waits for a helper or a drain gets its own thread.
//! Commands that change something or read the file system run in order on one worker thread. Commands that only read
//! memory are answered before `submit` returns.

mod calls;
mod events;
#[cfg(test)]
mod tests;
mod threads;

use std::sync::Arc;
use std::sync::atomic::Ordering;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::ControlError;
use crate::abi::error::io_words;
use crate::abi::event::EventKinds;
use crate::engine::{Cancel, Engine, Subscription};
use crate::sys::thread::spawn_with;

use super::authorize::{Authorization, authorize};
use super::command::Command;
use super::completion::{CallId, Completion};
use super::config::Config;
use super::dispatch::dispatch;
use super::ledger_view::LedgerView;
use super::rules::Live;
use super::target::{LinkState, RunId, Seq, Target, TargetInfo, TargetKind};
use super::watch::{Wake, Watch};
use crate::abi::knob::Key;
use calls::{Calls, Job, Ordered};
use events::Events;
use threads::Queue;

/// The stack of a watch's thread, which only calls its [`Wake`].
const WATCH_STACK: usize = 64 * 1024;

/// An engine of this process, as a target.
pub struct Local {
    engine: Engine,
    name: &'static str,
    run: RunId,
    calls: Arc<Calls>,
    /// The threads for commands that run in order; each is started by the first command that needs it.
    worker: Queue,
    reader: Queue,
    ledger: Queue,
}

/// The thread on which a command is performed.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Lane {
    /// The caller's thread, immediately: the command only reads memory.
    Here,
    /// The caller's thread if the worker is idle, otherwise the worker after its other commands.
    HereInOrder,
    /// The worker, in order.
    Worker,
    /// The thread that reads records, in order.
    Reader,
    /// The thread that reads the ledger, in order.
    Ledger,
    /// A new thread: the command waits for helpers or for a drain.
    Own,
}

/// The gate is written alone, and may drain.
const fn lane_of_write(first: Option<Key>) -> Lane {
    match first {
        Some(Key::Gate) => Lane::Own,
        _ => Lane::Worker,
    }
}

fn lane(command: &Command) -> Lane {
    match command {
        Command::Status | Command::Record(_) | Command::Live { .. } => Lane::Here,
        Command::Get(_) | Command::Knobs(_) => Lane::HereInOrder,
        // Changing the depth waits only for readers of the gate.
        Command::SetDepth(_)
        | Command::Reset(_)
        | Command::ResetLoopMessages
        | Command::Abandon(_)
        | Command::Kill { .. }
        | Command::Chain(_)
        | Command::CheckPath(_)
        | Command::Unpersist(_)
        | Command::WriteKernel(_)
        | Command::Diff => Lane::Worker,
        Command::Write(writes) | Command::Persist(writes) => lane_of_write(writes.first().map(|(key, _)| *key)),
        Command::Configure(settings) => lane_of_write(settings.first().map(|setting| setting.key)),
        Command::Activity(_) | Command::Matching { .. } | Command::Records(_) => Lane::Reader,
        Command::Log(_) | Command::Why(_) => Lane::Ledger,
        Command::Rules => Lane::Reader,
        Command::RequestModule { .. }
        | Command::Call(_)
        | Command::Probe { .. }
        | Command::Rehearse(_)
        | Command::KillChain { .. }
        | Command::Shutdown { .. } => Lane::Own,
    }
}

impl Local {
    /// A target for an engine that has already been started, with the configuration files of the system.
    pub fn new(engine: Engine) -> Self {
        let now = SystemTime::now().duration_since(UNIX_EPOCH).unwrap_or_default();
        let started = u64::try_from(now.as_micros()).unwrap_or(u64::MAX);
        let pid = engine.actor(Origin::Library).pid;
        Self::with_run(engine, RunId { started, pid })
    }

    /// Like [`Local::new`], for an engine whose records have this run in a ledger.
    pub fn with_run(engine: Engine, run: RunId) -> Self {
        let (worker, reader, ledger) = Default::default();
        Self { engine, name: "", run, calls: Arc::default(), worker, reader, ledger }
    }

    /// The same target with other configuration files. Call it before the first command.
    #[must_use]
    pub fn with_config(self, config: Arc<Config>) -> Self {
        let (ledger, rules) = (self.calls.ledger.clone(), self.calls.rules.clone());
        Self { calls: Calls::new(config, ledger, rules), ..self }
    }

    /// The same target with the ledger that its engine writes. Call it before the first command.
    #[must_use]
    pub fn with_ledger(self, ledger: Arc<dyn LedgerView>) -> Self {
        let (config, rules) = (self.calls.config.clone(), self.calls.rules.clone());
        Self { calls: Calls::new(config, Some(ledger), rules), ..self }
    }

    /// The same target with the rules that its engine asks. Call it before the first command.
    #[must_use]
    pub fn with_rules(self, rules: Arc<Live>) -> Self {
        let (config, ledger) = (self.calls.config.clone(), self.calls.ledger.clone());
        Self { calls: Calls::new(config, ledger, Some(rules)), ..self }
    }

    /// The same target with a name ([`TargetInfo::name`]).
    #[must_use]
    pub fn named(self, name: &'static str) -> Self {
        Self { name, ..self }
    }

    /// [`Local::new`] as a shared target, for a console or a command.
    pub fn shared(engine: &Engine) -> Arc<dyn Target> {
        Arc::new(Self::new(engine.clone()))
    }

    /// Like [`Target::submit`], for a command that has been authorized already.
    pub fn submit_authorized(&self, authorization: Authorization, id: CallId, done: Completion) {
        // A forked child has none of the threads, and one of them may have held a lock at fork(2).
        if let Err(error) = self.engine.check_process() {
            return done.finish(Err(error.into()));
        }
        let lane = lane(authorization.command());
        let cancel = Cancel::new();
        if lane == Lane::Own && !self.calls.begin(id, &cancel) {
            return done.finish(Err(ControlError::Busy("another command with this id is in progress".into())));
        }
        let job = Job { authorization, id, cancel, done, order: None };
        match lane {
            Lane::Here => self.perform_here(job),
            Lane::HereInOrder if self.calls.ordered.load(Ordering::Acquire) == 0 => self.perform_here(job),
            Lane::HereInOrder | Lane::Worker => {
                let job = Job { order: Some(Ordered::new(&self.calls)), ..job };
                self.worker.push(&self.engine, &self.calls, threads::start_worker, job);
            }
            Lane::Reader => self.reader.push(&self.engine, &self.calls, threads::start_reader, job),
            Lane::Ledger => self.ledger.push(&self.engine, &self.calls, threads::start_worker, job),
            Lane::Own => threads::start_thread(&self.engine, &self.calls, job),
        }
    }

    /// Performs a command on the caller's thread. A panic reaches the caller.
    fn perform_here(&self, job: Job) {
        let Job { authorization, id, cancel, done, order: _order } = job;
        let reply = dispatch(&self.engine, &self.calls.config, self.calls.rules.as_deref(), authorization, &cancel);
        self.calls.answer(id, done, reply);
    }
}

impl Target for Local {
    fn info(&self) -> TargetInfo {
        let me = self.engine.actor(Origin::Library);
        TargetInfo {
            kind: TargetKind::Embedded,
            name: self.name.to_owned(),
            version: env!("CARGO_PKG_VERSION").to_owned(),
            pid: me.pid,
            uid: me.uid,
            run: self.run,
            link: LinkState::Up,
            known: self.engine.known(),
        }
    }

    fn submit(&self, by: &Actor, id: CallId, command: Command, done: Completion) {
        match authorize(by.clone(), command) {
            Ok(authorization) => self.submit_authorized(authorization, id, done),
            Err(error) => done.finish(Err(error)),
        }
    }

    fn cancel(&self, id: CallId) {
        self.calls.cancel(id);
    }

    fn watch(&self, kinds: EventKinds, from: Option<(RunId, Seq)>, capacity: usize, wake: Wake) -> Watch {
        let events = match from {
            None => self.engine.subscribe_to(capacity, kinds),
            Some((run, seq)) if run == self.run => self.engine.subscribe_after(seq, capacity, kinds),
            // It is a new run: every event of it is new to the caller.
            Some(_) => self.engine.subscribe_after(0, capacity, kinds),
        };
        watch_of(events, wake)
    }
}

/// A watch of these events; a thread calls `wake`.
pub(super) fn watch_of(events: Subscription, wake: Wake) -> Watch {
    let Some(wake) = wake.into_fn() else { return Watch::new(Events::open(events)) };
    let waits = events.clone();
    let work = move || {
        while waits.wait_for_news() {
            wake();
        }
        // The end is something to read too.
        wake();
    };
    match spawn_with("control-watch", WATCH_STACK, work) {
        Ok(_) => Watch::new(Events::open(events)),
        Err(e) => {
            events.close();
            Watch::new(Events {
                events,
                why: Some(format!("cannot start a thread for events: {}", io_words(&e)).into()),
            })
        }
    }
}
