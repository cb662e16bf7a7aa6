//! REQ-3 to REQ-5: the limit on module requests in progress.

use khelper::abi::Errno;
use khelper::abi::actor::Origin;
use khelper::abi::error::Stage;
use khelper::abi::event::{EventKind, Level};
use khelper::abi::record::Outcome;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Caller, Cancel, KnobWrite};
use khelper::sys::fake::{FOREVER, Script};

use crate::support::*;

const TIMED_OUT: &str = "cannot be processed, kmod busy with";

#[test]
fn req_3_threads_max_is_read_at_each_request() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    host.change(|m| m.threads_max = Some(6));
    scope(&host, |s| {
        let held = callers(s, &engine, 3, "dummy");
        host.wait_for("3 helpers", |now| now.running == 3);
        assert_eq!(engine.request_module("fourth", true).result, errno(Errno::ENOMEM));
        host.change(|m| m.threads_max = Some(9));
        let more = callers(s, &engine, 1, "fourth");
        host.wait_for("4 helpers", |now| now.running == 4);
        // The limit is now lower than the number of requests in progress: those continue.
        host.change(|m| m.threads_max = Some(2));
        assert_eq!(engine.request_module("fifth", true).result, errno(Errno::ENOMEM));
        assert_eq!(engine.snapshot().slots.concurrent, 4);
        host.change(|m| m.threads_max = None);
        assert_eq!(engine.snapshot().slots.limit, 50);
        kill_holders(&engine);
        assert!(join(held).iter().chain(&join(more)).all(|r| r.result == Some(9)));
    });
    assert_eq!(engine.snapshot().slots.concurrent, 0);
}

#[test]
fn req_3_a_request_of_the_3_4_era_reads_threads_max_once_and_others_never() {
    let host = host(Script::default());
    let engine = start(&host);
    let reads = |ask: &dyn Fn()| {
        let before = host.counts().limit_reads;
        ask();
        host.counts().limit_reads - before
    };
    assert_eq!(reads(&|| drop(engine.request_module("dummy", true))), 1);
    // Refused before the limit is checked.
    assert_eq!(reads(&|| drop(engine.request_module("", true))), 0);
    assert_eq!(reads(&|| drop(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC))), 0);
    // Of the knobs, only the limit is compared with it.
    let modprobe = || KnobWrite::Modprobe(MODPROBE.as_bytes().into());
    assert_eq!(reads(&|| set(&engine, modprobe())), 0);
    assert_eq!(reads(&|| drop(engine.write(&[modprobe(), KnobWrite::MaxConcurrent(7)], Origin::Library))), 1);
    let engine = start_current(&host);
    assert_eq!(reads(&|| drop(engine.request_module("dummy", true))), 0);
}

#[test]
fn req_3_a_raised_limit_wakes_waiting_requests() {
    let host = host(runs(FOREVER));
    let engine = start_current(&host);
    set(&engine, KnobWrite::MaxConcurrent(1));
    scope(&host, |s| {
        let all = callers(s, &engine, 4, "dummy");
        host.wait_for("1 helper and 3 waiting requests", |now| now.running == 1 && now.on_clock == 3);
        set(&engine, KnobWrite::MaxConcurrent(3));
        host.wait_for("2 more", |now| now.running == 3 && now.on_clock == 1);
        set(&engine, KnobWrite::MaxConcurrent(1));
        assert_eq!(engine.snapshot().slots.concurrent, 3, "requests in progress continue");
        set(&engine, KnobWrite::MaxConcurrent(50));
        host.wait_for("the last", |now| now.running == 4);
        kill_holders(&engine);
        join(all);
    });
    assert_eq!(engine.snapshot().slots.peak, 4);
}

