//! `call_usermodehelper_exec` (UMH-2 to UMH-5): checks a call, queues it, waits, and returns the answer.

use std::ffi::CString;
use std::sync::Arc;
use std::time::Duration;

use nix::errno::Errno;

use crate::abi::era::Era;
use crate::abi::error::{EngineError, Stage};
use crate::abi::log::LogKind;
use crate::abi::profile::Profile;
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;
use crate::policy::completion::{Check, check};
use crate::policy::rules::Wanted;

use super::call::Call;
use super::cancel::Cancel;
use super::failure::no_thread;
use super::hooks;
use super::inner::Inner;
use super::options::{CallOptions, How};
use super::rules::confined_by;
use super::sync::spawn_with;
use super::workers;
use crate::abi::record::{Args, Kind, Outcome, Record, State};

impl Inner {
    /// Makes a call of any helper, from its record to its answer.
    pub(super) fn call_usermodehelper(
        self: &Arc<Self>,
        info: SubprocessInfo,
        wait: WaitMode,
        options: &CallOptions,
    ) -> Arc<Record> {
        let values = self.sysctl.copy_for_request();
        let (mut record, cancel) = self.draft(Kind::Helper, wait, &values, &options.ask);
        record.path = info.path().map_or(&b""[..], |p| p.as_bytes()).into();
        record.args = Args::List(boxed(info.argv()));
        record.env = boxed(info.envp());
        record.own = options.own.map(Box::new);
        let begun = self.begin(&mut record, &cancel);
        options.ask.begins(record.id);
        let judged = begun.and_then(|()| self.not_within()).and_then(|()| self.judge_call(&mut record));
        let judged = judged.and_then(|by_rule| confined_by(by_rule, options.profile.as_ref()));
        let profile = match judged {
            Ok(profile) => profile,
            Err(error) => {
                let record = self.close_without_process(record, Outcome::Refused, Some(&error));
                info.end(&record);
                self.finish(self.now(), record.clone());
                return record;
            }
        };
        let how = How { module: false, own: options.own, profile, timeout: options.timeout, wait };
        self.exec(info, record, &how, values.era, [&cancel, &options.ask.cancel])
    }

    /// A call without a path, or with an empty one, starts nothing: there is nothing to judge.
    fn judge_call(&self, record: &mut Record) -> Result<Option<Arc<Profile>>, EngineError> {
        let path = record.path.clone();
        if path.is_empty() { Ok(None) } else { self.judge_by_rules(Wanted::Helper(&path), record) }
    }

    /// `call_usermodehelper_exec`: consumes `info`. Its cleanup has run once when this returns, unless the worker owns
    /// the end.
    pub(super) fn exec(
        self: &Arc<Self>,
        mut info: SubprocessInfo,
        mut record: Record,
        how: &How,
        era: Era,
        cancels: [&Cancel; 2],
    ) -> Arc<Record> {
        let id = record.id;
        // A call without a path never enters the gate: era 3.4 counts it so briefly that nothing can observe it, and
        // era current does not count it.
        let gate = if info.path().is_some() { self.gate.enter(id) } else { Ok(()) };
        if how.module {
            // The path may have changed while the security hook ran or the request waited for a slot (UMH-2).
            record.path = self.sysctl.path();
        }
        let path = if how.module { Some(&*record.path) } else { info.path().map(|p| p.as_bytes()) };
        let (outcome, error) = match check(era, path, gate) {
            Check::Go => match self.bind_hooks(info) {
                Ok(info) => return self.queue_and_wait(info, record, how, cancels),
                Err((back, e)) => {
                    info = back;
                    let failure = no_thread("a thread for the call's hooks", &e);
                    (failure.outcome, Some(failure.error))
                }
            },
            Check::Noop => (Outcome::Noop, None),
            Check::NoPath => (
                Outcome::Refused,
                Some(EngineError::new(
                    Stage::Path,
                    Errno::EINVAL,
                    "the call has no path",
                    "give the absolute path of the program",
                )),
            ),
            Check::Busy => (
                Outcome::Refused,
                Some(EngineError::new(
                    Stage::Gate,
                    Errno::EBUSY,
                    format!("the gate is {}: no helper is started", self.gate.lock().depth().name()),
                    "enable the gate (khelper.gate=enabled), or wait until it is enabled",
                )),
            ),
        };
        // `cleanup` runs before the gate stops counting the call (UMH-5).
        let record = self.close_without_process(record, outcome, error.as_ref());
        info.end(&record);
        self.gate.leave(id);
        self.finish(self.now(), record.clone());
        record
    }

