//! GATE: disable and drain, the read side, the depth.

use std::thread;
use std::time::Duration;

use khelper::abi::Errno;
use khelper::abi::depth::Depth;
use khelper::abi::event::EventKind;
use khelper::abi::record::{Outcome, State};
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;
use khelper::sys::fake::{FOREVER, Script};

use crate::at_gate::{answer_of, at_gate};
use crate::support::*;

fn depth(engine: &Engine) -> Depth {
    engine.snapshot().gate
}

#[test]
fn gate_1_enabled_once_the_engine_is_ready() {
    let engine = start(&host(Script::default()));
    assert_eq!(depth(&engine), Depth::Enabled);
}

#[test]
fn gate_2_a_drain_succeeds_when_the_last_helper_ends() {
    let host = host(runs(SECOND));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let drain = s.spawn(|| engine.disable(Depth::Disabled));
        host.wait_for("the drain", |now| now.on_clock == 1);
        assert_eq!((depth(&engine), engine.snapshot().draining), (Depth::Disabled, true));
        // No call is admitted meanwhile.
        for wait in [WaitMode::NoWait, WaitMode::EXEC, WaitMode::PROC] {
            let refused = engine.call_usermodehelper(info("/bin/true"), wait);
            assert_eq!((refused.result, refused.outcome), (errno(Errno::EBUSY), Outcome::Refused));
        }
        host.advance(SECOND);
        assert_eq!(drain.join().unwrap(), Ok(()));
        assert_eq!(join(caller)[0].result, Some(0));
    });
    let now = engine.snapshot();
    assert_eq!((now.gate, now.draining, now.running_helpers), (Depth::Disabled, false, 0));
    assert_eq!((host.counts().launched, now.totals.refused_gate), (1, 3));
}

#[test]
fn gate_2_a_drain_gives_up_after_five_seconds_and_the_gate_is_open_again() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let pid = host.launches()[0].pid;
        for before in [Depth::Enabled, Depth::Freezing] {
            engine.set_depth(before).unwrap();
            let events = subscribe(&engine);
            let drain = s.spawn(|| engine.disable(Depth::Freezing));
            host.wait_for("the drain", |now| now.on_clock == 1);
            host.advance(5 * SECOND - 1);
            assert_eq!(depth(&engine), Depth::Freezing);
            host.advance(1);
            let error = drain.join().unwrap().unwrap_err();
            assert_eq!(error.errno, Errno::EAGAIN);
            assert!(error.why.contains(&format!("#1 dummy (pid {pid})")), "{error}");
            assert_eq!(depth(&engine), Depth::Enabled, "whatever the depth was before");
            let held_out = |e: &EventKind| matches!(e, EventKind::DrainFailed { holdouts, .. } if *holdouts == [1]);
            assert_eq!(received(&events).iter().filter(|e| held_out(&e.kind)).count(), 1);
        }
        assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
        kill_holders(&engine);
        join(caller);
    });
}

#[test]
fn gate_2_none_in_flight_is_drained_at_once() {
    let engine = start(&host(Script::default()));
    assert_eq!(engine.disable(Depth::Disabled), Ok(()));
    assert_eq!(engine.disable(Depth::Freezing), Ok(()));
    assert_eq!(depth(&engine), Depth::Freezing);
}

#[test]
fn gate_2_what_cannot_be_disabled() {
    let engine = start(&host(Script::default()));
    assert_eq!(engine.disable(Depth::Enabled).unwrap_err().errno, Errno::EINVAL);
    let guard = engine.read_trylock().unwrap();
    assert_eq!(engine.disable(Depth::Disabled).unwrap_err().errno, Errno::EDEADLK);
    assert_eq!(engine.set_depth(Depth::Disabled).unwrap_err().errno, Errno::EDEADLK);
    drop(guard);
    assert_eq!(engine.disable(Depth::Disabled), Ok(()));
}

#[test]
fn gate_2_a_second_disable_waits_its_turn() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let first = s.spawn(|| engine.disable(Depth::Disabled));
        host.wait_for("the first drain", |now| now.on_clock == 1);
        let (host, engine) = (&host, &engine);
        let second = s.spawn(|| engine.disable(Depth::Freezing));
        at_gate(engine, 2);
        assert_eq!((host.counts().on_clock, depth(engine)), (1, Depth::Disabled), "the second drain has not begun");
        host.advance(5 * SECOND);
        assert_eq!(first.join().unwrap().unwrap_err().errno, Errno::EAGAIN);
        // Its 5 s begin when the first drain has ended.
        host.wait_for("the second drain", |now| now.on_clock == 1);
        assert_eq!(depth(engine), Depth::Freezing);
        host.advance(5 * SECOND);
        assert_eq!(second.join().unwrap().unwrap_err().errno, Errno::EAGAIN);
        kill_holders(engine);
        join(caller);
    });
}

