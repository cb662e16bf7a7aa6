//! The commands that have not been answered, and the functions that perform one.

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, Mutex, MutexGuard, PoisonError};

use nix::errno::Errno;

use crate::abi::error::{ControlError, EngineError, Stage};
use crate::abi::sorted::SortedMap;
use crate::control::activity::reader::Reader;
use crate::control::authorize::Authorization;
use crate::control::command::{Command, Reply};
use crate::control::completion::{CallId, Completion};
use crate::control::config::Config;
use crate::control::dispatch::{dispatch, visible};
use crate::control::ledger_view::LedgerView;
use crate::control::rules::Live;
use crate::engine::{Cancel, Engine};

/// A submitted command.
pub(super) struct Job {
    pub(super) authorization: Authorization,
    pub(super) id: CallId,
    pub(super) cancel: Cancel,
    pub(super) done: Completion,
    /// Set for a command of the worker.
    pub(super) order: Option<Ordered>,
}

/// The commands that have not been answered.
#[derive(Default)]
pub(super) struct Calls {
    cancels: Mutex<SortedMap<CallId, Cancel>>,
    /// The number of commands that the worker performs or has in its queue.
    pub(super) ordered: AtomicUsize,
    /// The engine's configuration files.
    pub(super) config: Arc<Config>,
    /// The engine's ledger.
    pub(super) ledger: Option<Arc<dyn LedgerView>>,
    /// The rules that the engine asks.
    pub(super) rules: Option<Arc<Live>>,
}

impl Calls {
    pub(super) fn new(config: Arc<Config>, ledger: Option<Arc<dyn LedgerView>>, rules: Option<Arc<Live>>) -> Arc<Self> {
        Arc::new(Self { config, ledger, rules, ..Self::default() })
    }

    /// Adds a command that can be cancelled. Returns false if the id is in use.
    pub(super) fn begin(&self, id: CallId, cancel: &Cancel) -> bool {
        let mut is_new = false;
        lock(&self.cancels).or_insert(id, || {
            is_new = true;
            cancel.clone()
        });
        is_new
    }

    /// Cancels a command that waits.
    pub(super) fn cancel(&self, id: CallId) {
        let cancel = lock(&self.cancels).get(&id).cloned();
        if let Some(cancel) = cancel {
            cancel.cancel();
        }
    }

    /// Removes the command, then answers it: the receiver of the answer may reuse the id.
    pub(super) fn answer(&self, id: CallId, done: Completion, reply: Result<Reply, ControlError>) {
        lock(&self.cancels).remove(&id);
        done.finish(reply);
    }
}

/// Counts one command of the worker until it is answered or dropped.
pub(super) struct Ordered(Arc<Calls>);

impl Ordered {
    pub(super) fn new(calls: &Arc<Calls>) -> Self {
        calls.ordered.fetch_add(1, Ordering::AcqRel);
        Self(calls.clone())
    }
}

impl Drop for Ordered {
    fn drop(&mut self) {
        self.0.ordered.fetch_sub(1, Ordering::AcqRel);
    }
}

/// Performs a command, then answers it.
pub(super) fn perform(engine: &Engine, calls: &Calls, job: Job) {
    let Job { authorization, id, cancel, done, order: _order } = job;
    let reply = act(engine, calls, authorization, &cancel);
    calls.answer(id, done, reply);
}

/// Performs a command, and turns a panic into an error. Nothing of the command is used after a panic, and the engine's
/// locks stay usable.
pub(super) fn act(
    engine: &Engine,
    calls: &Calls,
    authorization: Authorization,
    cancel: &Cancel,
) -> Result<Reply, ControlError> {
    let act = || match (authorization.command(), &calls.ledger) {
        (Command::Log(question), Some(ledger)) => {
            ledger.log(question).map(|page| visible(Reply::Log(Box::new(page)), authorization.access()))
        }
        (Command::Why(which), Some(ledger)) => {
            ledger.why(which).map(|told| visible(Reply::Why(Box::new(told)), authorization.access()))
        }
        _ => dispatch(engine, &calls.config, calls.rules.as_deref(), authorization, cancel),
    };
    let panicked = |_| Err(panicked("khelper panicked while it performed this command"));
    catch_unwind(AssertUnwindSafe(act)).unwrap_or_else(panicked)
}

/// Performs a command of the reader's thread. A page is read with the thread's own reader, which is faster than a new
/// one.
pub(super) fn read(
    engine: &Engine,
    calls: &Calls,
    (reader, callers): (&mut Reader, &mut Callers),
    authorization: Authorization,
    cancel: &Cancel,
) -> Result<Reply, ControlError> {
    match authorization.command() {
        Command::Activity(page) => {
            engine.check_process()?;
            let who = authorization.actor().pid;
            let page = reader.answer_from(page, callers.newest(who));
            callers.answered(who, page.newest);
            Ok(visible(Reply::Activity(Box::new(page)), authorization.access()))
        }
        Command::Rules if calls.rules.is_some() => {
            engine.check_process()?;
            let view = calls.rules.as_ref().map(|rules| rules.view()).unwrap_or_default();
            Ok(visible(Reply::Rules(Box::new(view)), authorization.access()))
        }
        _ => dispatch(engine, &calls.config, calls.rules.as_deref(), authorization, cancel),
    }
}

/// The newest request in the last page of each process that read one: a page that stands still is about that process's
/// own last page. The processes that read last are kept.
#[derive(Default)]
pub(super) struct Callers(VecDeque<(i32, u64)>);

impl Callers {
    const MOST: usize = 64;

    fn newest(&self, pid: i32) -> Option<u64> {
        self.0.iter().find(|(caller, _)| *caller == pid).map(|(_, newest)| *newest)
    }

    fn answered(&mut self, pid: i32, newest: u64) {
        self.0.retain(|(caller, _)| *caller != pid);
        self.0.push_front((pid, newest));
        self.0.truncate(Self::MOST);
    }
}

pub(super) fn no_thread() -> ControlError {
    ControlError::Busy("cannot start a thread for this command; it was not performed".into())
}

pub(super) fn panicked(why: &'static str) -> ControlError {
    EngineError::new(
        Stage::Process,
        Errno::ECANCELED,
        why,
        "this is a bug: the panic message is printed when khelper exits",
    )
    .into()
}

pub(super) fn lock<T>(mutex: &Mutex<T>) -> MutexGuard<'_, T> {
    mutex.lock().unwrap_or_else(PoisonError::into_inner)
}
