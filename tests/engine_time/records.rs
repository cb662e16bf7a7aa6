//! UMH-12, UMH-13 and the registry: the fields of a record, which records and texts are kept, the numbers of events.

use khelper::abi::actor::Origin;
use khelper::abi::cap::CapMask;
use khelper::abi::event::EventKind;
use khelper::abi::launch_spec::Enforcement;
use khelper::abi::record::{Kind, Outcome, State};
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite, Received};
use khelper::sys::fake::Script;

use crate::support::*;

const KNOWN: CapMask = CapMask::up_to(40);

#[test]
fn umh_12_the_record_of_a_helper() {
    let host = host(Script { exec: SECOND, runs: 2 * SECOND, ..Script::default() });
    let engine = start(&host);
    host.advance(7 * SECOND);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("exec", |now| now.executing == 1);
        let live = engine.record(1).unwrap();
        assert_eq!((live.state, live.outcome, live.pid, live.result), (State::Queued, Outcome::Running, None, None));
        host.advance(SECOND);
        host.wait_for("a helper", |now| now.running == 1);
        let live = engine.record(1).unwrap();
        assert_eq!((live.state, live.pid, live.ended_us), (State::Running, Some(host.launches()[0].pid), None));
        host.advance(2 * SECOND);
        let record = &join(caller)[0];
        assert_eq!(
            (record.id, record.kind, record.wait, record.actor.origin),
            (1, Kind::Module, WaitMode::PROC, Origin::Library)
        );
        assert_eq!(
            (record.state, record.outcome, record.abandoned, record.timed_out),
            (State::Ended, Outcome::Exited, false, false)
        );
        assert_eq!((record.at, record.queued_us), (7 * SECOND, Some(0)));
        assert_eq!((record.started_us, record.ended_us), (Some(SECOND), Some(3 * SECOND)));
        assert_eq!((record.bset, record.inheritable, record.own.as_deref()), (KNOWN, KNOWN, None));
        assert_eq!((record.enforced, record.caps.as_ref().unwrap().bounding), (Some(Enforcement::Masks), KNOWN));
        assert_eq!((record.env.len(), record.actor.pid), (3, 1000));
        assert_eq!((record.stage, record.errno, record.why().as_deref()), (None, None, None));
        assert_eq!(engine.record(1).unwrap().outcome, Outcome::Exited);
        assert!(engine.record(2).is_none());
    });
}

fn chatty(engine: &Engine, path: &str) -> usize {
    let record = engine.call_usermodehelper(info(path), WaitMode::PROC);
    record.output.as_ref().map_or(0, |o| o.stdout.len() + o.stderr.len())
}

#[test]
fn umh_13_ended_records_share_one_budget_for_text() {
    let host = host(Script::default());
    let says = |n: usize| Script { stdout: vec![b'o'; n], stderr: vec![b'e'; n], ..Script::default() };
    host.script("/bin/says", says(20));
    host.script("/bin/floods", says(100));
    let engine = Engine::builder().host(host.clone()).text_budget(100).start().unwrap();
    assert_eq!((chatty(&engine, "/bin/says"), chatty(&engine, "/bin/true"), chatty(&engine, "/bin/says")), (40, 0, 40));
    let kept = |engine: &Engine| -> Vec<bool> { engine.records(9).iter().map(|r| r.output.is_some()).collect() };
    assert_eq!((kept(&engine), engine.snapshot().totals.text_dropped), (vec![true, false, true], 0));
    // The oldest text goes first.
    chatty(&engine, "/bin/says");
    assert_eq!((kept(&engine), engine.snapshot().totals.text_dropped), (vec![true, true, false, false], 40));
    // An output larger than the whole budget: the caller gets it, the registry does not keep it.
    assert_eq!(chatty(&engine, "/bin/floods"), 200);
    assert_eq!((kept(&engine), engine.snapshot().totals.text_dropped), (vec![false; 5], 320));
    assert_eq!(chatty(&engine, "/bin/says"), 40);
    assert!(kept(&engine)[0]);
}