#[test]
fn gate_3_calls_processes_and_queued_are_three_numbers() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    let numbers = || {
        let now = engine.snapshot();
        (now.running_helpers, now.live, now.queued)
    };
    // Answered after exec: counts as a process, not as a call.
    let exec = engine.call_usermodehelper(info("/bin/second"), WaitMode::EXEC);
    host.wait_for("a helper", |now| now.running == 1);
    assert_eq!((exec.result, numbers()), (Some(0), (0, 1, 0)));
    // Answered once queued: counts as queued.
    host.change(|m| m.hold_workers = true);
    let queued = engine.call_usermodehelper(info("/bin/second"), WaitMode::NoWait);
    host.wait_for("a call in the queue", |now| now.held == 1);
    assert_eq!((queued.state, numbers()), (State::Queued, (0, 1, 1)));
    // The drain has succeeded. The queued call may still start; no other call does.
    assert_eq!(engine.disable(Depth::Disabled), Ok(()));
    let refused = engine.call_usermodehelper(info("/bin/true"), WaitMode::NoWait);
    assert_eq!(refused.result, errno(Errno::EBUSY));
    host.change(|m| m.hold_workers = false);
    host.wait_for("both helpers", |now| now.running == 2);
    assert_eq!(numbers(), (0, 2, 0));
    host.advance(SECOND);
    finished(&events, queued.id);
    assert_eq!(host.counts().launched, 2);
}

#[test]
fn gate_3_an_abandoned_call_lets_the_drain_end() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let drain = s.spawn(|| engine.disable(Depth::Disabled));
        host.wait_for("the drain", |now| now.on_clock == 1);
        engine.abandon(1).unwrap();
        assert_eq!(drain.join().unwrap(), Ok(()));
        assert_eq!(join(caller)[0].result, errno(Errno::EINTR));
    });
    assert_eq!(engine.snapshot().live, 1);
}

#[test]
fn gate_4_trylock_is_refused_when_disabled_and_waits_while_freezing() {
    let host = host(Script::default());
    let engine = start(&host);
    engine.set_depth(Depth::Disabled).unwrap();
    assert_eq!(engine.read_trylock().err(), Some(Errno::EAGAIN));
    for (then, expected) in [(Depth::Enabled, None), (Depth::Disabled, Some(Errno::EAGAIN))] {
        engine.set_depth(Depth::Freezing).unwrap();
        let answers = [(); 2].map(|()| answer_of(&engine, |engine| engine.read_trylock().err()));
        at_gate(&engine, 2);
        engine.set_depth(then).unwrap();
        for answer in answers {
            assert_eq!(answer(), expected);
        }
    }
}

#[test]
fn gate_4_lock_wait_returns_the_time_left() {
    let host = host(Script::default());
    let engine = start(&host);
    assert_eq!(engine.read_lock_wait(-1).err(), Some(Errno::EINVAL));
    engine.set_depth(Depth::Freezing).unwrap();
    assert!(engine.read_lock_wait(0).unwrap().is_none());
    let wait = || answer_of(&engine, |engine| engine.read_lock_wait(3_000_000).unwrap().map(|(_guard, left)| left));
    let reader = wait();
    host.wait_for("a reader", |now| now.on_clock == 1);
    host.advance(SECOND);
    engine.set_depth(Depth::Disabled).unwrap();
    host.wait_for("the reader, still", |now| now.on_clock == 1);
    engine.enable().unwrap();
    assert_eq!(reader(), Some(Duration::from_secs(2)));
    engine.set_depth(Depth::Disabled).unwrap();
    let reader = wait();
    host.wait_for("a reader", |now| now.on_clock == 1);
    host.advance(3 * SECOND);
    assert_eq!(reader(), None);
}

#[test]
fn gate_4_a_holder_keeps_the_gate_and_a_writer_goes_before_new_readers() {
    let host = host(Script::default());
    let engine = start(&host);
    let guard = engine.read_trylock().unwrap();
    scope(&host, |s| {
        let writer = s.spawn(|| engine.set_depth(Depth::Disabled));
        // A new reader is refused once the writer waits; the writer may not wait yet at the first attempt.
        let barred = || s.spawn(|| engine.read_lock_wait(0).unwrap().is_none()).join().unwrap();
        while !barred() {
            thread::yield_now();
        }
        assert_eq!(depth(&engine), Depth::Enabled);
        // A launch does not take this lock, and the holder may take it again.
        assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
        drop(engine.read_trylock().unwrap());
        drop(guard);
        assert_eq!(writer.join().unwrap(), Ok(()));
    });
    assert_eq!(depth(&engine), Depth::Disabled);
}

#[test]
fn gate_5_set_depth_does_not_drain() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let events = subscribe(&engine);
        engine.set_depth(Depth::Freezing).unwrap();
        engine.set_depth(Depth::Freezing).unwrap();
        engine.enable().unwrap();
        let changes: Vec<_> = received(&events)
            .iter()
            .map(|e| match e.kind {
                EventKind::GateChanged { from, to, .. } => (from, to),
                ref other => panic!("{other:?}"),
            })
            .collect();
        assert_eq!(changes, [(Depth::Enabled, Depth::Freezing), (Depth::Freezing, Depth::Enabled)]);
        kill_holders(&engine);
        join(caller);
    });
}
