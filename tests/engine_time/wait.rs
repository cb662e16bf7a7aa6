//! UMH-2 to UMH-4, UMH-7, UMH-8: the order of checks, the wait modes, callers that abandon their wait, and helpers that
//! keep running.

use std::sync::Arc;
use std::sync::mpsc::channel;
use std::thread;

use khelper::abi::Errno;
use khelper::abi::cap::CapMask;
use khelper::abi::depth::Depth;
use khelper::abi::error::{Stage, SysError};
use khelper::abi::event::EventKind;
use khelper::abi::record::Record;
use khelper::abi::record::{Outcome, State};
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::{WaitMode, WaitStatus};
use khelper::engine::{CallOptions, Caller, Cancel, Engine, Received};
use khelper::sys::fake::{FOREVER, Script};
use khelper::sys::host::LaunchFailure;

use crate::support::*;

const MODES: [WaitMode; 3] = [WaitMode::NoWait, WaitMode::EXEC, WaitMode::PROC];

#[test]
fn umh_2_order_of_checks_by_era() {
    let nothing: [&str; 0] = [];
    let no_path = || SubprocessInfo::setup(None, nothing, nothing).unwrap();
    let empty = || SubprocessInfo::setup(Some(Vec::new()), nothing, nothing).unwrap();
    for current in [false, true] {
        let host = host(Script::default());
        let engine = if current { start_current(&host) } else { start(&host) };
        for (gate, to_empty) in [
            (Depth::Enabled, (Some(0), Outcome::Noop)),
            (Depth::Disabled, if current { (errno(Errno::EBUSY), Outcome::Refused) } else { (Some(0), Outcome::Noop) }),
        ] {
            engine.set_depth(gate).unwrap();
            for wait in MODES {
                let record = engine.call_usermodehelper(no_path(), wait);
                assert_eq!((record.result, record.stage), (errno(Errno::EINVAL), Some(Stage::Path)));
                let record = engine.call_usermodehelper(empty(), wait);
                assert_eq!((record.result, record.outcome), to_empty, "current: {current}, {gate:?}");
            }
        }
        let now = engine.snapshot();
        assert_eq!((now.running_helpers, now.live_total, host.counts().launched), (0, 0, 0));
    }
}

#[test]
fn umh_2_a_call_without_arguments_is_einval_in_era_current() {
    let nothing: [&str; 0] = [];
    let bare = |path: &str| SubprocessInfo::setup(Some(path.into()), nothing, HELPER_ENV).unwrap();
    for current in [false, true] {
        let host = host(Script::default());
        let engine = if current { start_current(&host) } else { start(&host) };
        let events = subscribe(&engine);
        // The kernel checks this in exec, after the gate and the empty path, and after a NO_WAIT call has returned.
        assert_eq!(engine.call_usermodehelper(bare(""), WaitMode::PROC).outcome, Outcome::Noop);
        engine.set_depth(Depth::Disabled).unwrap();
        assert_eq!(engine.call_usermodehelper(bare("/bin/true"), WaitMode::PROC).result, errno(Errno::EBUSY));
        engine.enable().unwrap();
        for wait in MODES {
            let answer = engine.call_usermodehelper(bare("/bin/true"), wait);
            let end = finished(&events, answer.id);
            let waits = wait != WaitMode::NoWait;
            assert_eq!(answer.result, if current && waits { errno(Errno::EINVAL) } else { Some(0) }, "{wait:?}");
            let (outcome, failed) =
                if current { (Outcome::ExecFailed, Some(Errno::EINVAL)) } else { (Outcome::Exited, None) };
            assert_eq!((end.outcome, end.errno), (outcome, failed), "{wait:?}");
            assert_eq!(end.why().is_some_and(|why| why.contains("argv[0]")), current);
        }
        let (ran, has_run) = channel();
        let hooked = bare("/bin/true").init(move |_| ran.send(()).map_err(|_| Errno::EPIPE));
        engine.call_usermodehelper(hooked, WaitMode::PROC);
        assert!(has_run.recv().is_ok(), "the init hook has run before");
        assert_eq!(host.counts().launched, if current { 0 } else { 4 });
        assert_eq!(engine.snapshot().running_helpers, 0);
    }
}

#[test]
fn umh_3_no_wait_is_answered_once_queued() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    host.change(|m| m.hold_workers = true);
    let answers = ["/no/such", "/bin/false"].map(|p| engine.call_usermodehelper(info(p), WaitMode::NoWait));
    for answer in &answers {
        assert_eq!((answer.result, answer.outcome, answer.state), (Some(0), Outcome::Running, State::Queued));
    }
    host.change(|m| m.hold_workers = false);
    // Only the record shows what happened then.
    let mut ends = [None, None];
    while ends.iter().any(Option::is_none) {
        let Received::Event(event) = events.recv() else { panic!("the engine has ended") };
        if let EventKind::Finished(record) = &event.kind {
            let at = answers.iter().position(|a| a.id == record.id).unwrap();
            ends[at] = Some(record.clone());
        }
    }
    let [failed, exited] = ends.map(Option::unwrap);
    assert_eq!((failed.result, failed.outcome, failed.errno), (Some(0), Outcome::ExecFailed, Some(Errno::ENOENT)));
    assert_eq!((failed.stage, failed.pid, failed.status), (Some(Stage::Exec), None, None));
    assert_eq!((exited.result, exited.status), (Some(0), Some(WaitStatus::exited(1))));
}

