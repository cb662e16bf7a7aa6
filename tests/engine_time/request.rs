//! REQ: request_module, apart from its limit.

use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::{Arc, OnceLock};

use khelper::abi::Errno;
use khelper::abi::actor::{Comm, Origin};
use khelper::abi::depth::Depth;
use khelper::abi::era::Era;
use khelper::abi::error::{Stage, SysError};
use khelper::abi::event::EventKind;
use khelper::abi::process::Process;
use khelper::abi::record::Outcome;
use khelper::abi::subprocess::HELPER_ENV;
use khelper::abi::wait::{WaitMode, WaitStatus};
use khelper::engine::{Caller, Cancel, Engine, KnobWrite};
use khelper::policy::authorize::Globs;
use khelper::sys::fake::{FOREVER, FakeHost, Script};
use khelper::sys::host::LaunchFailure;

use crate::support::*;

fn path(text: &str) -> KnobWrite {
    KnobWrite::Modprobe(text.as_bytes().into())
}

/// An engine whose security hook counts its calls, and refuses some names.
fn with_hook(host: &Arc<FakeHost>) -> (Engine, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    let engine = Engine::builder().host(host.clone()).security_hook(move |name, actor| {
        seen.fetch_add(1, Ordering::SeqCst);
        assert_eq!((actor.pid, actor.origin), (1000, Origin::Library));
        match name.as_bytes() {
            b"no" => Err(Errno::EACCES),
            b"panic" => panic!("a hook of a test"),
            _ => Ok(()),
        }
    });
    (engine.start().unwrap(), asked)
}

#[test]
fn req_1_a_bad_name_is_refused_before_anything() {
    let host = host(Script::default());
    let (engine, asked) = with_hook(&host);
    let events = subscribe(&engine);
    for (name, expected) in [(&[b'x'; 56][..], Errno::ENAMETOOLONG), (b"", Errno::EINVAL), (b"a\0b", Errno::EINVAL)] {
        let record = engine.request_module(name, true);
        assert_eq!((record.result, record.stage), (errno(expected), Some(Stage::Name)));
    }
    assert_eq!((engine.snapshot().slots.peak, asked.load(Ordering::SeqCst), host.counts().launched), (0, 0, 0));
    assert!(received(&events).iter().all(|e| matches!(e.kind, EventKind::Finished(_))));
    assert_eq!(engine.request_module([b'-'; 55], true).result, Some(0));
}

#[test]
fn req_2_the_lists_and_the_hook_judge_before_anything_is_counted() {
    let host = host(Script::default());
    let (engine, asked) = with_hook(&host);
    set(&engine, KnobWrite::Deny(Globs::parse(b"usb-*").unwrap()));
    set(&engine, KnobWrite::Allow(Globs::parse(b"d* usb-storage no panic").unwrap()));
    for (name, expected) in
        [("usb-storage", Errno::EPERM), ("snd", Errno::EPERM), ("no", Errno::EACCES), ("panic", Errno::ECANCELED)]
    {
        let record = engine.request_module(name, true);
        assert_eq!((record.result, record.outcome), (errno(expected), Outcome::Refused), "{name}");
        assert_eq!(record.stage, Some(Stage::Hook), "{name}");
    }
    assert_eq!(asked.load(Ordering::SeqCst), 2, "the lists come first");
    let now = engine.snapshot();
    assert_eq!((now.slots.peak, now.totals.refused_hook, host.counts().launched), (0, 4, 0));
    assert_eq!(engine.request_module("dummy", true).result, Some(0));
}

#[test]
fn req_6_the_event_comes_before_the_gate_is_checked() {
    let host = host(Script::default());
    let engine = start(&host);
    engine.set_depth(Depth::Disabled).unwrap();
    let events = subscribe(&engine);
    let record = engine.request_module("dummy", true);
    assert_eq!((record.result, record.stage), (errno(Errno::EBUSY), Some(Stage::Gate)));
    let received = received(&events);
    assert!(matches!(&received[0].kind, EventKind::ModuleRequest { id, name, wait: true, actor }
        if *id == record.id && **name == *b"dummy" && actor.pid == 1000));
    assert!(matches!(&received[1].kind, EventKind::Finished(r) if r.id == record.id));
    assert!(matches!(received[2].kind, EventKind::Released { id } if id == record.id), "REQ-9: after the slot is free");
    assert_eq!((received.len(), engine.snapshot().totals.refused_gate), (3, 1));
}

