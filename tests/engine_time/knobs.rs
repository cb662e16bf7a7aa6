//! SYS-7, SYS-9: one lock for path and masks; writes are applied all together or not at all.

use std::sync::atomic::{AtomicBool, Ordering};

use khelper::abi::Errno;
use khelper::abi::actor::{Actor, Origin};
use khelper::abi::cap::{CapMask, Capability, ReadSet};
use khelper::abi::depth::Depth;
use khelper::abi::era::Era;
use khelper::abi::error::{Explain, Stage};
use khelper::abi::event::EventKind;
use khelper::abi::knob::Key;
use khelper::abi::launch_spec::CapPlan;
use khelper::abi::mask::MaskExpr;
use khelper::abi::record::Outcome;
use khelper::abi::wait::WaitMode;
use khelper::engine::KnobWrite;
use khelper::sys::fake::Script;

use crate::support::*;

const KNOWN: CapMask = CapMask::up_to(40);
const MODULE: CapMask = CapMask::only(Capability::SYS_MODULE);
const SETPCAP: CapMask = CapMask::only(Capability::SETPCAP);

fn path(text: &str) -> KnobWrite {
    KnobWrite::Modprobe(text.as_bytes().into())
}

/// An outside process with these capabilities.
fn outside(effective: CapMask) -> Actor {
    Actor { effective, ..Actor::new(Origin::Outside, 77, 1234, 5, b"client") }
}

fn pair(mask: CapMask) -> [KnobWrite; 4] {
    let to = MaskExpr::Exactly(mask);
    [KnobWrite::ResetBset, KnobWrite::ResetInheritable, KnobWrite::Bset(to), KnobWrite::Inheritable(to)]
}

#[test]
fn sys_7_a_change_while_a_call_is_queued_takes_effect() {
    let host = host(Script::default());
    let engine = start(&host);
    host.change(|m| m.hold_workers = true);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a queued call", |now| now.held == 1);
        engine.write(&[path("/bin/true"), KnobWrite::Bset(MaskExpr::Exactly(MODULE))], Origin::Library).unwrap();
        host.change(|m| m.hold_workers = false);
        let record = &join(caller)[0];
        assert_eq!((record.result, record.bset, &*record.path), (Some(0), MODULE, &b"/bin/true"[..]));
        assert_eq!(record.argv()[0], b"/bin/true");
    });
    let launch = &host.launches()[0];
    assert_eq!(
        (launch.sets.bounding, &launch.path[..], &launch.argv[0][..]),
        (MODULE, &b"/bin/true"[..], &b"/bin/true"[..])
    );
}

#[test]
fn sys_7_a_path_that_became_empty_is_an_exec_error() {
    let host = host(Script::default());
    let engine = start(&host);
    host.change(|m| m.hold_workers = true);
    scope(&host, |s| {
        let caller = callers(s, &engine, 1, "dummy");
        host.wait_for("a queued call", |now| now.held == 1);
        set(&engine, path(""));
        host.change(|m| m.hold_workers = false);
        let record = &join(caller)[0];
        assert_eq!((record.result, record.outcome), (errno(Errno::ENOENT), Outcome::ExecFailed));
        assert_eq!((record.stage, host.counts().launched), (Some(Stage::Exec), 0));
    });
}

#[test]
fn sys_7_no_helper_sees_half_of_a_change() {
    let host = host(Script::default());
    host.change(|m| m.sets.inheritable = ReadSet::Known(KNOWN));
    let engine = start(&host);
    engine.write(&pair(MODULE), Origin::Library).unwrap();
    let over = AtomicBool::new(false);
    scope(&host, |s| {
        let (wrote, has_written) = std::sync::mpsc::channel();
        let (engine, over) = (&engine, &over);
        let writer = s.spawn(move || {
            let mut writes = 0u32;
            while !over.load(Ordering::Relaxed) {
                engine.write(&pair(if writes.is_multiple_of(2) { SETPCAP } else { MODULE }), Origin::Library).unwrap();
                writes += 1;
                let _ = wrote.send(());
            }
        });
        // No launch is over before the writer has begun.
        has_written.recv().unwrap();
        let launch = || {
            for _ in 0..150 {
                let record = engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
                assert_eq!(record.bset, record.inheritable);
            }
        };
        let both = [s.spawn(launch), s.spawn(launch)];
        let ends = both.map(|l| l.join());
        // Set first, so that the writer ends even if a launch has failed.
        over.store(true, Ordering::Relaxed);
        ends.into_iter().for_each(Result::unwrap);
        writer.join().unwrap();
    });
    let whole = [MODULE, SETPCAP].map(|m| CapPlan { bounding: m, inheritable: m });
    let launches = host.launches();
    assert_eq!(launches.len(), 300);
    assert!(launches.iter().all(|l| whole.contains(&l.sets)), "a mixture: {launches:?}");
}