#[test]
fn umh_3_wait_exec_returns_after_exec() {
    let host = host(Script::default());
    host.script("/slow/exec", Script { exec: SECOND, runs: FOREVER, ..Script::default() });
    let failure = Some(LaunchFailure::Exec(Errno::EACCES));
    host.script("/slow/failure", Script { exec: SECOND, fails: failure, ..Script::default() });
    let engine = start(&host);
    for (path, expected) in [("/slow/exec", Some(0)), ("/slow/failure", errno(Errno::EACCES))] {
        scope(&host, |s| {
            let caller = s.spawn(|| engine.call_usermodehelper(info(path), WaitMode::EXEC));
            host.wait_for("exec", |now| now.executing == 1);
            assert_eq!(engine.snapshot().running_helpers, 1);
            host.advance(SECOND);
            let record = caller.join().unwrap();
            assert_eq!((record.result, record.status), (expected, None));
            assert_eq!(engine.snapshot().running_helpers, 0);
        });
    }
    assert_eq!(engine.snapshot().live, 1);
}

#[test]
fn umh_3_wait_proc_returns_when_the_helper_has_ended() {
    let host = host(Script::default());
    let engine = start(&host);
    let run = |path| engine.call_usermodehelper(info(path), WaitMode::PROC);
    assert_eq!(run("/bin/true").result, Some(0));
    assert_eq!(run("/bin/false").result, Some(256));
    let failed = run("/no/such");
    assert_eq!((failed.result, failed.outcome, failed.status), (errno(Errno::ENOENT), Outcome::ExecFailed, None));
    assert!(failed.why().as_deref().is_some_and(|w| w.contains("/no/such")));
}

#[test]
fn umh_3_no_process_could_be_made() {
    let host = host(Script::default());
    let failure = LaunchFailure::Process(SysError::new("clone", Errno::ENOMEM));
    host.script("/no/memory", Script { fails: Some(failure), ..Script::default() });
    let engine = start(&host);
    for wait in [WaitMode::EXEC, WaitMode::PROC] {
        let record = engine.call_usermodehelper(info("/no/memory"), wait);
        assert_eq!((record.result, record.stage), (errno(Errno::ENOMEM), Some(Stage::Process)));
        assert_eq!((record.outcome, record.enforced), (Outcome::ExecFailed, None));
        host.change(|m| m.no_worker = Some(Errno::EAGAIN));
        let own = CallOptions { own: Some((!CapMask::EMPTY, !CapMask::EMPTY).into()), ..CallOptions::default() };
        let record = engine.call_usermodehelper_with(info("/bin/true"), wait, &own);
        assert_eq!((record.result, record.stage), (errno(Errno::EAGAIN), Some(Stage::Process)));
        host.change(|m| m.no_worker = None);
    }
    let now = engine.snapshot();
    assert_eq!((now.live, now.queued, now.live_total, now.running_helpers), (0, 0, 0, 0));
}

/// Calls `path` on another thread, with a `Cancel`.
fn cancelled(engine: &Engine, path: &str, wait: WaitMode) -> (Cancel, thread::JoinHandle<Arc<Record>>) {
    let cancel = Cancel::new();
    let options = CallOptions { ask: Caller { cancel: cancel.clone(), ..Caller::default() }, ..CallOptions::default() };
    let (engine, info) = (engine.clone(), info(path));
    (cancel, thread::spawn(move || engine.call_usermodehelper_with(info, wait, &options)))
}

#[test]
fn umh_4_a_cancelled_caller_goes_at_once_and_the_helper_runs_on() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    let (cancel, caller) = cancelled(&engine, "/bin/second", WaitMode::PROC);
    host.wait_for("a helper", |now| now.running == 1);
    cancel.cancel();
    let answer = caller.join().unwrap();
    assert_eq!(
        (answer.result, answer.outcome, answer.stage),
        (errno(Errno::EINTR), Outcome::Abandoned, Some(Stage::Cancel))
    );
    let now = engine.snapshot();
    assert_eq!((now.running_helpers, now.live, now.totals.abandoned), (0, 1, 1));
    assert!(now.running[0].abandoned);
    assert_eq!(engine.abandon(answer.id).unwrap_err().errno, Errno::ESRCH, "no caller waits any more");
    host.advance(SECOND);
    let end = finished(&events, answer.id);
    assert_eq!((end.result, end.outcome, end.abandoned), (errno(Errno::EINTR), Outcome::Exited, true));
    assert_eq!((end.status, end.ended_us), (Some(WaitStatus::exited(0)), Some(SECOND)));
    assert_eq!(engine.snapshot().totals.of(Outcome::Abandoned), 0, "it is counted under its final outcome");
}

