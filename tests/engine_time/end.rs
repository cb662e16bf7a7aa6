//! UMH-14: the engine's end, signals and time-outs. Like the kernel, the engine does not end helpers by itself.

use std::thread;
use std::time::Duration;

use khelper::abi::Errno;
use khelper::abi::depth::Depth;
use khelper::abi::record::{Outcome, State};
use khelper::abi::snapshot::Live;
use khelper::abi::wait::WaitMode;
use khelper::engine::{CallOptions, Received};
use khelper::sys::fake::{FOREVER, Script};

use crate::support::*;

fn ids(left: &[Live]) -> Vec<(u64, State)> {
    left.iter().map(|l| (l.id, l.state)).collect()
}

#[test]
fn umh_14_shutdown_waits_for_running_helpers() {
    let host = host(runs(SECOND));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let end = s.spawn(|| engine.shutdown(Duration::from_secs(5)));
        host.wait_for("the end", |now| now.on_clock == 1);
        assert_eq!(engine.request_module("late", true).result, errno(Errno::EBUSY));
        host.advance(SECOND);
        assert_eq!(ids(&end.join().unwrap()), []);
        assert_eq!(join(caller)[0].result, Some(0));
    });
    assert_eq!(engine.enable().unwrap_err().errno, Errno::ESHUTDOWN);
    assert_eq!(engine.request_module("late", true).result, errno(Errno::EBUSY));
}

#[test]
fn umh_14_shutdown_names_the_running_helpers_and_leaves_them_alone() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let end = s.spawn(|| engine.shutdown(Duration::from_secs(5)));
        host.wait_for("the end", |now| now.on_clock == 1);
        host.advance(5 * SECOND);
        assert_eq!(ids(&end.join().unwrap()), [(1, State::Running)]);
        assert_eq!(host.counts().running, 1, "the helper was left alone");
        engine.kill(1, libc::SIGTERM).unwrap();
        assert_eq!(join(caller)[0].result, Some(libc::SIGTERM));
    });
}

#[test]
fn umh_14_readers_do_not_delay_shutdown_and_a_drain_does_not_undo_it() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let drain = s.spawn(|| engine.disable(Depth::Freezing));
        host.wait_for("the drain", |now| now.on_clock == 1);
        assert_eq!(ids(&engine.shutdown(Duration::ZERO)), [(1, State::Running)]);
        host.advance(5 * SECOND);
        assert_eq!(drain.join().unwrap().unwrap_err().errno, Errno::EAGAIN);
        assert_eq!(engine.snapshot().gate, Depth::Disabled);
        kill_holders(&engine);
        join(caller);
    });
    let engine = start(&host);
    let guard = engine.read_trylock().unwrap();
    assert_eq!(ids(&engine.shutdown(Duration::ZERO)), []);
    drop(guard);
    assert_eq!(engine.read_trylock().err(), Some(Errno::EAGAIN));
}

#[test]
fn umh_14_queued_calls_are_launched_before_shutdown_returns() {
    let host = host(Script::default());
    let engine = start(&host);
    host.change(|m| m.hold_workers = true);
    engine.call_usermodehelper(info("/bin/forever"), WaitMode::NoWait);
    scope(&host, |s| {
        let end = s.spawn(|| engine.shutdown(Duration::ZERO));
        host.wait_for("the end", |now| now.on_clock == 1 && now.held == 1);
        host.change(|m| m.hold_workers = false);
        assert_eq!(ids(&end.join().unwrap()), [(1, State::Running)]);
    });
    assert!(!host.launches()[0].capture, "its output goes to /dev/null, because it can outlive the engine");
    host.end_the_world();
}

#[test]
fn umh_14_an_exec_that_hangs_delays_shutdown_for_a_second() {
    let host = host(Script::default());
    host.script("/hung", Script { exec: FOREVER, ..Script::default() });
    let engine = start(&host);
    engine.call_usermodehelper(info("/hung"), WaitMode::NoWait);
    scope(&host, |s| {
        let end = s.spawn(|| engine.shutdown(Duration::ZERO));
        host.wait_for("the end", |now| now.on_clock == 1 && now.executing == 1);
        host.advance(SECOND);
        assert_eq!(ids(&end.join().unwrap()), [(1, State::Queued)]);
    });
    host.end_the_world();
}

