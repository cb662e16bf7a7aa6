//! Runs one call on its worker: copies the knobs, runs the init hook, narrows the worker, launches, waits, and
//! completes the record.

use std::ffi::CString;
use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use nix::errno::Errno;

use crate::abi::era::Era;
use crate::abi::error::Stage;
use crate::abi::launch_spec::{CapPlan, ChildSetup, Enforcement, LaunchSpec, helper_cgroup};
use crate::abi::mutation::{self, Mutation};
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::WaitMode;
use crate::policy::masks;
use crate::sys::host::{Ended, LaunchFailure, Launched, Worker};

use super::call::Call;
use super::failure::{Failure, exec_failure, failure_of, no_thread, not_confined};
use super::inner::Inner;
use super::narrowing::{Narrowed, NextStep};
use super::signal::OnHost;
use super::sysctl::Values;
use crate::abi::log::{Level, LogKind};
use crate::abi::profile::Profile;
use crate::abi::record::Outcome;

impl Inner {
    /// Serves one call to its end.
    pub(super) fn run(&self, worker: &mut dyn Worker, narrowed: &mut Option<Narrowed>, call: &Arc<Call>) -> NextStep {
        // Copies path and masks under one hold of the lock (SYS-7). Changes made while the call was queued take effect.
        let values = self.sysctl.copy();
        let host = worker.host_sets();
        let plan = if mutation::is(Mutation::MasksNotApplied) {
            CapPlan { bounding: host.bounding.at_most(), inheritable: host.inheritable.at_least() }
        } else {
            masks::plan(&host, values.bset, values.inheritable, call.own)
        };
        if !Narrowed::serves(narrowed, plan) {
            return NextStep::HandOver;
        }
        let Some(mut info) = call.state.lock().info.take() else { return NextStep::Retire };
        let launched = self.prepare(worker, narrowed, call, &values, plan, &mut info).and_then(|image| {
            worker.launch(&image).map_err(|failure| {
                if failure == LaunchFailure::NotConfined {
                    call.state.lock().record.enforced = Some(Enforcement::Refused);
                }
                failure_of(&*self.host, failure, image.path.as_bytes())
            })
        });
        call.state.lock().info = Some(info);
        match launched {
            Ok(launched) => {
                self.started(call, launched);
                let mut watcher = OnHost { call, host: &*self.host, left: Vec::new() };
                let ended = worker.wait(&mut watcher);
                self.log_left_running(call.id, &watcher.left);
                self.ended(call, ended);
            }
            Err(failure) => self.failed(call, failure),
        }
        Narrowed::next_step(narrowed, plan, values.generation, call.own.is_some())
    }

    /// Prepares everything that must be decided before the process exists.
    fn prepare(
        &self,
        worker: &mut dyn Worker,
        narrowed: &mut Option<Narrowed>,
        call: &Call,
        values: &Values,
        plan: CapPlan,
        info: &mut SubprocessInfo,
    ) -> Result<LaunchSpec, Failure> {
        let (path, argv) = self.program(call, values, info)?;
        let mut setup = ChildSetup::new(path, argv, plan, info.envp().to_vec());
        setup.rlimits = self.helper_limits.to_vec();
        let profile = call.profile.clone();
        if let Some(profile) = &profile {
            setup.rlimits.extend(&profile.rlimits);
        }
        run_init(info, &mut setup)?;
        if setup.argv().is_empty() && values.era == Era::Current {
            // The kernel has refused this since 5.18, at the same point: in exec, after the init hook (UMH-2).
            let (why, advice) = ("the call has no arguments, not even argv[0]", "give the program's name as argv[0]");
            return Err(Failure::new(Outcome::ExecFailed, Stage::Path, Errno::EINVAL, why, advice));
        }
        let plan = CapPlan { bounding: setup.bounding(), inheritable: setup.inheritable() };
        let enforced = Narrowed::narrow(narrowed, worker, plan);
        {
            let mut state = call.state.lock();
            state.record.enforced = Some(enforced);
            (state.record.bset, state.record.inheritable) = (values.bset, values.inheritable);
        }
        if enforced == Enforcement::Refused {
            return Err(not_confined());
        }
        let wait = {
            let mut state = call.state.lock();
            state.record.profile = profile.as_ref().map(|profile| profile.name.clone());
            state.record.wait
        };
        let (path, argv) = setup.take_program();
        Ok(LaunchSpec {
            path,
            argv,
            envp: setup.envp,
            stdin: setup.stdin,
            // A helper without a waiting caller can outlive the engine, so its output goes to /dev/null (UMH-14).
            capture: matches!(wait, WaitMode::Proc { .. }),
            rlimits: setup.rlimits,
            cgroup: profile
                .as_ref()
                .and_then(|p| p.cgroup.as_ref())
                .or(self.helper_cgroups.as_ref())
                .map(|below| helper_cgroup(below, call.id)),
            session_keyring: setup.session_keyring,
            wait_loaded: matches!(wait, WaitMode::Exec { .. }),
            no_new_privs: enforced == Enforcement::NoNewPrivs || profile.as_ref().is_some_and(|p| p.no_new_privs),
            profile,
        })
    }

