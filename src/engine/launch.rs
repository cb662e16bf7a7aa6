//! One call on its worker: copy the knobs, cut the sets, run the init hook, launch, wait, close the record.

use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::birth::{Birth, Enforcement, Image, SetsPlan};
use crate::abi::error::{Explain, Stage, exec_advice};
use crate::abi::escape::screen;
use crate::abi::mutation::{self, Mutation};
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;
use crate::policy::call::OnComplete;
use crate::policy::masks;
use crate::sys::host::{Ended, LaunchFailure, Launched, Worker};

use super::call::{Call, CallState};
use super::inner::Inner;
use super::record::{Outcome, State};
use super::sysctl::Values;

/// What a worker was cut down to.
#[derive(Clone, Copy)]
pub(super) struct Cut {
    plan: SetsPlan,
    enforced: Enforcement,
}

/// What becomes of the worker.
pub(super) enum Fate {
    /// It can serve calls of this generation.
    Idle(u64),
    /// It was cut for one call alone.
    Retire,
    /// It was cut too far for this call: a fresh one takes it.
    HandOver,
}

/// A call that came to nothing before its program ran.
struct Failure {
    outcome: Outcome,
    stage: Stage,
    errno: Errno,
    why: String,
}

impl Failure {
    fn exec(errno: Errno, path: &[u8]) -> Self {
        let why = format!(
            "`{}` could not be executed: {}; {advice}",
            screen(path),
            errno.desc(),
            advice = exec_advice(errno)
        );
        Self { outcome: Outcome::ExecFailed, stage: Stage::Exec, errno, why }
    }
}

impl Inner {
    /// Serves one call to its end.
    pub(super) fn run(&self, worker: &mut dyn Worker, cut: &mut Option<Cut>, call: &Arc<Call>) -> Fate {
        // One hold of the lock for path and masks (SYS-7): what was changed while the call was queued takes effect.
        let values = self.sysctl.copy();
        let host = worker.host_sets();
        let plan = if mutation::is(Mutation::MasksNotApplied) {
            SetsPlan { bounding: host.bounding, inheritable: host.inheritable }
        } else {
            masks::plan(&host, values.bset, values.inheritable, call.own)
        };
        if cut.is_some_and(|c| !masks::reachable(c.plan, plan)) {
            return Fate::HandOver;
        }
        let Some(mut info) = call.state.lock().info.take() else { return Fate::Retire };
        let launched = self
            .prepare(worker, cut, call, &values, plan, &mut info)
            .and_then(|image| worker.launch(&image).map_err(|failure| failure_of(failure, image.path.as_bytes())));
        call.state.lock().info = Some(info);
        match launched {
            Ok(launched) => {
                self.started(call, launched);
                let ended = worker.wait(&mut call.as_ref());
                self.ended(call, ended);
            }
            Err(failure) => self.failed(call, failure),
        }
        match cut {
            Some(c) if c.plan == plan && call.own.is_none() => Fate::Idle(values.generation),
            _ => Fate::Retire,
        }
    }

    /// Everything that is decided before the process exists.
    fn prepare(
        &self,
        worker: &mut dyn Worker,
        cut: &mut Option<Cut>,
        call: &Call,
        values: &Values,
        plan: SetsPlan,
        info: &mut SubprocessInfo,
    ) -> Result<Image, Failure> {
        let (path, argv) = self.program(call, values, info)?;
        let mut birth = Birth::new(plan.bounding, plan.inheritable, info.envp().to_vec());
        run_init(info, &mut birth)?;
        let plan = SetsPlan { bounding: birth.bounding(), inheritable: birth.inheritable() };
        let enforced = match cut {
            Some(c) if c.plan == plan => c.enforced,
            _ => worker.narrow(&plan),
        };
        *cut = Some(Cut { plan, enforced });
        {
            let mut state = call.state.lock();
            state.record.enforced = Some(enforced);
            (state.record.bset, state.record.inheritable) = (values.bset, values.inheritable);
        }
        if enforced == Enforcement::Refused {
            return Err(Failure {
                outcome: Outcome::Refused,
                stage: Stage::Enforce,
                errno: Errno::EPERM,
                why: "the masks can be enforced neither by cutting the bounding set nor by no_new_privs; nothing was started".into(),
            });
        }
        Ok(Image {
            path,
            argv,
            envp: birth.envp,
            stdin: birth.stdin,
            // A helper that nobody waited for can outlive the engine: it gets /dev/null (UMH-14).
            capture: matches!(call.state.lock().record.wait, WaitMode::Proc { .. }),
            rlimits: birth.rlimits,
            no_new_privs: enforced == Enforcement::NoNewPrivs,
        })
    }

    /// The program and its arguments; for a module request the path as it is now (SYS-7).
    fn program(&self, call: &Call, values: &Values, info: &SubprocessInfo) -> Result<(CString, Vec<CString>), Failure> {
        let mut argv = info.argv().to_vec();
        if !call.module {
            let path = info.path().cloned().ok_or_else(|| Failure::exec(Errno::ENOENT, b""))?;
            return Ok((path, argv));
        }
        call.state.lock().record.path = values.path.clone();
        if values.path.is_empty() {
            return Err(Failure::exec(Errno::ENOENT, b""));
        }
        // A knob cannot hold a NUL (SYS-6).
        let path = CString::new(&*values.path).map_err(|_| Failure::exec(Errno::EINVAL, &values.path))?;
        if let Some(argv0) = argv.first_mut() {
            *argv0 = path.clone();
        }
        Ok((path, argv))
    }

