//! GATE-2 and GATE-5: the gate is enabled during a drain.

use khelper::abi::Errno;
use khelper::abi::cap::CapMask;
use khelper::abi::depth::Depth;
use khelper::abi::mask::MaskExpr;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite};
use khelper::sys::fake::FOREVER;

use crate::support::*;

fn state(engine: &Engine) -> (Depth, bool) {
    let now = engine.snapshot();
    (now.gate, now.draining)
}

#[test]
fn gate_5_enable_during_a_drain_opens_the_gate_at_once_and_the_drain_goes_on() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let drain = s.spawn(|| engine.disable(Depth::Disabled));
        host.wait_for("the drain", |now| now.on_clock == 1);
        // On another thread, because an `enable` that waited for the drain would never return: no time passes.
        let (done, is_done) = std::sync::mpsc::channel();
        let opened = engine.clone();
        s.spawn(move || done.send(opened.enable()));
        let enabled = is_done.recv_timeout(std::time::Duration::from_secs(20));
        assert_eq!(enabled, Ok(Ok(())), "it does not wait for the drain");
        assert_eq!(state(&engine), (Depth::Enabled, true), "the drain continues");
        // Calls are admitted again. The end of one does not end the drain, because the first is still running.
        assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
        assert_eq!(state(&engine), (Depth::Enabled, true));
        kill_holders(&engine);
        join(caller);
        assert_eq!(drain.join().unwrap(), Ok(()), "at one moment no call was running");
    });
    assert_eq!(state(&engine), (Depth::Enabled, false), "the drain's success does not disable the gate again");
    assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
}

/// Knobs, records, cancellation and signals do not depend on the gate: none of them waits for a drain.
#[test]
fn gate_2_nothing_but_another_drain_waits_for_a_drain() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a helper", |now| now.running == 1);
        let drain = s.spawn(|| engine.disable(Depth::Disabled));
        host.wait_for("the drain", |now| now.on_clock == 1);
        let (done, is_done) = std::sync::mpsc::channel();
        let other = engine.clone();
        s.spawn(move || {
            set(&other, KnobWrite::MaxConcurrent(7));
            set(&other, KnobWrite::Bset(MaskExpr::Exactly(CapMask::EMPTY)));
            let records = (other.records(10).len(), other.record(1).is_some(), other.chain(1).len());
            let refused = other.request_module("other", true).errno;
            let sent = other.kill(1, libc::SIGURG);
            done.send((records, refused, sent, other.snapshot().draining))
        });
        let answers = is_done.recv_timeout(std::time::Duration::from_secs(20));
        assert_eq!(answers, Ok(((0, true, 1), Some(Errno::EBUSY), Ok(()), true)));
        engine.abandon(1).unwrap();
        assert_eq!(drain.join().unwrap(), Ok(()));
        join(caller);
    });
    host.end_the_world();
}

#[test]
fn gate_5_a_depth_set_during_a_drain_holds_when_the_drain_succeeds() {
    for depth in [Depth::Freezing, Depth::Enabled] {
        let host = host(runs(SECOND));
        let engine = start(&host);
        scope(&host, |s| {
            let caller = callers(s, &engine, 1, "dummy");
            host.wait_for("a helper", |now| now.running == 1);
            let drain = s.spawn(|| engine.disable(Depth::Disabled));
            host.wait_for("the drain", |now| now.on_clock == 1);
            engine.set_depth(depth).unwrap();
            host.advance(SECOND);
            assert_eq!(drain.join().unwrap(), Ok(()));
            join(caller);
        });
        assert_eq!(state(&engine), (depth, false));
    }
}

#[test]
fn gate_2_a_drain_that_fails_after_enable_leaves_the_gate_open_and_names_every_call() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    scope(&host, |s| {
        let first = callers(s, &engine, 1, "fi\x1brst");
        host.wait_for("a helper", |now| now.running == 1);
        let drain = s.spawn(|| engine.disable(Depth::Freezing));
        host.wait_for("the drain", |now| now.on_clock == 1);
        engine.enable().unwrap();
        let second = callers(s, &engine, 1, "second");
        host.wait_for("another helper", |now| now.running == 2);
        // One call ends during the drain; two calls do not.
        assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
        host.advance(5 * SECOND);
        let error = drain.join().unwrap().unwrap_err();
        assert_eq!(error.errno, Errno::EAGAIN);
        // Requesters choose the names, so they are escaped.
        assert!(error.why.contains("#1 fi\\x1brst ") && error.why.contains("#2 second "), "{error}");
        let warning = &engine.snapshot().warnings[0].text();
        assert!(warning.contains("#1 fi\\x1brst ") && !warning.contains('\x1b'), "{warning:?}");
        assert_eq!(state(&engine), (Depth::Enabled, false));
        kill_holders(&engine);
        join(first);
        join(second);
    });
}
