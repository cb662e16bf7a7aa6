//! Ownership of a call's end (UMH-4, UMH-5): the worker completes the call while the caller is cancelled, the call
//! times out, another thread signals the helper, or no caller waits.

use std::sync::Arc;
use std::sync::atomic::{AtomicBool, Ordering};
use std::time::{Duration, SystemTime};

use nix::errno::Errno;
use nix::sys::signal::Signal;

use super::super::call::Call;
use super::super::cancel::Cancel;
use super::super::failure::Failure;
use super::super::options::How;
use super::super::sync::Monitor;
use super::clock::ModelClock;
use super::{Count, explore, explore_many, join, saw, spawn};
use crate::abi::actor::{Actor, Origin};
use crate::abi::error::Stage;
use crate::abi::record::{Kind, Outcome, Record};
use crate::abi::subprocess::SubprocessInfo;
use crate::abi::wait::{WaitMode, WaitStatus};
use crate::policy::completion::End;
use crate::sys::host::{Ended, Launched};

const PID: i32 = 77;

/// A call, with counters of its cleanups, abandonments and filed records.
#[derive(Clone)]
struct Scene {
    call: Arc<Call>,
    wait: WaitMode,
    cleanups: Count,
    abandoned: Count,
    filed: Count,
}

impl Scene {
    fn new(wait: WaitMode, timeout: Option<Duration>) -> Self {
        let cleanups = Count::default();
        let (counted, none): (_, [&str; 0]) = (cleanups.clone(), []);
        super::super::faults::cleanup_is({
            let again = cleanups.clone();
            move || again.up()
        });
        let info = SubprocessInfo::setup(Some(b"/h".to_vec()), none, none).unwrap().cleanup(move |_| counted.up());
        let requester = Arc::new(Actor::new(Origin::Library, 1, 0, 0, b"model"));
        let mut record = Record::new(Kind::Helper, wait, requester, (SystemTime::UNIX_EPOCH, 0));
        record.id = 1;
        let how = How { module: false, own: None, profile: None, timeout, wait };
        Self {
            call: Call::new(&how, record, info),
            wait,
            cleanups,
            abandoned: Count::default(),
            filed: Count::default(),
        }
    }

    /// The worker's side, as in `launch`. The helper runs during `run` and exits with 1.
    fn worker(&self, executes: bool, run: impl FnOnce()) {
        let info = self.call.state.lock().info.take();
        assert!(info.is_some(), "a call that is queued is launched");
        self.call.state.lock().info = info;
        let filed = self.filed.clone();
        if executes {
            self.call.started(0, Launched { pid: PID, not_enforced: Vec::new(), undecided: false }, |_| ());
            run();
            self.call.mark_reaped();
            let ended = Ended { status: Some(WaitStatus::exited(1)), ..Ended::default() };
            self.call.ended(0, ended, Arc::new, |_| filed.up());
            self.call.wake();
        } else {
            let failure = Failure::new(Outcome::ExecFailed, Stage::Exec, Errno::ENOENT, "", "");
            self.call.failed(0, failure, Vec::new(), |_| filed.up());
        }
    }

    /// The caller's side: it gets `truth` if the call had ended, and otherwise `EINTR`.
    fn caller(&self, cancels: [&Cancel; 2], truth: i32) {
        let answer = self.call.wait_for_answer(self.wait, cancels, || self.abandoned.up());
        if self.abandoned.get() == 0 {
            saw("answered");
            assert_eq!((answer.result, self.cleanups.get()), (Some(truth), 1), "the caller has cleaned up");
        } else {
            saw("abandoned");
            assert_eq!((answer.result, answer.outcome), (Some(-(Errno::EINTR as i32)), Outcome::Abandoned));
        }
    }

    /// Checks the counts once every thread has ended.
    fn check_end(&self) {
        let state = self.call.state.lock();
        assert_eq!((self.cleanups.get(), self.filed.get()), (1, 1), "cleanups, records filed");
        assert!(self.abandoned.get() <= 1 && state.info.is_none());
        match state.end {
            End::Completed(_) => assert_eq!(self.abandoned.get(), 0),
            End::Closed => assert_eq!(self.abandoned.get(), usize::from(self.wait != WaitMode::NoWait)),
            End::Waited | End::Unwaited => panic!("the call has not ended"),
        }
    }
}

fn cancelled(wait: WaitMode, executes: bool, truth: i32) {
    let scene = Scene::new(wait, None);
    let cancel = Cancel::new();
    let worker = scene.clone();
    let fires = cancel.clone();
    let threads = [spawn(move || worker.worker(executes, || ())), spawn(move || fires.cancel())];
    scene.caller([&cancel, &Cancel::new()], truth);
    join(threads);
    scene.check_end();
}

fn waited_for() {
    cancelled(WaitMode::PROC, true, 256);
}
fn exec_awaited() {
    cancelled(WaitMode::EXEC, true, 0);
}
fn exec_fails() {
    cancelled(WaitMode::PROC, false, -(Errno::ENOENT as i32));
}
fn not_killable() {
    cancelled(WaitMode::Proc { killable: false }, true, 256);
}

