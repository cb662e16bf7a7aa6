//! GATE-1, GATE-3, GATE-4, GATE-5.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use khelper::abi::Errno;
use khelper::abi::depth::Depth;
use khelper::abi::error::Explain;
use khelper::abi::event::EventKind;
use khelper::abi::record::{Outcome, State};
use khelper::abi::wait::WaitMode;
use khelper::engine::Engine;

use crate::Barrier;
use crate::at_gate::{answer_of, at_gate};
use crate::common::{Dir, finished, info, run, started, until};

/// Longer than any test takes; each test ends its own waits. In microseconds.
const LONG: i64 = 3_600_000_000;

#[test]
fn gate_1_shut_until_the_engine_is_ready_and_after_its_end() {
    let engine = Engine::start().unwrap();
    let snapshot = engine.snapshot();
    // The first event of its life, and the only one: the gate was shut, and has opened.
    assert_eq!((snapshot.gate, snapshot.seq), (Depth::Enabled, 1));
    assert_eq!(run(&engine, &["/bin/true"]).result, Some(0));
    let events = engine.subscribe(100);
    assert!(engine.shutdown(Duration::ZERO).is_empty());
    until(&events, |kind| {
        matches!(kind, EventKind::GateChanged { from: Depth::Enabled, to: Depth::Disabled, .. }).then_some(())
    });
    assert_eq!(run(&engine, &["/bin/true"]).errno, Some(Errno::EBUSY));
}

#[test]
fn gate_3_calls_processes_and_queued_are_three_numbers() {
    let engine = Engine::start().unwrap();
    let dir = Dir::new();
    let mut barrier = Barrier::new(&dir);
    let script = barrier.script();
    let waits = || info(&["/bin/sh", "-c", &script]);
    let events = engine.subscribe(100);
    let numbers = || {
        let now = engine.snapshot();
        (now.running_helpers, now.live, now.queued)
    };
    // WAIT_EXEC lets go once exec is decided: a process and no call.
    assert_eq!(engine.call_usermodehelper(waits(), WaitMode::EXEC).result, Some(0));
    assert_eq!((started(&events).0, numbers()), (1, (0, 1, 0)));
    // NO_WAIT lets go once queued. Its hook holds it there.
    let (go, held) = channel::<()>();
    let hooked = waits().init(move |_| held.recv().map_err(|_| Errno::ECANCELED));
    let queued = engine.call_usermodehelper(hooked, WaitMode::NoWait);
    assert_eq!((queued.result, queued.state, numbers()), (Some(0), State::Queued, (0, 1, 1)));
    // WAIT_PROC is a call until its caller goes, which lets the drain end at once.
    let caller = {
        let (engine, waits) = (engine.clone(), waits());
        thread::spawn(move || engine.call_usermodehelper(waits, WaitMode::PROC))
    };
    let (id, _) = started(&events);
    assert_eq!((id, numbers()), (3, (1, 2, 1)));
    let drain = {
        let engine = engine.clone();
        thread::spawn(move || engine.disable(Depth::Disabled))
    };
    until(&events, |kind| matches!(kind, EventKind::GateChanged { to: Depth::Disabled, .. }).then_some(()));
    engine.abandon(id).unwrap();
    assert_eq!(caller.join().unwrap().outcome, Outcome::Abandoned);
    assert_eq!((drain.join().unwrap(), numbers()), (Ok(()), (0, 2, 1)));
    // Nothing that comes now is started; what was queued is.
    for wait in [WaitMode::NoWait, WaitMode::EXEC, WaitMode::PROC] {
        assert_eq!(engine.call_usermodehelper(waits(), wait).errno, Some(Errno::EBUSY));
    }
    go.send(()).unwrap();
    assert_eq!((started(&events).0, numbers()), (queued.id, (0, 3, 0)));
    barrier.release(3);
    for _ in 0..3 {
        assert_eq!(finished(&events).status.unwrap().exit_code(), Some(0));
    }
    let totals = engine.snapshot().totals;
    assert_eq!((numbers(), totals.launched, totals.refused_gate), ((0, 0, 0), 3, 3));
}

