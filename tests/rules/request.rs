//! REQ-6, REQ-8, REQ-9, REQ-10.

use std::sync::Arc;
use std::sync::atomic::{AtomicUsize, Ordering};
use std::sync::mpsc::channel;
use std::thread;

use khelper::abi::Errno;
use khelper::abi::depth::Depth;
use khelper::abi::era::Era;
use khelper::abi::error::Stage;
use khelper::abi::event::EventKind;
use khelper::abi::record::Outcome;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite, Subscription};
use khelper::policy::authorize::Globs;

use crate::common::{Dir, finished, info, started, until};
use crate::{Barrier, modprobe, set};

/// An engine whose hook counts how often it was asked, refuses `no` and panics at `panic`.
fn with_hook() -> (Engine, Arc<AtomicUsize>) {
    let asked = Arc::new(AtomicUsize::new(0));
    let seen = asked.clone();
    let engine = Engine::builder().security_hook(move |name, _| {
        seen.fetch_add(1, Ordering::SeqCst);
        match name.as_bytes() {
            b"no" => Err(Errno::EACCES),
            b"panic" => panic!("a hook of a test"),
            _ => Ok(()),
        }
    });
    (engine.start().unwrap(), asked)
}

/// The request that the next `module_request` event tells of, up to the end of request `id`.
fn told(events: &Subscription, id: u64) -> Option<u64> {
    let mut told = None;
    until(events, |kind| match kind {
        EventKind::ModuleRequest { id, .. } => {
            told = Some(*id);
            None
        }
        EventKind::Finished(record) if record.id == id => Some(()),
        _ => None,
    });
    told
}

#[test]
fn req_6_the_event_comes_first_also_when_the_gate_refuses() {
    let engine = Engine::start().unwrap();
    modprobe(&engine, "/bin/true");
    engine.set_depth(Depth::Disabled).unwrap();
    let events = engine.subscribe(100);
    let refused = engine.request_module("dummy", false);
    assert_eq!((refused.stage, refused.errno), (Some(Stage::Gate), Some(Errno::EBUSY)));
    let first = until(&events, |kind| Some(kind.clone()));
    let me = std::process::id().cast_signed();
    assert!(
        matches!(&first, EventKind::ModuleRequest { id, name, wait: false, actor }
            if *id == refused.id && **name == *b"dummy" && actor.pid == me),
        "{first:?}"
    );
    engine.enable().unwrap();
    let events = engine.subscribe(100);
    let admitted = engine.request_module("dummy", true);
    assert!(matches!(until(&events, |kind| Some(kind.clone())), EventKind::ModuleRequest { wait: true, .. }));
    assert_eq!(finished(&events).id, admitted.id);
    // Refused before it was admitted: no event.
    set(&engine, KnobWrite::Deny(Globs::parse(b"dum*").unwrap()));
    let denied = engine.request_module("dummy", true);
    assert_eq!((denied.stage, told(&events, denied.id)), (Some(Stage::Hook), None));
}

#[test]
fn req_8_it_waits_for_the_end_or_for_exec_and_both_can_be_given_up() {
    let engine = Engine::start().unwrap();
    let dir = Dir::new();
    let mut barrier = Barrier::new(&dir);
    modprobe(&engine, &dir.script("modprobe", &format!("#!/bin/sh\n{}\n", barrier.script())));
    let events = engine.subscribe(100);
    // Answered while its helper waits at the barrier.
    let exec = engine.request_module("a", false);
    assert_eq!((exec.wait, exec.result, exec.outcome), (WaitMode::EXEC, Some(0), Outcome::Running));
    assert_eq!(started(&events), (exec.id, exec.pid.unwrap()));
    let caller = {
        let engine = engine.clone();
        thread::spawn(move || engine.request_module("b", true))
    };
    let (id, pid) = started(&events);
    engine.abandon(id).unwrap();
    let proc = caller.join().unwrap();
    assert_eq!((proc.wait, proc.result, proc.pid), (WaitMode::PROC, Some(-libc::EINTR), Some(pid)));
    barrier.release(2);
    for _ in 0..2 {
        assert_eq!(finished(&events).status.unwrap().exit_code(), Some(0), "both lived on");
    }
    // The same wait, held before exec: by an init hook, which a call may have.
    let (go, held) = channel::<()>();
    let hooked = info(&["/bin/true"]).init(move |_| held.recv().map_err(|_| Errno::ECANCELED));
    let caller = {
        let engine = engine.clone();
        thread::spawn(move || engine.call_usermodehelper(hooked, exec.wait))
    };
    let id = until(&events, |kind| if let EventKind::Queued { id } = kind { Some(*id) } else { None });
    engine.abandon(id).unwrap();
    let exec = caller.join().unwrap();
    assert_eq!((exec.outcome, exec.result), (Outcome::Abandoned, Some(-libc::EINTR)));
    go.send(()).unwrap();
    assert_eq!(finished(&events).status.unwrap().exit_code(), Some(0), "it was still launched");
}