#[test]
fn req_4_the_51st_is_refused_and_five_runaways_are_logged() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    let events = subscribe(&engine);
    scope(&host, |s| {
        let held = callers(s, &engine, 50, "held");
        host.wait_for("50 helpers", |now| now.running == 50);
        let refused = engine.request_module("loop", true);
        assert_eq!((refused.result, refused.outcome), (errno(Errno::ENOMEM), Outcome::Refused));
        assert_eq!(refused.stage, Some(Stage::Limit));
        assert!(refused.why().as_deref().is_some_and(|w| w.contains("50 module requests")), "{:?}", refused.why());
        for _ in 0..59 {
            assert_eq!(engine.request_module("loop", false).result, errno(Errno::ENOMEM));
        }
        let now = engine.snapshot();
        assert_eq!((now.totals.refused_limit, now.totals.refused(), now.slots.loop_messages), (60, 60, 5));
        assert_eq!(now.totals.refused_limit_at, Some(now.now), "the time of the last refusal");
        assert_eq!((now.slots.concurrent, now.slots.peak, host.counts().launched), (50, 50, 50));
        kill_holders(&engine);
        assert!(join(held).iter().all(|r| r.result == Some(9)));
        assert_eq!(engine.snapshot().slots.concurrent, 0);
    });
    engine.reset_loop_messages();
    assert_eq!(engine.snapshot().slots.loop_messages, 0);
    let received = received(&events);
    let runaway = (Level::Error, "request_module: runaway loop modprobe loop".to_owned());
    assert_eq!(logs(&received), vec![runaway; 5]);
    let admitted = received.iter().filter(|e| matches!(&e.kind, EventKind::ModuleRequest { .. })).count();
    assert_eq!(admitted, 50, "a refusal makes no module_request event");
}

#[test]
fn req_5_eighty_callers_with_short_helpers_are_all_served() {
    let host = host(runs(SECOND));
    let engine = start_current(&host);
    scope(&host, |s| {
        let all = callers(s, &engine, 80, "dummy");
        // The engine notes the times of a start and of an end just after the host has started or ended the helper.
        let noted = |starts, ends| {
            let counts = || engine.snapshot().totals;
            while counts().queue_times.count() < starts || counts().run_times.count() < ends {}
        };
        host.wait_for("50 helpers, 30 waiting requests", |now| now.running == 50 && now.on_clock == 30);
        noted(50, 0);
        host.advance(SECOND);
        host.wait_for("the other 30", |now| now.launched == 80 && now.running == 30);
        noted(80, 50);
        host.advance(SECOND);
        assert!(join(all).iter().all(|r| r.result == Some(0)));
    });
    let now = engine.snapshot();
    assert_eq!((now.totals.throttled, now.slots.peak, now.slots.concurrent, now.slots.waiting), (0, 50, 0, 0));
    // 50 were served at once, and 30 waited for a second; every helper ran for a second.
    let (queued, ran, second) = (&now.totals.queue_times, &now.totals.run_times, 12);
    assert_eq!((queued.buckets[0], queued.buckets[second], queued.count()), (50, 30, 80));
    assert_eq!((ran.buckets[second], ran.count()), (80, 80));
    assert_eq!((queued.sum_us, ran.sum_us), (30 * SECOND, 80 * SECOND));
}

#[test]
fn req_5_with_long_helpers_thirty_give_up_after_five_seconds() {
    let host = host(runs(FOREVER));
    let engine = start_current(&host);
    let events = subscribe(&engine);
    scope(&host, |s| {
        let held = callers(s, &engine, 50, "held");
        host.wait_for("50 helpers", |now| now.running == 50);
        let waiting = callers(s, &engine, 30, "dummy");
        host.wait_for("30 waiting requests", |now| now.on_clock == 30);
        host.advance(5 * SECOND - 1);
        assert_eq!(engine.snapshot().slots.waiting, 30);
        host.advance(1);
        for record in join(waiting) {
            assert_eq!((record.result, record.outcome), (errno(Errno::ETIME), Outcome::Refused));
            assert_eq!((record.stage, record.ended_us), (Some(Stage::Throttle), Some(5 * SECOND)));
        }
        let now = engine.snapshot();
        assert_eq!((now.totals.throttled, now.slots.suppressed, now.slots.waiting), (30, 20, 0));
        assert_eq!((now.totals.refused_at(Stage::Throttle), now.totals.refused()), (30, 30));
        assert_eq!((now.totals.queue_times.count(), now.totals.run_times.count()), (50, 0), "no refused request");
        assert_eq!(now.slots.concurrent, 50);
        // The next window reports how many messages were suppressed in this one.
        let late = callers(s, &engine, 1, "late");
        host.wait_for("1 waiting request", |now| now.on_clock == 1);
        host.advance(5 * SECOND);
        join(late);
        kill_holders(&engine);
        join(held);
    });
    let busy = |name: &str| {
        let text = format!("request_module: modprobe {name} {TIMED_OUT} 50 threads for more than 5 seconds now");
        (Level::Warning, text)
    };
    let mut expected = vec![busy("dummy"); 10];
    expected.push((Level::Warning, "__request_module: 20 callbacks suppressed".to_owned()));
    expected.push(busy("late"));
    let received = received(&events);
    assert_eq!(logs(&received), expected);
    // Each request that waits emits an event.
    assert_eq!(received.iter().filter(|event| matches!(event.kind, EventKind::Waiting { .. })).count(), 31);
}