/// Both `Cancel`s of a request fire at the same time, while the worker completes the call.
fn cancelled_twice() {
    let scene = Scene::new(WaitMode::PROC, None);
    let cancels = [Cancel::new(), Cancel::new()];
    let worker = scene.clone();
    let [a, b] = cancels.clone();
    let threads = [spawn(move || worker.worker(true, || ())), spawn(move || a.cancel()), spawn(move || b.cancel())];
    scene.caller([&cancels[0], &cancels[1]], 256);
    join(threads);
    scene.check_end();
}

/// No caller waits: the worker owns the end, while another thread signals the helper.
fn no_caller_waits() {
    let scene = Scene::new(WaitMode::NoWait, None);
    let alive = Arc::new(AtomicBool::new(true));
    let (worker, reaped) = (scene.clone(), alive.clone());
    let worker = spawn(move || {
        worker.worker(true, || ());
        reaped.store(false, Ordering::Relaxed);
    });
    let killed = scene.call.signal(0, libc::SIGTERM, |pid| {
        assert!(pid == PID && alive.load(Ordering::Relaxed));
        Ok::<_, ()>(pid)
    });
    saw(if killed.is_some() { "signalled" } else { "nothing to signal" });
    join([worker]);
    assert!(scene.call.signal(0, libc::SIGTERM, Ok::<_, ()>).is_none(), "reaped");
    scene.check_end();
}

/// The call times out: the helper survives TERM, and KILL ends it. No signal reaches another process.
fn time_runs_out() {
    let scene = Scene::new(WaitMode::PROC, Some(Duration::from_micros(1)));
    let clock = ModelClock::default();
    let killed = Monitor::new(false);
    let (worker, dies) = (scene.clone(), killed.clone());
    let (watched, its_clock) = (scene.call.clone(), clock.clone());
    let threads = [
        spawn(move || {
            worker.worker(true, || {
                let mut killed = dies.lock();
                while !*killed {
                    killed = dies.wait(killed);
                }
            });
        }),
        spawn(move || {
            watched.watch(&its_clock, 1, |pid, signal| {
                assert_eq!(pid, PID);
                *killed.lock() = signal == Signal::SIGKILL;
                killed.notify();
            });
        }),
    ];
    clock.advance(2_000_001);
    scene.caller([&Cancel::new(), &Cancel::new()], 256);
    join(threads);
    assert!(scene.call.record().timed_out);
    scene.check_end();
}

/// The time-out expires while the helper ends: the watching thread stops, and signals no reaped pid.
fn time_runs_out_at_the_end() {
    let scene = Scene::new(WaitMode::EXEC, Some(Duration::from_micros(1)));
    let clock = ModelClock::default();
    let alive = Arc::new(AtomicBool::new(true));
    let worker = scene.clone();
    let (watched, its_clock, its_life) = (scene.call.clone(), clock.clone(), alive.clone());
    let threads = [
        spawn(move || {
            worker.worker(true, || ());
            alive.store(false, Ordering::Relaxed);
        }),
        spawn(move || watched.watch(&its_clock, 1, |_, _| assert!(its_life.load(Ordering::Relaxed)))),
        spawn(move || clock.advance(1)),
    ];
    scene.caller([&Cancel::new(), &Cancel::new()], 0);
    join(threads);
    saw(if scene.call.record().timed_out { "timed out" } else { "in time" });
    scene.check_end();
}

#[test]
fn model_umh_4_a_cancelled_caller_gets_the_truth_or_leaves() {
    explore("call, WAIT_PROC, completed and cancelled", waited_for, &["abandoned", "answered"]);
    explore("call, WAIT_EXEC, completed and cancelled", exec_awaited, &["abandoned", "answered"]);
    explore("call, exec fails and cancelled", exec_fails, &["abandoned", "answered"]);
    explore("call, not killable, cancelled", not_killable, &["answered"]);
    explore_many("call, cancelled twice", cancelled_twice, &["abandoned", "answered"]);
}

#[test]
fn model_umh_5_exactly_one_side_owns_the_end() {
    explore("call, NO_WAIT and killed", no_caller_waits, &["nothing to signal", "signalled"]);
}

#[test]
fn model_umh_14_time_runs_out_and_no_stranger_is_signalled() {
    explore_many("call, time runs out", time_runs_out, &["answered"]);
    explore_many("call, time runs out at the end", time_runs_out_at_the_end, &["answered", "in time", "timed out"]);
}

#[test]
fn model_faults_of_a_call_are_found() {
    use super::super::faults::Fault;
    let test = "model_umh_4_a_cancelled_caller_gets_the_truth_or_leaves";
    super::finds(Fault::LostWakeUp, module_path!(), test, "deadlock");
    super::finds(Fault::CleanupTwice, module_path!(), test, "the caller has cleaned up");
}
