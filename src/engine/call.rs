//! One call while it lives: shared by its caller, its worker, who watches its time and whoever kills it. Here they
//! hand its end over to each other (UMH-3 to UMH-5).

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::ChainLink;
use crate::abi::cap::CapSets;
use crate::abi::error::{EngineError, Stage};
use crate::abi::mask::Masks;
use crate::abi::mutation::{self, Mutation};
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;
use crate::policy::completion::{End, OnCancel, OnComplete};
use crate::sys::host::{Ended, Launched, Micros};

use super::cancel::Cancel;
use super::failure::Failure;
use super::loading;
use super::options::How;
use super::output_tail::Tails;
use super::sync::{Monitor, MutexGuard};
use crate::abi::record::{Outcome, Record, State};

/// A call from the queue to the end of its helper.
pub(super) struct Call {
    pub(super) id: u64,
    /// Its path is the modprobe path as it is at launch (SYS-7).
    pub(super) module: bool,
    /// Whether somebody watches for a time-out.
    timed: bool,
    /// Its own masks.
    pub(super) own: Option<Masks>,
    /// The pid of who asked.
    pub(super) requester: i32,
    pub(super) state: Arc<Monitor<CallState>>,
}

/// What its lock guards. The worker writes the record; the caller reads its answer.
pub(super) struct CallState {
    /// The record as it grows.
    pub(super) record: Record,
    /// Taken out by the worker while it launches, and put back; whoever owns the end drops it, which runs `cleanup`.
    pub(super) info: Option<SubprocessInfo>,
    /// Who owns the end.
    pub(super) end: End,
    /// The record as it was when the call was answered.
    answer: Option<Arc<Record>>,
    /// What the helper wrote last.
    pub(super) tails: Tails,
    /// Set before the helper is reaped; from then on its pid may be a stranger's and is not signalled.
    pub(super) reaped: bool,
    /// A helper that ends before this is reaped only when its group is gone or this has come: until then its number is
    /// its group's, and KILL reaches what is left (UMH-14). Set with each signal.
    pub(super) hold_until: Micros,
    /// Set when nothing more will happen.
    pub(super) over: bool,
}

impl Call {
    pub(super) fn new(how: &How, record: Record, info: SubprocessInfo) -> Arc<Self> {
        let (id, requester) = (record.id, record.actor.pid);
        let state = CallState {
            record,
            info: Some(info),
            end: End::new(how.wait != WaitMode::NoWait),
            answer: None,
            tails: Tails::default(),
            reaped: false,
            hold_until: 0,
            over: false,
        };
        let timed = how.timeout.is_some();
        Arc::new(Self { id, module: how.module, timed, own: how.own, requester, state: Monitor::new(state) })
    }

    /// The record as it stands, with the output so far.
    pub(super) fn record(&self) -> Arc<Record> {
        let state = self.state.lock();
        let mut record = state.record.clone();
        if record.output.is_none() {
            record.output = state.tails.output().map(Arc::new);
        }
        Arc::new(record)
    }

    /// The caller's wait (UMH-3, UMH-4). `cleanup` has run when this returns, unless the worker owns the end now:
    /// then `abandoned` has been called, under our lock, so that the end cannot be told before.
    pub(super) fn wait_for_answer(
        &self,
        wait: WaitMode,
        cancels: [&Cancel; 2],
        abandoned: impl FnOnce(),
    ) -> Arc<Record> {
        let _registered = cancels.map(|c| c.register(self.state.clone()));
        let mut state = self.state.lock();
        let answer = loop {
            if state.end.result().is_some()
                && let Some(answer) = state.answer.clone()
            {
                break answer;
            }
            if wait.killable() && cancels.iter().any(|c| c.is_cancelled()) && state.end.cancel() == OnCancel::Abandon {
                let answer = state.abandon();
                abandoned();
                return Arc::new(answer);
            }
            state = self.state.wait(state);
        };
        let info = state.info.take();
        drop(state);
        // We own the end: `cleanup` on this thread, outside of every lock, before the call is uncounted (UMH-5).
        if let Some(info) = info {
            info.end(&answer);
        }
        answer
    }

    /// exec has succeeded; `enter` enters the record, as it is now, in the registry.
    pub(super) fn started(&self, now: Micros, launched: Launched, enter: impl FnOnce(&Record)) {
        let mut state = self.state.lock();
        let record = &mut state.record;
        record.state = State::Running;
        record.pid = Some(launched.pid);
        record.not_enforced = launched.not_enforced.into();
        record.started_us = Some(now.saturating_sub(record.at));
        enter(record);
        if matches!(state.record.wait, WaitMode::Proc { .. }) || launched.undecided {
            drop(state);
            // The caller waits for the end; to wake it now would be a switch of threads for nothing. Only a time-out
            // may have run out before there was a process.
            if self.timed {
                self.state.notify();
            }
            return;
        }
        // Answered once exec is decided; the record goes on (UMH-3).
        let mut answer = state.record.clone();
        answer.result = Some(0);
        if !answer.abandoned {
            state.record.result = Some(0);
        }
        self.complete(state, 0, Arc::new(answer));
    }