#[test]
fn umh_4_a_call_abandoned_while_queued_is_launched_still() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    for wait in [WaitMode::EXEC, WaitMode::PROC] {
        host.change(|m| m.hold_workers = true);
        // A call with its own mask gets a fresh worker, not the idle one of the previous iteration.
        let options = CallOptions { own: Some((!CapMask::EMPTY, !CapMask::EMPTY).into()), ..CallOptions::default() };
        let asked = engine.clone();
        let caller = thread::spawn(move || asked.call_usermodehelper_with(info("/bin/true"), wait, &options));
        host.wait_for("a queued call", |now| now.held == 1);
        let id = engine.snapshot().running[0].id;
        engine.abandon(id).unwrap();
        assert_eq!(caller.join().unwrap().result, errno(Errno::EINTR));
        assert_eq!((engine.snapshot().queued, engine.snapshot().running_helpers), (1, 0));
        host.change(|m| m.hold_workers = false);
        let end = finished(&events, id);
        assert_eq!((end.outcome, end.result), (Outcome::Exited, errno(Errno::EINTR)));
    }
}

#[test]
fn umh_4_a_caller_that_is_not_killable_waits_to_the_end() {
    let host = host(Script::default());
    let engine = start(&host);
    let (cancel, caller) = cancelled(&engine, "/bin/second", WaitMode::Proc { killable: false });
    host.wait_for("a helper", |now| now.running == 1);
    cancel.cancel();
    assert_eq!(engine.abandon(1).unwrap_err().errno, Errno::ESRCH);
    host.advance(SECOND);
    assert_eq!(caller.join().unwrap().result, Some(0));
}

#[test]
fn umh_4_abandon_after_the_answer_is_esrch() {
    let host = host(Script::default());
    let engine = start(&host);
    for wait in [WaitMode::NoWait, WaitMode::EXEC] {
        let id = engine.call_usermodehelper(info("/bin/forever"), wait).id;
        assert_eq!(engine.abandon(id).unwrap_err().errno, Errno::ESRCH, "{wait:?}");
    }
    let ended = engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).id;
    assert_eq!(engine.abandon(ended).unwrap_err().errno, Errno::ESRCH);
    assert_eq!(engine.snapshot().totals.abandoned, 0);
}

#[test]
fn umh_7_two_hundred_sleeping_helpers_and_a_slow_exec_delay_no_call() {
    let host = host(Script::default());
    host.script("/slow/exec", Script { exec: FOREVER, ..Script::default() });
    let engine = start(&host);
    for _ in 0..100 {
        assert_eq!(engine.call_usermodehelper(info("/bin/forever"), WaitMode::NoWait).result, Some(0));
    }
    scope(&host, |s| {
        let all: Vec<_> =
            (0..100).map(|_| s.spawn(|| engine.call_usermodehelper(info("/bin/forever"), WaitMode::PROC))).collect();
        host.wait_for("200 helpers", |now| now.running == 200);
        for live in engine.snapshot().running {
            let _ = engine.abandon(live.id);
        }
        assert!(join(all).iter().all(|r| r.result == errno(Errno::EINTR)));
    });
    engine.call_usermodehelper(info("/slow/exec"), WaitMode::NoWait);
    host.wait_for("the slow exec", |now| now.executing == 1);
    let now = engine.snapshot();
    assert_eq!((now.live, now.running_helpers, now.slots.concurrent), (200, 0, 0));
    assert_eq!(engine.request_module("dummy", true).result, Some(0));
    assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
    host.end_the_world();
}

#[test]
fn umh_8_a_lost_status_is_reported_and_not_guessed() {
    let host = host(Script { status: None, ..Script::default() });
    let engine = start(&host);
    let record = engine.request_module("dummy", true);
    assert_eq!((record.result, record.outcome), (errno(Errno::ECHILD), Outcome::Lost));
    assert_eq!((record.stage, record.status), (Some(Stage::Lost), None));
    assert_eq!(engine.snapshot().slots.concurrent, 0);
}

#[test]
fn umh_8_an_ignored_sigchld_is_an_error_or_is_set_to_default() {
    let host = host(Script::default());
    host.change(|m| m.sigchld_ignored = true);
    let error = Engine::builder().host(host.clone()).start().err().unwrap();
    assert!(error.advice.contains("fix_sigchld"), "{error}");
    let engine = Engine::builder().host(host.clone()).fix_sigchld(true).start().unwrap();
    assert_eq!(engine.request_module("dummy", true).result, Some(0));
}