    /// Returns the program and its arguments. A module request uses the current modprobe path (SYS-7).
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
        // Cannot fail: a knob cannot contain a NUL (SYS-6).
        let path = CString::new(&*values.path).map_err(|_| exec_failure(Errno::EINVAL, &values.path))?;
        if let Some(argv0) = argv.first_mut() {
            *argv0 = path.clone();
        }
        Ok((path, argv))
    }

    fn started(&self, call: &Call, launched: Launched) {
        let now = self.now();
        if let Some(profile) = &call.profile {
            self.log(confined(call.id, profile));
        }
        call.started(now, launched, |record| {
            self.registry.lock().started(now, record);
            // Wakes `shutdown`, which waits for queued calls.
            self.registry.notify();
        });
    }

    /// Logs the processes of a helper's group that still run after the helper has ended and they were signalled.
    fn log_left_running(&self, id: u64, left: &[i32]) {
        if left.is_empty() {
            return;
        }
        self.log(LogKind::GroupLeft { id, pids: left.to_vec() });
    }

    fn ended(&self, call: &Call, ended: Ended) {
        let now = self.now();
        call.ended(now, ended, |sets| self.share(sets), |record| self.finish(now, record));
    }

    fn failed(&self, call: &Call, failure: Failure) {
        let now = self.now();
        // The chain is read before the call is locked.
        let chain = match failure.outcome {
            Outcome::Refused => self.chain(&call.requester).links,
            _ => Vec::new(),
        };
        if failure.outcome == Outcome::Refused {
            // Nothing has run with it.
            call.state.lock().record.profile = None;
        }
        call.failed(now, failure, chain, |record| self.finish(now, record));
    }

    /// Ends the call of a worker that panicked, which is a bug in the engine. The caller still gets an answer (UMH-5).
    /// The state of the helper is unknown, and no signal is sent to it from now on.
    pub(super) fn worker_panicked(&self, call: &Call) {
        let mut state = call.state.lock();
        state.reaped = true;
        let (over, launched) = (state.over, state.record.pid.is_some());
        if over {
            // The record is complete, but the caller may not have it yet.
            let (result, record) = (state.record.result.unwrap_or_default(), Arc::new(state.record.clone()));
            call.complete(state, result, record);
        } else if launched {
            drop(state);
            self.ended(call, Ended::default());
        } else {
            drop(state);
            let why = "the worker panicked, which is a bug in khelper";
            let advice = "probably no helper was started; please report this bug";
            self.failed(call, Failure::new(Outcome::ExecFailed, Stage::Process, Errno::ECANCELED, why, advice));
        }
        self.log(LogKind::WorkerPanicked { id: call.id });
    }

    /// Fails a call for which no thread could be started.
    pub(super) fn no_thread(&self, call: &Call, error: &io::Error) {
        self.failed(call, no_thread("a thread for the helper", error));
    }

    /// Refuses a call whose worker no longer has the caller's root directory: a helper must not start outside that
    /// root.
    pub(super) fn root_changed(&self, call: &Call) {
        let why = "the root directory of the process was changed while the call was queued";
        let advice = "nothing was started: make the call again";
        self.failed(call, Failure::new(Outcome::Refused, Stage::Process, Errno::EAGAIN, why, advice));
    }

    /// Fails a call for which no process could be created, or whose process could not execute the program.
    pub(super) fn launch_failed(&self, call: &Call, failure: LaunchFailure) {
        let path = call.state.lock().record.path.clone();
        self.failed(call, failure_of(&*self.host, failure, &path));
    }
}

/// The line of the log about a helper that runs with a profile. All of it is in force: each part was read back before exec.
fn confined(id: u64, profile: &Profile) -> LogKind {
    let parts: Vec<&str> = profile.parts().map(|part| part.name()).collect();
    let text = format!("#{id} runs with profile {} ({}): {}", profile.name, profile.file, parts.join(" "));
    LogKind::Note { level: Level::Info, text: text.into() }
}

fn run_init(info: &mut SubprocessInfo, setup: &mut ChildSetup) -> Result<(), Failure> {
    let Some(init) = info.take_init() else { return Ok(()) };
    let (errno, why) = match catch_unwind(AssertUnwindSafe(|| init(setup))) {
        Ok(Ok(())) => return Ok(()),
        Ok(Err(errno)) => (errno, "the init hook refused to start the helper"),
        Err(_) => (Errno::ECANCELED, "the init hook panicked"),
    };
    Err(Failure::new(Outcome::Refused, Stage::Init, errno, why, "nothing was started: check the call's init hook"))
}