#[test]
fn req_9_the_slot_is_given_back_on_every_way_out() {
    let (engine, _) = with_hook();
    let dir = Dir::new();
    let mut barrier = Barrier::new(&dir);
    let waits = dir.script("modprobe", &format!("#!/bin/sh\n{}\n", barrier.script()));
    // One slot: if it is not given back, the next request is refused by the limit.
    set(&engine, KnobWrite::MaxConcurrent(1));
    let free = |way: &str| {
        assert_eq!(engine.snapshot().slots.concurrent, 0, "{way}");
        modprobe(&engine, "/bin/false");
        assert_eq!(engine.request_module("dummy", true).result, Some(256), "{way}");
        assert_eq!(engine.snapshot().slots.concurrent, 0, "the end of the helper");
    };
    free("the beginning");
    for (path, errno) in [(dir.path().join("missing"), Errno::ENOENT), (dir.path().to_owned(), Errno::EACCES)] {
        modprobe(&engine, path.to_str().unwrap());
        let failed = engine.request_module("dummy", true);
        assert_eq!((failed.outcome, failed.errno), (Outcome::ExecFailed, Some(errno)));
        free("exec");
    }
    assert_eq!(engine.request_module("no", true).errno, Some(Errno::EACCES));
    free("a hook that refuses");
    assert_eq!(engine.request_module("panic", true).errno, Some(Errno::ECANCELED));
    free("a hook that panics");
    engine.set_depth(Depth::Freezing).unwrap();
    assert_eq!(engine.request_module("dummy", true).errno, Some(Errno::EBUSY));
    engine.enable().unwrap();
    free("the gate");
    modprobe(&engine, &waits);
    let events = engine.subscribe(100);
    let caller = {
        let engine = engine.clone();
        thread::spawn(move || engine.request_module("dummy", true))
    };
    let (id, _) = started(&events);
    assert_eq!(engine.request_module("dummy", true).errno, Some(Errno::ENOMEM), "it is the only one");
    engine.abandon(id).unwrap();
    assert_eq!(caller.join().unwrap().result, Some(-libc::EINTR));
    free("a caller that has gone, while its helper lives");
    assert_eq!(engine.snapshot().live, 1);
    barrier.release(1);
    until(&events, |kind| matches!(kind, EventKind::Finished(record) if record.id == id).then_some(()));
}

#[test]
fn req_10_an_empty_path_starts_nothing_in_either_era() {
    let (engine, asked) = with_hook();
    modprobe(&engine, "");
    engine.set_depth(Depth::Disabled).unwrap();
    let events = engine.subscribe(100);
    // 3.4: length, hook, count and event, then 0, also with the gate shut.
    assert_eq!(engine.request_module("x".repeat(56), true).errno, Some(Errno::ENAMETOOLONG));
    assert_eq!(engine.request_module("no", true).errno, Some(Errno::EACCES));
    let noop = engine.request_module("dummy", true);
    assert_eq!((noop.outcome, noop.result, noop.errno, noop.pid), (Outcome::Noop, Some(0), None, None));
    assert_eq!(told(&events, noop.id), Some(noop.id));
    let snapshot = engine.snapshot();
    assert_eq!((asked.load(Ordering::SeqCst), snapshot.slots.peak, snapshot.totals.launched), (2, 1, 0));

    // current: looked at before the name; no hook, slot or event.
    let (engine, asked) = with_hook();
    set(&engine, KnobWrite::Era(Era::Current));
    modprobe(&engine, "");
    let events = engine.subscribe(100);
    for name in ["dummy", "no", &"x".repeat(56)] {
        let refused = engine.request_module(name, true);
        assert_eq!((refused.outcome, refused.errno), (Outcome::Refused, Some(Errno::ENOENT)));
        assert_eq!(told(&events, refused.id), None);
    }
    let snapshot = engine.snapshot();
    assert_eq!((asked.load(Ordering::SeqCst), snapshot.slots.peak, snapshot.totals.launched), (0, 0, 0));
}
