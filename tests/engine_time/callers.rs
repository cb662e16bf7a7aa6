//! Which workers serve which calling threads (UMH-10), on a host whose threads change state as the test asks.

use khelper::abi::Errno;
use khelper::abi::cap::{CapMask, Capability, ReadSet};
use khelper::abi::mask::MaskExpr;
use khelper::abi::record::Outcome;
use khelper::abi::wait::WaitMode;
use khelper::engine::{Engine, KnobWrite};
use khelper::sys::fake::{FakeHost, Script};

use crate::support::*;

const CALLS: usize = 100;
const KNOWN: CapMask = CapMask::up_to(40);
const MODULE: CapMask = CapMask::only(Capability::SYS_MODULE);

fn call(engine: &Engine) {
    assert_eq!(engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC).result, Some(0));
}

/// Gives every thread another bounding set from now on: one of 40.
fn change(host: &FakeHost, which: u32) {
    host.change(|m| m.sets.bounding = ReadSet::Known(KNOWN.minus(CapMask::from_bits(1 << which))));
}

/// Checks that workers are reused. A worker may not be idle yet when the next call comes, so a few are started; but not
/// one for each call.
fn were_reused(host: &FakeHost, calls: usize) {
    let workers = host.counts().workers_made;
    assert!(workers <= calls / 2, "{workers} workers for {calls} calls");
}

#[test]
fn umh_10_idle_workers_serve_every_thread_in_the_state_they_were_made_in() {
    let host = host(Script::default());
    let engine = start(&host);
    for _ in 0..CALLS / 4 {
        call(&engine);
        std::thread::scope(|s| (0..3).for_each(|_| s.spawn(|| call(&engine)).join().unwrap()));
    }
    were_reused(&host, CALLS);
}

#[test]
fn umh_10_two_states_that_alternate_have_idle_workers_each() {
    let host = host(Script::default());
    let engine = start(&host);
    for n in 0..CALLS {
        change(&host, u32::try_from(n % 2).unwrap());
        call(&engine);
    }
    were_reused(&host, CALLS);
    for (n, launch) in host.launches().iter().enumerate() {
        assert_eq!(launch.sets.bounding, KNOWN.minus(CapMask::from_bits(1 << (n % 2))), "call {n}");
    }
}

/// There are more states than open pools: the oldest pool is closed, and opened again when needed.
#[test]
fn umh_10_any_number_of_states_is_served() {
    let host = host(Script::default());
    let engine = start(&host);
    for n in 0..CALLS {
        change(&host, u32::try_from(n % 7).unwrap());
        call(&engine);
    }
    for (n, launch) in host.launches().iter().enumerate() {
        assert_eq!(launch.sets.bounding, KNOWN.minus(CapMask::from_bits(1 << (n % 7))), "call {n}");
    }
    let now = engine.snapshot();
    assert_eq!((now.queued, now.live_total, host.launches().len()), (0, 0, CALLS));
}

#[test]
fn umh_10_a_state_that_cannot_be_read_is_never_the_same() {
    let host = host(Script::default());
    let engine = start(&host);
    host.change(|m| m.root = None);
    (0..10).for_each(|_| call(&engine));
    assert_eq!(host.counts().workers_made, 10);
    // The state at the start again: the engine's first workers serve it.
    host.change(|m| m.root = Some(1));
    (0..CALLS).for_each(|_| call(&engine));
    were_reused(&host, CALLS);
}

#[test]
fn umh_10_a_root_that_changes_while_a_call_is_queued_refuses_it() {
    let host = host(Script::default());
    let engine = start(&host);
    host.change(|m| m.hold_workers = true);
    scope(&host, |s| {
        let caller = s.spawn(|| engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC));
        host.wait_for("a queued call", |now| now.held == 1);
        host.change(|m| (m.root, m.hold_workers) = (Some(2), false));
        let record = caller.join().unwrap();
        assert_eq!((record.result, record.outcome), (errno(Errno::EAGAIN), Outcome::Refused));
        assert!(record.why().is_some_and(|why| why.contains("root directory")), "{:?}", record.why());
        assert_eq!(host.counts().launched, 0);
    });
    call(&engine);
    assert_eq!(host.counts().launched, 1);
}

/// A change of the masks applies to the idle workers of every pool.
#[test]
fn sys_7_a_mask_reaches_the_workers_of_every_state() {
    let host = host(Script::default());
    let engine = start(&host);
    let both = || {
        for which in [0, 1] {
            change(&host, which);
            call(&engine);
        }
        host.launches().iter().rev().take(2).map(|l| l.sets.bounding).collect::<Vec<_>>()
    };
    let [one, other] = [0, 1].map(|which| KNOWN.minus(CapMask::from_bits(1 << which)));
    assert_eq!(both(), [other, one]);
    engine.write(&[KnobWrite::Bset(MaskExpr::Exactly(MODULE))], khelper::abi::actor::Origin::Library).unwrap();
    assert_eq!(both(), [MODULE, MODULE]);
    set(&engine, KnobWrite::ResetBset);
    assert_eq!(both(), [other, one]);
}