#[test]
fn umh_12_the_newest_ten_thousand_records_are_kept_and_the_rest_counted() {
    let host = host(Script::default());
    let engine = Engine::builder().host(host.clone()).text_budget(1 << 20).start().unwrap();
    host.script("/bin/says", Script { stdout: b"text".to_vec(), ..Script::default() });
    assert_eq!(chatty(&engine, "/bin/says"), 4);
    set(&engine, KnobWrite::Modprobe([].into()));
    for _ in 0..10_049 {
        engine.request_module("dummy", true);
    }
    let records = engine.records(usize::MAX);
    assert_eq!((records.len(), records[0].id, records.last().unwrap().id), (10_000, 10_050, 51));
    let totals = engine.snapshot().totals;
    assert_eq!((totals.records_dropped, totals.text_dropped, totals.requests), (50, 4, 10_050));
    assert_eq!((totals.of(Outcome::Noop), totals.of(Outcome::Exited)), (10_049, 1));
    assert!(engine.record(50).is_none() && engine.record(51).is_some());
    // Paged, in the order of their ends: 50 records were dropped, and the number of the first one shows it.
    let piece = |from| {
        let (first, records) = engine.ended_from(from, 3);
        (first, records.iter().map(|r| r.id).collect::<Vec<_>>())
    };
    assert_eq!(piece(0), (50, vec![51, 52, 53]));
    assert_eq!(piece(10_048), (10_048, vec![10_049, 10_050]));
    assert_eq!(piece(u64::MAX), (u64::MAX, vec![]));
}

#[test]
fn live_requests_are_paged() {
    let host = host(Script { runs: SECOND, ..Script::default() });
    let engine = start(&host);
    for _ in 0..5 {
        engine.request_module("dummy", false);
    }
    let piece = |after| engine.live_after(after, 2).iter().map(|(live, r)| (live.id, r.id, r.wait)).collect::<Vec<_>>();
    assert_eq!(piece(0), [(1, 1, WaitMode::EXEC), (2, 2, WaitMode::EXEC)]);
    assert_eq!(piece(4), [(5, 5, WaitMode::EXEC)]);
    assert!(piece(5).is_empty());
    host.advance(SECOND);
    host.wait_for("the ends", |now| now.running == 0);
}

#[test]
fn events_are_numbered_without_gaps_and_in_order() {
    let host = host(Script::default());
    let engine = start(&host);
    let from = engine.snapshot().seq;
    let events = subscribe(&engine);
    scope(&host, |s| {
        let all: Vec<_> = (0..4)
            .map(|_| {
                s.spawn(|| {
                    for wait in [WaitMode::NoWait, WaitMode::EXEC, WaitMode::PROC] {
                        engine.call_usermodehelper(info("/bin/true"), wait);
                        engine.request_module("dummy", true);
                    }
                })
            })
            .collect();
        all.into_iter().for_each(|t| t.join().unwrap());
    });
    // Until the last helper without a waiting caller has ended, and the last slot is free.
    let mut all = Vec::new();
    while all
        .iter()
        .filter(|e: &&std::sync::Arc<khelper::abi::event::Event>| {
            matches!(e.kind, EventKind::Finished(_) | EventKind::Released { .. })
        })
        .count()
        < 24 + 12
    {
        let Received::Event(event) = events.recv() else { panic!("the engine has ended") };
        all.push(event);
    }
    let numbers: Vec<_> = all.iter().map(|e| e.seq).collect();
    assert_eq!(numbers, (from + 1..=engine.snapshot().seq).collect::<Vec<_>>());
    for id in 1..=24 {
        let of_this: Vec<_> = all
            .iter()
            .filter_map(|e| match &e.kind {
                EventKind::ModuleRequest { id: of, .. } if *of == id => None,
                EventKind::Queued { id: of } if *of == id => Some(1),
                EventKind::Started { id: of, .. } if *of == id => Some(2),
                EventKind::Finished(r) if r.id == id => Some(3),
                _ => None,
            })
            .collect();
        assert_eq!(of_this, [1, 2, 3], "request {id}");
    }
}

#[test]
fn a_subscriber_that_falls_behind_gets_the_count_and_delays_nothing() {
    let host = host(Script::default());
    let engine = start(&host);
    let slow = engine.subscribe(4);
    for _ in 0..20 {
        engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    }
    let Received::Missed(missed) = slow.recv() else { panic!("60 events in a queue of 4") };
    let fresh = engine.snapshot();
    engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    let Received::Event(next) = slow.recv() else { panic!("an event was due") };
    assert_eq!((missed, next.seq), (60, fresh.seq + 1));
}
