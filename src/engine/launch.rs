//! One call on its worker: copy the knobs, cut the sets, run the init hook, launch, wait, close the record.

use std::borrow::Cow;
use std::ffi::CString;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::birth::{Birth, Enforcement, Image, SessionKeyring, SetsPlan};
use crate::abi::error::{EngineError, Explain, Stage, SysError};
use crate::abi::mutation::{self, Mutation};
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;
use crate::policy::masks;
use crate::sys::host::{Ended, LaunchFailure, Launched, Worker};

use super::call::Call;
use super::cut::{Cut, Fate};
use super::event::Level;
use super::inner::Inner;
use super::loading::image_error;
use super::record::{Outcome, exec_error};
use super::sysctl::Values;

/// A call that came to nothing before its program ran.
pub(super) struct Failure {
    pub(super) outcome: Outcome,
    pub(super) error: EngineError,
}

impl Failure {
    pub(super) fn new(
        outcome: Outcome,
        stage: Stage,
        errno: Errno,
        why: impl Into<String>,
        advice: impl Into<Cow<'static, str>>,
    ) -> Self {
        Self { outcome, error: EngineError::new(stage, errno, why, advice) }
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
        if !Cut::serves(cut, plan) {
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
        Cut::fate(cut, plan, values.generation, call.own.is_some())
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
        let enforced = Cut::narrow(cut, worker, plan);
        {
            let mut state = call.state.lock();
            state.record.enforced = Some(enforced);
            (state.record.bset, state.record.inheritable) = (values.bset, values.inheritable);
        }
        if enforced == Enforcement::Refused {
            let why = "the masks can be enforced neither by cutting the bounding set nor by no_new_privs";
            let advice = "nothing was started: see what forbids capset(2) here, a seccomp filter most likely";
            return Err(Failure::new(Outcome::Refused, Stage::Enforce, Errno::EPERM, why, advice));
        }
        let wait = call.state.lock().record.wait;
        Ok(Image {
            path,
            argv,
            envp: birth.envp,
            stdin: birth.stdin,
            // A helper that nobody waited for can outlive the engine: it gets /dev/null (UMH-14).
            capture: matches!(wait, WaitMode::Proc { .. }),
            rlimits: birth.rlimits,
            keyring: SessionKeyring::New,
            wait_loaded: matches!(wait, WaitMode::Exec { .. }),
            no_new_privs: enforced == Enforcement::NoNewPrivs,
        })
    }

    /// The program and its arguments; for a module request the path as it is now (SYS-7).
    fn program(&self, call: &Call, values: &Values, info: &SubprocessInfo) -> Result<(CString, Vec<CString>), Failure> {
        let mut argv = info.argv().to_vec();
        if !call.module {
            let path = info.path().cloned().ok_or_else(|| exec_failure(Errno::ENOENT, b""))?;
            return Ok((path, argv));
        }
        call.state.lock().record.path = values.path.clone();
        if values.path.is_empty() {
            return Err(exec_failure(Errno::ENOENT, b""));
        }
        // A knob cannot hold a NUL (SYS-6).
        let path = CString::new(&*values.path).map_err(|_| exec_failure(Errno::EINVAL, &values.path))?;
        if let Some(argv0) = argv.first_mut() {
            *argv0 = path.clone();
        }
        Ok((path, argv))
    }

    fn started(&self, call: &Call, launched: Launched) {
        let now = self.now();
        call.started(now, launched, |pid| {
            self.books.lock().started(now, call.id, pid);
            // For `shutdown`, which waits for what is queued.
            self.books.notify();
        });
    }

    fn ended(&self, call: &Call, ended: Ended) {
        let now = self.now();
        call.ended(now, ended, |sets| self.share(sets), |record| self.finish(now, record));
    }

    fn failed(&self, call: &Call, failure: Failure) {
        let now = self.now();
        let chain = match failure.outcome {
            Outcome::Refused => self.chain(call.requester),
            _ => Vec::new(),
        };
        call.failed(now, failure, chain, |record| self.finish(now, record));
    }

    /// A defect of the engine's own: its worker panicked. Nobody waits for ever because of it (UMH-5); what is known of
    /// the helper is lost, and from here on nobody signals it.
    pub(super) fn broken(&self, call: &Call) {
        let mut state = call.state.lock();
        state.reaped = true;
        let (over, launched) = (state.over, state.record.pid.is_some());
        if over {
            // Its record is whole; only its caller may not have it.
            let (result, record) = (state.record.result.unwrap_or_default(), Arc::new(state.record.clone()));
            call.complete(state, result, record);
        } else if launched {
            drop(state);
            self.ended(call, Ended::default());
        } else {
            drop(state);
            let why = "the worker panicked: a defect of the engine";
            let advice = "nothing is known to have been started";
            self.failed(call, Failure::new(Outcome::ExecFailed, Stage::Process, Errno::ECANCELED, why, advice));
        }
        self.log(Level::Error, format!("the worker of request {} panicked: a defect of the engine", call.id));
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
        Err(_) => (Errno::ECANCELED, "the init hook panicked"),
    };
    Err(Failure::new(Outcome::Refused, Stage::Init, errno, why, "nothing was started: ask whoever set the hook"))
}

fn failure_of(failure: LaunchFailure, path: &[u8]) -> Failure {
    match failure {
        LaunchFailure::Exec(errno) => exec_failure(errno, path),
        LaunchFailure::Image(flaw) => Failure { outcome: Outcome::ExecFailed, error: image_error(flaw, path) },
        LaunchFailure::Process(e) => Failure { outcome: Outcome::ExecFailed, error: no_process(&e) },
    }
}

/// No process could be made.
pub(super) fn no_process(e: &SysError) -> EngineError {
    let why = format!("no process could be made: {}: {}", e.what, e.errno.desc());
    EngineError::new(Stage::Process, e.errno, why, e.advice())
}

fn exec_failure(errno: Errno, path: &[u8]) -> Failure {
    Failure { outcome: Outcome::ExecFailed, error: exec_error(errno, path) }
}