#[test]
fn sys_3_auth_3_a_write_for_an_outside_process_needs_its_capabilities_and_never_resets() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    let masks = [KnobWrite::Bset, KnobWrite::Inheritable].map(|knob| knob(MaskExpr::Exactly(MODULE)));
    let before = engine.snapshot().knobs;
    for effective in [CapMask::EMPTY, MODULE, SETPCAP, KNOWN.minus(SETPCAP), KNOWN.minus(MODULE)] {
        for mask in &masks {
            // Together with a knob that may be written: neither is.
            let (key, error) = engine.write_as(&[path("/x"), mask.clone()], &outside(effective)).unwrap_err();
            assert_eq!((key, error.errno()), (mask.key(), Errno::EPERM), "{effective:?}");
        }
    }
    // `write` does not know the writer's capabilities.
    assert_eq!(engine.write(&masks, Origin::Outside).unwrap_err().1.errno(), Errno::EPERM);
    for reset in [KnobWrite::ResetBset, KnobWrite::ResetInheritable] {
        for origin in [Origin::Outside, Origin::CommandLine] {
            let actor = outside(KNOWN).by(origin);
            let (key, error) = engine.write_as(std::slice::from_ref(&reset), &actor).unwrap_err();
            assert_eq!((key, error.errno()), (reset.key(), Errno::EPERM), "{origin:?}");
        }
    }
    assert_eq!((engine.snapshot().knobs, received(&events).len()), (before, 0));
    engine.write_as(&masks, &outside(MODULE | SETPCAP)).unwrap();
    let knobs = engine.snapshot().knobs;
    assert_eq!((knobs.bset, knobs.inheritable), (MODULE, MODULE));
    // The embedder decides about every other knob, for any actor (AUTH-1).
    engine.write(&[path("/x")], Origin::Outside).unwrap();
    assert_eq!(&*engine.snapshot().knobs.modprobe, b"/x");
}

#[test]
fn sys_9_several_knobs_or_none() {
    let host = host(Script::default());
    let engine = start(&host);
    let events = subscribe(&engine);
    let bset = KnobWrite::Bset(MaskExpr::Exactly(MODULE));
    let before = engine.snapshot().knobs;
    let refused = engine.write(&[path(""), bset.clone(), KnobWrite::MaxConcurrent(0)], Origin::Library);
    assert_eq!(refused.unwrap_err().0, Key::MaxConcurrent);
    assert_eq!(engine.snapshot().knobs, before);
    let changes = engine.write(&[path("/x"), bset, KnobWrite::MaxConcurrent(7)], Origin::Console).unwrap();
    assert_eq!(changes.iter().map(|c| c.after.to_string()).collect::<Vec<_>>(), ["/x", "65536\t0", "7"]);
    let after = engine.snapshot().knobs;
    assert_eq!((&*after.modprobe, after.bset, after.max_concurrent), (&b"/x"[..], MODULE, 7));
    let received = received(&events);
    let origins = received.iter().map(|e| match e.kind {
        EventKind::KnobChanged { ref actor, .. } => actor.origin,
        ref other => panic!("{other:?}"),
    });
    assert_eq!(origins.collect::<Vec<_>>(), [Origin::Console; 3]);
}

#[test]
fn sys_9_the_era_is_fixed_by_the_first_request() {
    let host = host(Script::default());
    let engine = start(&host);
    set(&engine, KnobWrite::Era(Era::Current));
    set(&engine, KnobWrite::Era(Era::V3_4));
    // A refused request counts too.
    engine.request_module("", true);
    let (key, error) = engine.write(&[KnobWrite::Era(Era::Current)], Origin::Library).unwrap_err();
    assert_eq!((key, error.errno()), (Key::Era, Errno::EBUSY));
    set(&engine, KnobWrite::Era(Era::V3_4));
}

/// Each knob's last change has an actor, a time and both values; an unchanged knob has none.
#[test]
fn auth_5_each_knob_remembers_its_last_change() {
    let host = host(Script::default());
    host.change(|m| m.threads_max = Some(0));
    let engine = start(&host);
    engine.request_module("x", true);
    host.change(|m| m.threads_max = Some(100_000));
    assert_eq!(engine.snapshot().provenance, []);
    let by = |pid: i32| Actor::new(Origin::Console, pid, 1234, 5, b"client");
    host.advance(SECOND);
    engine.write_as(&[path("/a"), KnobWrite::MaxConcurrent(7)], &by(1)).unwrap();
    host.advance(SECOND);
    engine.write_as(&[path("/b")], &by(2)).unwrap();
    // The whole write was refused, so there is no last change.
    engine.write_as(&[path("/c"), KnobWrite::MaxConcurrent(0)], &by(3)).unwrap_err();
    host.advance(SECOND);
    engine.set_depth_as(Depth::Freezing, &by(4)).unwrap();
    engine.reset_loop_messages_as(&by(5));
    let received: Vec<_> = engine
        .snapshot()
        .provenance
        .iter()
        .map(|p| {
            let change = &p.change;
            (change.key, change.before.to_string(), change.after.to_string(), p.actor.pid, p.at / SECOND)
        })
        .collect();
    let expected = [
        (Key::MaxConcurrent, "50", "7", 1, 1),
        (Key::Modprobe, "/a", "/b", 2, 2),
        (Key::Gate, "enabled", "freezing", 4, 3),
        (Key::LoopMessages, "1", "0", 5, 3),
    ];
    assert_eq!(received, expected.map(|(key, before, after, pid, at)| (key, before.into(), after.into(), pid, at)));
}