/// Linux reports suppressed messages only with a later message, so the last ones are never reported.
#[test]
fn req_5_suppressed_messages_are_also_reported_at_the_engines_end() {
    for shut_down in [true, false] {
        let host = host(runs(FOREVER));
        let engine = start_current(&host);
        set(&engine, KnobWrite::MaxConcurrent(1));
        let events = subscribe(&engine);
        scope(&host, |s| {
            let held = callers(s, &engine, 1, "held");
            host.wait_for("a helper", |now| now.running == 1);
            let waiting = callers(s, &engine, 13, "dummy");
            host.wait_for("13 waiting requests", |now| now.on_clock == 13);
            host.advance(5 * SECOND);
            join(waiting);
            kill_holders(&engine);
            join(held);
        });
        if shut_down {
            engine.shutdown(std::time::Duration::ZERO);
        }
        drop(engine);
        let lines: Vec<_> = logs(&received(&events)).into_iter().map(|(_, text)| text).collect();
        assert_eq!(lines.len(), 11, "{lines:?}");
        assert_eq!(lines[10], "__request_module: 3 callbacks suppressed");
    }
}

#[test]
fn req_5_the_message_has_the_real_limit() {
    let host = host(runs(FOREVER));
    let engine = start_current(&host);
    set(&engine, KnobWrite::MaxConcurrent(2));
    scope(&host, |s| {
        let all = callers(s, &engine, 3, "dummy");
        host.wait_for("2 helpers, 1 waiting request", |now| now.running == 2 && now.on_clock == 1);
        host.advance(5 * SECOND);
        host.wait_for("no waiting request", |now| now.on_clock == 0);
        kill_holders(&engine);
        join(all);
    });
    let warnings = engine.snapshot().warnings;
    assert!(
        warnings[0].text().ends_with(&format!("{TIMED_OUT} 2 threads for more than 5 seconds now")),
        "{warnings:?}"
    );
}

#[test]
fn req_5_a_cancelled_waiter_leaves_at_once() {
    let host = host(runs(FOREVER));
    let engine = start_current(&host);
    set(&engine, KnobWrite::MaxConcurrent(1));
    scope(&host, |s| {
        let held = callers(s, &engine, 1, "held");
        host.wait_for("a helper", |now| now.running == 1);
        let cancel = Cancel::new();
        let ask = Caller { cancel: cancel.clone(), ..Caller::default() };
        let asked = engine.clone();
        let waiter = s.spawn(move || asked.request_module_as("dummy", true, &ask));
        host.wait_for("1 waiting request", |now| now.on_clock == 1);
        cancel.cancel();
        let record = waiter.join().unwrap();
        assert_eq!((record.result, record.outcome), (errno(Errno::EINTR), Outcome::Abandoned));
        assert_eq!((record.stage, record.abandoned), (Some(Stage::Cancel), true));
        // The same, by the request's id.
        let waiter = callers(s, &engine, 1, "dummy");
        host.wait_for("1 waiting request", |now| now.on_clock == 1);
        engine.abandon(record.id + 1).unwrap();
        assert_eq!(join(waiter)[0].result, errno(Errno::EINTR));
        let now = engine.snapshot();
        assert_eq!((now.slots.waiting, now.slots.concurrent, host.counts().launched), (0, 1, 1));
        assert_eq!((now.totals.abandoned, now.totals.of(Outcome::Abandoned)), (2, 2));
        kill_holders(&engine);
        join(held);
    });
}

#[test]
fn req_5_slots_go_in_order_of_arrival() {
    let host = host(runs(SECOND));
    let engine = start_current(&host);
    set(&engine, KnobWrite::MaxConcurrent(1));
    let names = ["first", "second", "third", "fourth"];
    scope(&host, |s| {
        let mut all = Vec::new();
        for (waiting, name) in names.into_iter().enumerate() {
            all.extend(callers(s, &engine, 1, name));
            host.wait_for("one more", |now| now.running == 1 && now.on_clock == waiting);
        }
        for served in 1..=names.len() {
            host.wait_for("the next", |now| now.launched == served && now.running == 1);
            host.advance(SECOND);
        }
        assert!(join(all).iter().all(|r| r.result == Some(0)));
    });
    let order: Vec<_> = host.launches().iter().map(|l| String::from_utf8(l.argv[3].clone()).unwrap()).collect();
    assert_eq!(order, names);
}