#[test]
fn req_7_req_8_what_modprobe_gets() {
    let host = host(Script::default());
    let engine = start(&host);
    let waited = engine.request_module("-rf", true);
    let not = engine.request_module("dummy", false);
    assert_eq!((waited.wait, not.wait), (WaitMode::PROC, WaitMode::EXEC));
    let launches = host.launches();
    assert_eq!(launches[0].argv, [&b"/sbin/modprobe"[..], b"-q", b"--", b"-rf"]);
    assert_eq!(launches[0].envp, HELPER_ENV.map(|e| e.as_bytes().to_vec()));
    // A helper without a waiting caller can outlive the engine, so it writes to /dev/null (UMH-14).
    assert_eq!((launches[0].capture, launches[1].capture), (true, false));
}

#[test]
fn req_9_the_slot_is_released_on_every_path() {
    let host = host(Script::default());
    let (engine, _) = with_hook(&host);
    let free = |way: &str| assert_eq!(engine.snapshot().slots.concurrent, 0, "{way}");
    engine.request_module("dummy", true);
    free("the end of the helper");
    engine.request_module("no", true);
    engine.request_module("panic", true);
    free("the hook");
    set(&engine, path("/no/such"));
    assert_eq!(engine.request_module("dummy", true).outcome, Outcome::ExecFailed);
    free("exec");
    set(&engine, path(MODPROBE));
    let failure = LaunchFailure::Process(SysError::new("clone", Errno::EAGAIN));
    host.script(MODPROBE, Script { fails: Some(failure), ..Script::default() });
    assert_eq!(engine.request_module("dummy", true).result, errno(Errno::EAGAIN));
    free("no process");
    engine.set_depth(Depth::Freezing).unwrap();
    engine.request_module("dummy", true);
    free("the gate");
    engine.enable().unwrap();
    host.script(MODPROBE, runs(FOREVER));
    let cancel = Cancel::new();
    let ask = Caller { cancel: cancel.clone(), ..Caller::default() };
    scope(&host, |s| {
        let caller = s.spawn(|| engine.request_module_as("dummy", true, &ask));
        host.wait_for("a helper", |now| now.running == 1);
        assert_eq!(engine.snapshot().slots.concurrent, 1);
        cancel.cancel();
        assert_eq!(caller.join().unwrap().result, errno(Errno::EINTR));
    });
    free("a cancelled caller");
    assert_eq!(host.counts().running, 1, "its helper keeps running");
}

#[test]
fn req_10_empty_path_3_4_does_everything_but_the_process() {
    let host = host(Script::default());
    let (engine, asked) = with_hook(&host);
    set(&engine, path(""));
    for gate in [Depth::Enabled, Depth::Disabled] {
        engine.set_depth(gate).unwrap();
        let events = subscribe(&engine);
        let record = engine.request_module("dummy", true);
        assert_eq!((record.result, record.outcome, record.errno), (Some(0), Outcome::Noop, None));
        assert!(matches!(&received(&events)[0].kind, EventKind::ModuleRequest { .. }));
    }
    assert_eq!((asked.load(Ordering::SeqCst), engine.snapshot().slots.peak, host.counts().launched), (2, 1, 0));
    assert_eq!(engine.request_module([b'x'; 56], true).result, errno(Errno::ENAMETOOLONG));
    assert_eq!(engine.request_module("no", true).result, errno(Errno::EACCES));
}

#[test]
fn req_10_empty_path_current_is_checked_first() {
    let host = host(Script::default());
    let (engine, asked) = with_hook(&host);
    set(&engine, KnobWrite::Era(Era::Current));
    set(&engine, path(""));
    let events = subscribe(&engine);
    for name in [&b"dummy"[..], b"", &[b'x'; 56]] {
        let record = engine.request_module(name, true);
        assert_eq!((record.result, record.outcome), (errno(Errno::ENOENT), Outcome::Refused));
    }
    assert!(received(&events).iter().all(|e| matches!(e.kind, EventKind::Finished(_))));
    assert_eq!((asked.load(Ordering::SeqCst), engine.snapshot().slots.peak, host.counts().launched), (0, 0, 0));
}