#[test]
fn umh_14_queued_calls_are_launched_after_the_last_handle_is_dropped() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    host.change(|m| m.hold_workers = true);
    for _ in 0..3 {
        engine.call_usermodehelper(info("/bin/true"), WaitMode::NoWait);
    }
    drop(engine);
    while !matches!(events.recv(), Received::Closed) {}
    host.change(|m| m.hold_workers = false);
    host.wait_for("what was queued", |now| now.launched == 3);
}

#[test]
fn umh_14_no_signal_is_sent_to_a_reaped_helper() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    let id = engine.call_usermodehelper(info("/bin/forever"), WaitMode::EXEC).id;
    // Exec has succeeded: the pid is known.
    engine.kill(id, libc::SIGKILL).unwrap();
    let end = finished(&events, id);
    assert_eq!((end.outcome, end.status.unwrap().signal()), (Outcome::Killed, Some(9)));
    let gone = engine.kill(id, libc::SIGKILL).unwrap_err();
    assert_eq!((gone.errno, gone.why.as_str()), (Errno::ESRCH, "request 1 has no running helper"));
    // A request that never existed has no record.
    for never in [engine.kill(id + 1, libc::SIGKILL), engine.abandon(id + 1), engine.abandon(0)].map(Result::unwrap_err)
    {
        assert!(never.errno == Errno::ESRCH && never.why.starts_with("there is no request "), "{never:?}");
    }
    // Helpers end while they are signalled.
    let killers: Vec<_> = (0..4)
        .map(|_| {
            let engine = engine.clone();
            thread::spawn(move || {
                for _ in 0..500 {
                    for live in engine.snapshot().running {
                        let _ = engine.kill(live.id, libc::SIGKILL);
                    }
                }
            })
        })
        .collect();
    for _ in 0..500 {
        engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    }
    killers.into_iter().for_each(|k| k.join().unwrap());
    assert_eq!(host.counts().strays, 0);
}

fn timed(seconds: u64) -> CallOptions {
    CallOptions { timeout: Some(Duration::from_secs(seconds)), ..CallOptions::default() }
}

#[test]
fn umh_14_a_time_out_is_term_and_two_seconds_later_kill() {
    let host = host(Script::default());
    host.script("/stubborn", Script { runs: FOREVER, ignores_term: true, ..Script::default() });
    let engine = start(&host);
    scope(&host, |s| {
        for (path, signal, took) in [("/bin/forever", libc::SIGTERM, 3), ("/stubborn", libc::SIGKILL, 5)] {
            let caller = s.spawn(|| engine.call_usermodehelper_with(info(path), WaitMode::PROC, &timed(3)));
            host.wait_for("a helper and its time-out", |now| now.running == 1 && now.on_clock == 1);
            host.advance(3 * SECOND - 1);
            assert_eq!(host.counts().running, 1);
            host.advance(1);
            if signal == libc::SIGKILL {
                host.wait_for("the second look", |now| now.on_clock == 1 && now.signals == 2);
                host.advance(2 * SECOND);
            }
            let record = caller.join().unwrap();
            assert_eq!((record.result, record.timed_out, record.ended_us), (Some(signal), true, Some(took * SECOND)));
            host.wait_for("no time-out", |now| now.on_clock == 0);
        }
        let quick = engine.call_usermodehelper_with(info("/bin/true"), WaitMode::PROC, &timed(3));
        assert_eq!((quick.result, quick.timed_out), (Some(0), false));
    });
}

#[test]
fn umh_14_a_time_out_that_passes_before_there_is_a_process_holds() {
    let host = host(Script::default());
    host.script("/slow/exec", Script { exec: 10 * SECOND, runs: FOREVER, ..Script::default() });
    let engine = start(&host);
    scope(&host, |s| {
        let caller = s.spawn(|| engine.call_usermodehelper_with(info("/slow/exec"), WaitMode::PROC, &timed(1)));
        host.wait_for("exec and the time-out", |now| now.executing == 1 && now.on_clock == 1);
        host.advance(SECOND);
        host.wait_for("nothing to signal", |now| now.on_clock == 0);
        host.advance(9 * SECOND);
        let record = caller.join().unwrap();
        assert_eq!((record.result, record.timed_out), (Some(libc::SIGTERM), true));
    });
}