    /// Makes the hooks of a call run in the state of the calling thread (UMH-10).
    fn bind_hooks(&self, info: SubprocessInfo) -> Result<SubprocessInfo, (SubprocessInfo, std::io::Error)> {
        let detach = info.has_hooks() && !self.initial_state.is_same(&self.host.caller_state());
        hooks::bind_to_caller(info, detach.then(|| self.host.clone()))
    }

    fn queue_and_wait(
        self: &Arc<Self>,
        info: SubprocessInfo,
        mut record: Record,
        how: &How,
        cancels: [&Cancel; 2],
    ) -> Arc<Record> {
        let id = record.id;
        let now = self.now();
        record.state = State::Queued;
        record.queued_us = Some(now.saturating_sub(record.at));
        // A NO_WAIT caller gets the record as it is now.
        let queued = (how.wait == WaitMode::NoWait).then(|| {
            record.result = Some(0);
            Arc::new(record.clone())
        });
        let call = Call::new(how, record, info);
        self.registry.lock().queue(now, call.clone());
        self.submit(&call);
        if let Some(timeout) = how.timeout {
            self.watch(&call, timeout);
        }
        if let Some(queued) = queued {
            // A NO_WAIT call leaves the gate once queued (GATE-3); the worker owns the end.
            self.gate.leave(id);
            return queued;
        }
        self.wait_for_answer(&call, how.wait, cancels)
    }

    /// Submits the call to a worker in the state of this thread: the same capability sets, namespaces, root and so on
    /// (UMH-10).
    fn submit(self: &Arc<Self>, call: &Arc<Call>) {
        let state = self.host.caller_state();
        let submitted = self.pools.submit(state, call.clone(), |pool, state| workers::start(self, pool, state, true));
        if let Err(e) = submitted {
            self.no_thread(call, &e);
        }
    }

    /// Waits for the answer, then leaves the gate.
    fn wait_for_answer(&self, call: &Call, wait: WaitMode, cancels: [&Cancel; 2]) -> Arc<Record> {
        let answer = call.wait_for_answer(wait, cancels, || {
            let now = self.now();
            self.registry.lock().abandoned(now, call.id);
        });
        self.gate.leave(call.id);
        answer
    }

    /// Enforces the call's time-out: TERM when it expires, KILL 2 s later. This needs a separate thread, because no
    /// caller may be waiting.
    fn watch(self: &Arc<Self>, call: &Arc<Call>, timeout: Duration) {
        let (inner, call, id) = (self.clone(), call.clone(), call.id);
        let deadline = self.now().saturating_add(u64::try_from(timeout.as_micros()).unwrap_or(u64::MAX));
        let watch = move || {
            call.watch(inner.host.clock(), deadline, |pid, signal| {
                // An error means that the helper has ended.
                let _ = inner.host.kill(pid, signal as i32);
            });
        };
        let spawned = spawn_with("khelper-timeout", 64 * 1024, watch);
        if let Err(e) = spawned {
            self.log(LogKind::NoTimeout { id, why: e.to_string().into() });
        }
    }
}

/// Converts arguments or environment to the form that a record keeps.
pub(super) fn boxed(strings: &[CString]) -> Arc<[Box<[u8]>]> {
    strings.iter().map(|s| s.as_bytes().into()).collect()
}