/// An engine whose security hook writes these knobs, as in a program whose policy depends on the module.
fn with_writing_hook(host: &Arc<FakeHost>, era: Era, writes: Vec<KnobWrite>, disabled: bool) -> Engine {
    let own: Arc<OnceLock<Engine>> = Arc::default();
    let theirs = own.clone();
    let builder = Engine::builder().host(host.clone()).security_hook(move |_, _| {
        let engine = theirs.get().unwrap();
        engine.write(&writes, Origin::Library).unwrap();
        if disabled {
            engine.set_depth(Depth::Freezing).unwrap();
        }
        Ok(())
    });
    let engine = builder.start().unwrap();
    set(&engine, KnobWrite::Era(era));
    own.set(engine.clone()).ok().unwrap();
    engine
}

#[test]
fn umh_2_sys_7_a_path_that_the_hook_empties_is_a_no_op() {
    for (era, disabled, expected) in [
        (Era::V3_4, false, Ok(())),
        // Era 3.4 checks for an empty path before the gate, era current after it.
        (Era::V3_4, true, Ok(())),
        (Era::Current, false, Ok(())),
        (Era::Current, true, Err(Errno::EBUSY)),
    ] {
        let host = host(Script::default());
        let engine = with_writing_hook(&host, era, vec![path("")], disabled);
        let events = subscribe(&engine);
        let record = engine.request_module("dummy", true);
        let (result, outcome) = match expected {
            Ok(()) => (Some(0), Outcome::Noop),
            Err(refused) => (errno(refused), Outcome::Refused),
        };
        assert_eq!((record.result, record.outcome), (result, outcome), "{era:?}, gate disabled: {disabled}");
        assert_eq!((&*record.path, record.errno), (&b""[..], expected.err()));
        let admitted = |kind: &EventKind| matches!(kind, EventKind::ModuleRequest { .. });
        assert_eq!(received(&events).iter().filter(|e| admitted(&e.kind)).count(), 1, "REQ-6");
        let slots = engine.snapshot().slots;
        assert_eq!((slots.peak, slots.concurrent, host.counts().launched), (1, 0, 0));
    }
}

#[test]
fn umh_2_sys_7_a_path_that_the_hook_changes_is_the_one_that_runs() {
    for (era, before, after) in
        [(Era::V3_4, "", "/bin/false"), (Era::V3_4, MODPROBE, "/bin/false"), (Era::Current, MODPROBE, "/bin/false")]
    {
        let host = host(Script::default());
        let engine = with_writing_hook(&host, era, vec![path(after)], false);
        set(&engine, path(before));
        let record = engine.request_module("dummy", true);
        assert_eq!((record.result, &*record.path), (Some(256), after.as_bytes()), "{era:?} {before:?}");
        let launch = &host.launches()[0];
        assert_eq!((&*launch.path, &*launch.argv[0]), (after.as_bytes(), after.as_bytes()));
    }
    // Era current checks for an empty path before everything else (REQ-10).
    let host = host(Script::default());
    let engine = with_writing_hook(&host, Era::Current, vec![path("/bin/true")], false);
    set(&engine, path(""));
    assert_eq!(engine.request_module("dummy", true).result, errno(Errno::ENOENT));
    assert_eq!(host.counts().launched, 0);
}

#[test]
fn req_3_a_limit_that_the_hook_lowers_holds_for_this_request() {
    let host = host(runs(FOREVER));
    let engine = with_writing_hook(&host, Era::V3_4, vec![KnobWrite::MaxConcurrent(2)], false);
    scope(&host, |s| {
        let held = callers(s, &engine, 2, "held");
        host.wait_for("2 helpers", |now| now.running == 2);
        set(&engine, KnobWrite::MaxConcurrent(50));
        host.script(MODPROBE, Script::default());
        assert_eq!(engine.request_module("third", true).result, errno(Errno::ENOMEM));
        kill_holders(&engine);
        join(held);
    });
}

