//! REQ-12: 1,000 loops leave nothing behind. A test binary of its own, because it counts descriptors and threads.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/asking.rs"]
mod asking;
mod common;

use std::sync::Arc;
use std::sync::atomic::{AtomicU32, Ordering};

use asking::Asking;
use khelper::abi::actor::Origin;
use khelper::engine::{Engine, KnobWrite};

const LOOPS: u32 = 1000;
/// So many before the count.
const FIRST: u32 = 50;
/// As many are under way at once; the limit leaves each about two helpers.
const CALLERS: u32 = 4;
const LIMIT: u32 = 8;

/// Not a test: see [`asking::client`].
#[test]
fn client() {
    asking::client();
}

/// What this process holds: descriptors and threads.
fn held() -> [usize; 2] {
    ["fd", "task"].map(|what| std::fs::read_dir(format!("/proc/self/{what}")).unwrap().count())
}

/// Requests `loops` loops of one to three modules, and waits until all have ended.
fn run(asking: &Arc<Asking>, loops: u32) -> u32 {
    let left = Arc::new(AtomicU32::new(loops));
    let callers: Vec<_> = (0..CALLERS)
        .map(|_| {
            let (asking, left) = (asking.clone(), left.clone());
            let work = move || {
                let mut refused = 0;
                while let Ok(n) = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)) {
                    let record = asking.engine().request_module(format!("1-of-{}", n % 3 + 1), true);
                    // Refused itself, or it has passed on what its helper was told.
                    refused += u32::from(record.result != Some(0));
                }
                refused
            };
            std::thread::spawn(work)
        })
        .collect();
    callers.into_iter().map(|caller| caller.join().unwrap()).sum()
}

#[test]
fn req_12_a_thousand_loops_leave_nothing_behind() {
    let engine = Engine::start().unwrap();
    engine.write(&[KnobWrite::MaxConcurrent(LIMIT)], Origin::Library).unwrap();
    let asking = Arc::new(Asking::demo(engine));
    run(&asking, FIRST);
    let before = settled(&asking);
    let refused = run(&asking, LOOPS);
    assert_eq!(refused, LOOPS, "no loop gets through");
    let after = settled(&asking);
    let engine = asking.engine();
    let snapshot = engine.snapshot();
    // Each loop ends at one refused request. How many helpers it starts before depends on how many slots the others hold.
    let totals = &snapshot.totals;
    assert_eq!(totals.refused_limit, u64::from(FIRST + LOOPS), "{totals:?}");
    assert_eq!(totals.requests, totals.launched + totals.refused_limit, "{totals:?}");
    assert!(totals.launched > u64::from(LIMIT), "{totals:?}");
    assert_eq!((snapshot.live_total, snapshot.running_helpers, snapshot.queued, snapshot.live), (0, 0, 0, 0));
    assert_eq!((engine.sessions(), asking.processes()), (0, Vec::new()));
    // Idle workers are kept for the next calls, at most as many as there were at once.
    assert_eq!(after[0], before[0], "descriptors");
    assert!(after[1] <= before[1] + (LIMIT + CALLERS) as usize, "threads: {before:?}, {after:?}");
}

/// What this process holds once the answers to the last requests have been read.
fn settled(asking: &Asking) -> [usize; 2] {
    // A slot is given back, and a connection closed, just after the answer.
    while asking.engine().snapshot().slots.concurrent > 0 || asking.connections() > 0 {
        std::thread::yield_now();
    }
    held()
}