    fn started(&self, call: &Call, launched: Launched) {
        let now = self.now();
        let mut state = call.state.lock();
        let record = &mut state.record;
        record.state = State::Running;
        record.pid = Some(launched.pid);
        record.not_enforced = launched.not_enforced.into();
        record.started_us = Some(now.saturating_sub(record.at));
        self.books.lock().started(now, call.id, launched.pid);
        // For `shutdown`, which waits for what is queued; and for a time-out that ran out before there was a process.
        self.books.notify();
        if matches!(state.record.wait, WaitMode::Proc { .. }) {
            drop(state);
            // The caller waits for the end; to wake it now would be a switch of threads for nothing.
            if call.timed {
                call.state.notify();
            }
            return;
        }
        // Answered once exec is decided; the record goes on (UMH-3).
        let mut answer = state.record.clone();
        answer.result = Some(0);
        if !answer.abandoned {
            state.record.result = Some(0);
        }
        self.complete(call, state, 0, Arc::new(answer));
    }

    fn ended(&self, call: &Call, ended: Ended) {
        let now = self.now();
        let mut state = call.state.lock();
        let output = state.tails.output().map(Arc::new);
        let record = &mut state.record;
        record.state = State::Ended;
        record.ended_us = Some(now.saturating_sub(record.at));
        record.status = ended.status;
        record.caps = ended.caps.map(|sets| self.share(sets));
        record.caps_started = ended.caps_started.map(|sets| self.share(sets));
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
        if ended.status.is_none() {
            record.stage = Some(Stage::Lost);
            record.errno = Some(Errno::ECHILD);
            record.why = Some(
                "the helper is gone and its status was lost: the host program reaped it or ignores SIGCHLD".into(),
            );
        }
        if matches!(record.wait, WaitMode::Proc { .. }) && !record.abandoned {
            record.result = Some(result);
        }
        self.close(call, state, now, result);
    }

    fn failed(&self, call: &Call, failure: Failure) {
        let now = self.now();
        let mut state = call.state.lock();
        let record = &mut state.record;
        record.state = State::Ended;
        record.ended_us = Some(now.saturating_sub(record.at));
        record.outcome = failure.outcome;
        record.stage = Some(failure.stage);
        record.errno = Some(failure.errno);
        record.why = Some(failure.why.into());
        record.enforced = record.enforced.filter(|_| failure.stage != Stage::Process);
        let result = -(failure.errno as i32);
        if record.wait != WaitMode::NoWait && !record.abandoned {
            record.result = Some(result);
        }
        if failure.outcome == Outcome::Refused {
            let pid = record.requester.pid;
            drop(state);
            let chain = self.chain(pid);
            state = call.state.lock();
            state.record.chain = chain.into();
        }
        self.close(call, state, now, result);
    }

    /// The record is whole: into the books, and to the caller if one waits still.
    fn close(&self, call: &Call, mut state: std::sync::MutexGuard<'_, CallState>, now: u64, result: i32) {
        state.over = true;
        let record = Arc::new(state.record.clone());
        self.finish(now, record.clone());
        self.complete(call, state, result, record);
    }

    /// The worker's side of the end (UMH-5): deliver, or run `cleanup` itself.
    fn complete(
        &self,
        call: &Call,
        mut state: std::sync::MutexGuard<'_, CallState>,
        result: i32,
        answer: Arc<super::Record>,
    ) {
        let decision = state.end.complete(result);
        let info = match decision {
            Some(OnComplete::Deliver) => {
                state.answer = Some(answer);
                None
            }
            Some(OnComplete::Cleanup) => state.info.take(),
            None => None,
        };
        drop(state);
        call.state.notify();
        drop(info);
    }

    /// No process could be made, or it could not execute the program.
    pub(super) fn launch_failed(&self, call: &Call, failure: LaunchFailure) {
        let path = call.state.lock().record.path.clone();
        self.failed(call, failure_of(failure, &path));
    }
}

fn run_init(info: &mut SubprocessInfo, birth: &mut Birth) -> Result<(), Failure> {
    let Some(init) = info.take_init() else { return Ok(()) };
    let (errno, why) = match catch_unwind(AssertUnwindSafe(|| init(birth))) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(errno)) => (errno, "the init hook refused to start the helper"),
        Err(_) => (Errno::ECANCELED, "the init hook panicked; nothing was started"),
    };
    Err(Failure { outcome: Outcome::Refused, stage: Stage::Init, errno, why: why.into() })
}

fn failure_of(failure: LaunchFailure, path: &[u8]) -> Failure {
    match failure {
        LaunchFailure::Exec(errno) => Failure::exec(errno, path),
        LaunchFailure::Process(e) => Failure {
            outcome: Outcome::ExecFailed,
            stage: Stage::Process,
            errno: e.errno,
            why: format!("no process could be made: {e}; {}", e.advice()),
        },
    }
}