#[test]
fn umh_2_sys_7_the_path_is_read_after_the_wait_for_a_slot() {
    for (meanwhile, result, outcome, launched) in
        [("", Some(0), Outcome::Noop, 1), ("/bin/false", Some(256), Outcome::Exited, 2)]
    {
        let host = host(runs(FOREVER));
        let engine = start_current(&host);
        set(&engine, KnobWrite::MaxConcurrent(1));
        scope(&host, |s| {
            let held = callers(s, &engine, 1, "held");
            host.wait_for("a helper", |now| now.running == 1);
            let waiter = callers(s, &engine, 1, "dummy");
            host.wait_for("1 waiting request", |now| now.on_clock == 1);
            set(&engine, path(meanwhile));
            kill_holders(&engine);
            join(held);
            let record = &join(waiter)[0];
            assert_eq!((record.result, record.outcome, &*record.path), (result, outcome, meanwhile.as_bytes()));
        });
        let slots = engine.snapshot().slots;
        assert_eq!((slots.concurrent, slots.waiting, host.counts().launched), (0, 0, launched));
    }
}

#[test]
fn req_11_the_result_is_the_raw_status() {
    let host = host(Script::default());
    let engine = start(&host);
    for (raw, outcome) in [(256, Outcome::Exited), (9, Outcome::Killed), (0x8b, Outcome::Killed), (0, Outcome::Exited)]
    {
        host.script(MODPROBE, Script { status: Some(WaitStatus::from_raw(raw)), ..Script::default() });
        let record = engine.request_module("dummy", true);
        assert_eq!((record.result, record.outcome), (Some(raw), outcome));
        assert_eq!(record.status, Some(WaitStatus::from_raw(raw)));
    }
}

#[test]
fn req_11_without_wait_the_result_is_never_a_status() {
    let host = host(Script { runs: SECOND, status: Some(WaitStatus::exited(1)), ..Script::default() });
    let engine = start(&host);
    let events = subscribe(&engine);
    let answer = engine.request_module("dummy", false);
    assert_eq!((answer.result, answer.status, answer.outcome), (Some(0), None, Outcome::Running));
    host.advance(SECOND);
    let end = finished(&events, answer.id);
    assert_eq!((end.result, end.status, end.outcome), (Some(0), Some(WaitStatus::exited(1)), Outcome::Exited));
}

#[test]
fn req_12_refusals_have_their_chain() {
    let host = host(runs(FOREVER));
    let engine = start(&host);
    host.change(|m| m.threads_max = Some(2));
    scope(&host, |s| {
        let held = callers(s, &engine, 1, "held");
        host.wait_for("a helper", |now| now.running == 1);
        let helper = host.launches()[0].pid;
        // The requester, a process whose parent is the helper of the request that holds the slot.
        let sh = |pid, parent, session| Process {
            pid,
            comm: Comm::new(b"sh"),
            lives: true,
            parent,
            session,
            start_time: 4711,
            started: 0,
        };
        host.change(|m| m.processes = vec![sh(1000, 1, 1000), sh(1, 0, 1), sh(2000, 1, helper)]);
        let refused = engine.request_module("again", true);
        assert_eq!(refused.result, errno(Errno::ENOMEM), "the chain changes no decision");
        let chain: Vec<_> = refused.chain.iter().map(|l| (l.pid, l.known, l.helper_of)).collect();
        assert_eq!((chain, refused.asked_by), (vec![(1000, true, None), (1, true, None)], None));
        let chain: Vec<_> = engine.chain(2000).iter().map(|l| (l.pid, l.known, l.helper_of)).collect();
        let whole = [(2000, true, None), (helper, true, Some(1)), (1000, true, None), (1, true, None)];
        assert_eq!(chain, whole, "on demand for any process");
        kill_holders(&engine);
        assert!(join(held)[0].chain.is_empty());
    });
}

#[test]
fn req_12_an_engine_within_an_engine_is_refused() {
    let host = host(Script::default());
    host.change(|m| m.above = Some(77));
    let (engine, asked) = with_hook(&host);
    let by_name = engine.request_module("dummy", true);
    let by_path = engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    for record in [by_name, by_path] {
        assert_eq!((record.result, record.stage), (errno(Errno::ELOOP), Some(Stage::Loop)));
        assert!(record.why().as_deref().is_some_and(|w| w.contains("pid 77")));
    }
    assert_eq!((asked.load(Ordering::SeqCst), host.counts().launched, engine.snapshot().slots.peak), (0, 0, 0));
}
