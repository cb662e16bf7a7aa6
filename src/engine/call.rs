//! One live call. Its caller, its worker, the thread that enforces its time-out and any thread that signals it share
//! it; the code here decides which of them owns its end (UMH-3 to UMH-5).

use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::actor::{Actor, ChainLink};
use crate::abi::cap::CapSets;
use crate::abi::error::{EngineError, Stage};
use crate::abi::mask::Masks;
use crate::abi::mutation::{self, Mutation};
use crate::abi::profile::Profile;
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
    /// Whether this is a module request, whose path is the modprobe path at launch (SYS-7).
    pub(super) module: bool,
    /// Whether the call has a time-out.
    timed: bool,
    /// The call's own masks, if any.
    pub(super) own: Option<Masks>,
    /// What the helper is confined to.
    pub(super) profile: Option<Arc<Profile>>,
    /// The requester.
    pub(super) requester: Arc<Actor>,
    pub(super) state: Arc<Monitor<CallState>>,
}

/// The state that the call's lock guards. The worker writes the record; the caller reads the answer.
pub(super) struct CallState {
    /// The record so far.
    pub(super) record: Record,
    /// The worker takes this out to launch, and puts it back. The side that owns the end drops it, which runs
    /// `cleanup`.
    pub(super) info: Option<SubprocessInfo>,
    /// Which side owns the end.
    pub(super) end: End,
    /// The record that the caller gets.
    answer: Option<Arc<Record>>,
    /// The last output of the helper.
    pub(super) tails: Tails,
    /// Set before the helper is reaped. From then on its pid may belong to another process, and is not signalled.
    pub(super) reaped: bool,
    /// A helper that ends before this time is reaped only when its process group has ended, or at this time. Until then
    /// its pid names the group, and KILL reaches the rest of the group (UMH-14). Each signal sets it.
    pub(super) hold_until: Micros,
    /// Set when the record is complete.
    pub(super) over: bool,
}

impl Call {
    pub(super) fn new(how: &How, record: Record, info: SubprocessInfo) -> Arc<Self> {
        let (id, requester) = (record.id, record.actor.clone());
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
        Arc::new(Self {
            id,
            module: how.module,
            timed,
            own: how.own,
            profile: how.profile.clone(),
            requester,
            state: Monitor::new(state),
        })
    }

    /// The record so far, with the output so far.
    pub(super) fn record(&self) -> Arc<Record> {
        let state = self.state.lock();
        let mut record = state.record.clone();
        if record.output.is_none() {
            record.output = state.tails.output().map(Arc::new);
        }
        Arc::new(record)
    }

    /// Waits for the caller (UMH-3, UMH-4). When this returns, `cleanup` has run, unless the worker now owns the end.
    /// In that case `abandoned` has been called under the call's lock, so that its event comes before the end's.
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
        // This side owns the end: `cleanup` runs on this thread, outside every lock, before the gate stops counting the
        // call (UMH-5).
        if let Some(info) = info {
            info.end(&answer);
        }
        answer
    }

    /// Records that exec has succeeded. `enter` adds the record, as it is now, to the registry.
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
            // The caller waits for the end, so waking it now would only cost a switch of threads. The time-out may have
            // expired before there was a process.
            if self.timed {
                self.state.notify();
            }
            return;
        }
        // The caller gets its answer after exec; the record continues (UMH-3).
        let mut answer = state.record.clone();
        answer.result = Some(0);
        if !answer.abandoned {
            state.record.result = Some(0);
        }
        self.complete(state, 0, Arc::new(answer));
    }

    /// Records that the helper has ended. `file` passes the record to the registry; `share` returns one copy of equal
    /// sets.
    pub(super) fn ended(
        &self,
        now: Micros,
        ended: Ended,
        share: impl Fn(CapSets) -> Arc<CapSets>,
        file: impl FnOnce(Arc<Record>),
    ) {
        let mut state = self.state.lock();
        let result = state.end_record(now, ended, share);
        let record = state.close(file);
        if let Some(info) = Self::settle(state, result, &record) {
            info.end(&record);
        }
    }

    /// Wakes the threads that wait for this call.
    pub(super) fn wake(&self) {
        self.state.notify();
    }

    /// Records that no helper was started. `file` passes the record to the registry.
    pub(super) fn failed(&self, now: Micros, failure: Failure, chain: Vec<ChainLink>, file: impl FnOnce(Arc<Record>)) {
        let mut state = self.state.lock();
        let record = &mut state.record;
        record.state = State::Ended;
        record.ended_us = Some(now.saturating_sub(record.at));
        record.outcome = failure.outcome;
        record.fail(&failure.error);
        record.enforced = record.enforced.filter(|_| failure.error.stage != Stage::Process);
        if record.chain.is_empty() {
            record.chain = chain.into();
        }
        let result = -(failure.error.errno as i32);
        if record.wait != WaitMode::NoWait && !record.abandoned {
            record.result = Some(result);
        }
        let record = state.close(file);
        self.complete(state, result, record);
    }

    /// The worker's side of the end (UMH-5): delivers the answer, or runs `cleanup` itself.
    pub(super) fn complete(&self, state: MutexGuard<'_, CallState>, result: i32, answer: Arc<Record>) {
        let info = Self::settle(state, result, &answer);
        self.wake();
        if let Some(info) = info {
            info.end(&answer);
        }
    }

    /// Puts the answer where its caller finds it. Returns what this side has to clean up, if no caller waits any more.
    fn settle(mut state: MutexGuard<'_, CallState>, result: i32, answer: &Arc<Record>) -> Option<SubprocessInfo> {
        match state.end.complete(result) {
            Some(OnComplete::Deliver) => {
                state.answer = Some(answer.clone());
                #[cfg(all(test, khelper_models))]
                super::faults::clean_up_again();
                None
            }
            Some(OnComplete::Cleanup) => state.info.take(),
            None => None,
        }
    }
}

impl CallState {
    /// Completes the record, and passes it to the registry.
    fn close(&mut self, file: impl FnOnce(Arc<Record>)) -> Arc<Record> {
        self.over = true;
        let record = Arc::new(self.record.clone());
        file(record.clone());
        record
    }

    /// Ends the caller's wait early, and returns the caller's answer.
    fn abandon(&mut self) -> Record {
        self.record.abandoned = true;
        self.record.result = Some(-(Errno::EINTR as i32));
        let mut answer = self.record.clone();
        answer.outcome = Outcome::Abandoned;
        let lives = answer
            .pid
            .map_or("the helper is still being started".into(), |pid| format!("the helper (pid {pid}) keeps running"));
        let advice = format!("{lives}, and its end will be reported");
        answer.fail(&EngineError::new(Stage::Cancel, Errno::EINTR, "the caller stopped waiting", advice));
        answer.output = self.tails.output().map(Arc::new);
        answer
    }

    /// Records how the helper ended. Returns the result for a caller that waited for it.
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
            let why = "the helper has ended and its status was lost: the host program reaped it or ignores SIGCHLD";
            let advice = "do not reap the engine's children, and leave SIGCHLD at its default";
            record.fail(&EngineError::new(Stage::Lost, Errno::ECHILD, why, advice));
        }
        // A call that waits only for exec has its result already, unless the outcome of exec was undecided.
        let answered = !matches!(record.wait, WaitMode::Proc { .. }) && self.end.result().is_some();
        if record.wait != WaitMode::NoWait && !answered && !record.abandoned {
            record.result = Some(result);
        }
        result
    }
}