    /// The helper is gone; `file` files the record. `share` gives equal sets in one copy.
    pub(super) fn ended(
        &self,
        now: Micros,
        ended: Ended,
        share: impl Fn(CapSets) -> Arc<CapSets>,
        file: impl FnOnce(Arc<Record>),
    ) {
        let mut state = self.state.lock();
        let result = state.end_record(now, ended, share);
        self.close(state, result, file);
    }

    /// There was no helper; `file` files the record.
    pub(super) fn failed(&self, now: Micros, failure: Failure, chain: Vec<ChainLink>, file: impl FnOnce(Arc<Record>)) {
        let mut state = self.state.lock();
        let record = &mut state.record;
        record.state = State::Ended;
        record.ended_us = Some(now.saturating_sub(record.at));
        record.outcome = failure.outcome;
        record.fail(&failure.error);
        record.enforced = record.enforced.filter(|_| failure.error.stage != Stage::Process);
        record.chain = chain.into();
        let result = -(failure.error.errno as i32);
        if record.wait != WaitMode::NoWait && !record.abandoned {
            record.result = Some(result);
        }
        self.close(state, result, file);
    }

    /// The record is whole: into the registry, and to the caller if one waits still.
    fn close(&self, mut state: MutexGuard<'_, CallState>, result: i32, file: impl FnOnce(Arc<Record>)) {
        state.over = true;
        let record = Arc::new(state.record.clone());
        file(record.clone());
        self.complete(state, result, record);
    }

    /// The worker's side of the end (UMH-5): deliver, or run `cleanup` itself.
    pub(super) fn complete(&self, mut state: MutexGuard<'_, CallState>, result: i32, answer: Arc<Record>) {
        let info = match state.end.complete(result) {
            Some(OnComplete::Deliver) => {
                state.answer = Some(answer.clone());
                #[cfg(all(test, khelper_models))]
                super::faults::clean_up_again();
                None
            }
            Some(OnComplete::Cleanup) => state.info.take(),
            None => None,
        };
        drop(state);
        self.state.notify();
        if let Some(info) = info {
            info.end(&answer);
        }
    }
}

impl CallState {
    /// The caller goes: what it is answered.
    fn abandon(&mut self) -> Record {
        self.record.abandoned = true;
        self.record.result = Some(-(Errno::EINTR as i32));
        let mut answer = self.record.clone();
        answer.outcome = Outcome::Abandoned;
        let lives = answer.pid.map_or("it is still launched".into(), |pid| format!("the helper (pid {pid}) lives on"));
        let advice = format!("{lives} and its end will be reported");
        answer.fail(&EngineError::new(Stage::Cancel, Errno::EINTR, "the caller stopped waiting", advice));
        answer.output = self.tails.output().map(Arc::new);
        answer
    }

    /// Enters how the helper ended; the result of a call that waited for it.
    fn end_record(&mut self, now: Micros, ended: Ended, share: impl Fn(CapSets) -> Arc<CapSets>) -> i32 {
        let output = self.tails.output().map(Arc::new);
        let signalled = self.hold_until > 0;
        let record = &mut self.record;
        record.state = State::Ended;
        record.ended_us = Some(now.saturating_sub(record.at));
        record.status = ended.status;
        record.caps = ended.caps.map(&share);
        record.caps_started = ended.caps_started.map(&share);
        record.cpu_us = ended.cpu_us;
        record.max_rss_kib = ended.max_rss_kib;
        record.output = output;
        let result = match ended.status {
            Some(status) if mutation::is(Mutation::StatusShifted) => status.raw() >> 8,
            Some(status) => status.raw(),
            None => -(Errno::ECHILD as i32),
        };
        record.outcome = match ended.status {
            None => Outcome::Lost,
            Some(status) if status.signal().is_some() => Outcome::Killed,
            Some(_) => Outcome::Exited,
        };
        let result = loading::judge(record, ended.loading, signalled, result);
        if ended.status.is_none() {
            let why = "the helper is gone and its status was lost: the host program reaped it or ignores SIGCHLD";
            let advice = "leave the engine's children to it, and SIGCHLD at its default";
            record.fail(&EngineError::new(Stage::Lost, Errno::ECHILD, why, advice));
        }
        // A call that waits for exec alone has its result already, unless that could not be decided.
        let answered = !matches!(record.wait, WaitMode::Proc { .. }) && self.end.result().is_some();
        if record.wait != WaitMode::NoWait && !answered && !record.abandoned {
            record.result = Some(result);
        }
        result
    }
}