#[test]
fn gate_4_readers_are_refused_or_wait_by_the_depth() {
    let engine = Engine::start().unwrap();
    assert_eq!(engine.read_lock_wait(-1).err(), Some(Errno::EINVAL));
    engine.set_depth(Depth::Disabled).unwrap();
    assert_eq!(engine.read_trylock().err(), Some(Errno::EAGAIN));
    assert!(engine.read_lock_wait(0).unwrap().is_none());
    engine.set_depth(Depth::Freezing).unwrap();
    let before = Instant::now();
    assert!(engine.read_lock_wait(2_000).unwrap().is_none());
    // The real clock; the engine's has whole microseconds, and so may begin to wait a part of one early.
    assert!(before.elapsed() >= Duration::from_micros(1_999));
    let waits = answer_of(&engine, |engine| engine.read_lock_wait(LONG).unwrap().map(|(_guard, left)| left));
    let tries = answer_of(&engine, |engine| engine.read_trylock().map(drop));
    at_gate(&engine, 2);
    engine.enable().unwrap();
    let left = waits().expect("a guard, with the time that was left");
    assert!(left > Duration::ZERO && left <= Duration::from_micros(LONG.unsigned_abs()), "{left:?}");
    assert_eq!(tries(), Ok(()));
}

#[test]
fn gate_4_a_holder_keeps_the_gate_and_a_writer_goes_before_new_readers() {
    let engine = Engine::start().unwrap();
    let guard = engine.read_trylock().unwrap();
    assert_eq!(engine.disable(Depth::Disabled).unwrap_err().errno(), Errno::EDEADLK, "GATE-2");
    thread::scope(|scope| {
        let writer = scope.spawn(|| engine.set_depth(Depth::Disabled));
        // A new reader gets nothing once the writer waits; it need not be there at the first look.
        let barred = || scope.spawn(|| engine.read_lock_wait(0).unwrap().is_none()).join().unwrap();
        while !barred() {
            thread::yield_now();
        }
        assert_eq!(engine.snapshot().gate, Depth::Enabled);
        assert_eq!(run(&engine, &["/bin/true"]).result, Some(0), "launching never takes this lock");
        drop(engine.read_trylock().unwrap());
        drop(guard);
        assert_eq!(writer.join().unwrap(), Ok(()));
    });
    assert_eq!(engine.snapshot().gate, Depth::Disabled);
}

#[test]
fn gate_5_set_depth_does_not_drain_and_every_change_wakes_every_waiter() {
    let engine = Engine::start().unwrap();
    let dir = Dir::new();
    let mut barrier = Barrier::new(&dir);
    let events = engine.subscribe(100);
    let caller = {
        let (engine, waits) = (engine.clone(), info(&["/bin/sh", "-c", &barrier.script()]));
        thread::spawn(move || engine.call_usermodehelper(waits, WaitMode::PROC))
    };
    started(&events);
    // A call is in, and held: a drain would take its 5 s and give up.
    wakes(&engine, "set_depth", |engine| engine.set_depth(Depth::Disabled).unwrap(), Some(Errno::EAGAIN));
    wakes(&engine, "enable", |engine| engine.enable().unwrap(), None);
    assert_eq!(engine.snapshot().running_helpers, 1, "nothing was drained");
    barrier.release(1);
    assert_eq!(caller.join().unwrap().result, Some(0));
    // Here 3.4 wakes nobody.
    wakes(&engine, "disable", |engine| engine.disable(Depth::Disabled).unwrap(), Some(Errno::EAGAIN));
    engine.enable().unwrap();
    let mut changes = vec![Depth::Enabled];
    until(&events, |kind| match kind {
        EventKind::GateChanged { from, to, .. } => {
            assert_eq!(changes.last(), Some(from));
            changes.push(*to);
            (changes.len() == 8).then_some(())
        }
        EventKind::DrainFailed { .. } => panic!("{kind:?}"),
        _ => None,
    });
    use Depth::{Disabled, Enabled, Freezing};
    assert_eq!(changes, [Enabled, Freezing, Disabled, Freezing, Enabled, Freezing, Disabled, Enabled]);
}

/// Readers that wait at a freezing gate are answered by the change.
fn wakes(engine: &Engine, what: &str, change: impl FnOnce(&Engine), expected: Option<Errno>) {
    engine.set_depth(Depth::Freezing).unwrap();
    let answers = [(); 3].map(|()| answer_of(engine, |engine| engine.read_trylock().err()));
    at_gate(engine, 3);
    change(engine);
    for answer in answers {
        assert_eq!(answer(), expected, "{what}");
    }
}
