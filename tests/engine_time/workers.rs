//! Idle workers: at most 64, and 8 after two seconds without a call.

use khelper::abi::wait::WaitMode;
use khelper::sys::fake::{FOREVER, Script};

use crate::support::*;

/// Idle workers that stay (`MIN_IDLE` of the engine).
const AT_REST: usize = 8;
/// The most idle workers (`MAX_IDLE` of the engine).
const MOST: usize = 64;
/// How long the others wait for another call (`LINGER` of the engine).
const LINGER: u64 = 2 * SECOND;

#[test]
fn a_burst_leaves_no_more_than_eight_idle_workers_behind() {
    let host = host(Script::default());
    let engine = start(&host);
    for _ in 0..100 {
        engine.call_usermodehelper(info("/bin/second"), WaitMode::NoWait);
    }
    host.wait_for("100 helpers", |now| now.running == 100);
    assert_eq!(host.counts().workers, 100, "a worker for each helper");
    host.advance(SECOND);
    host.wait_for("idle workers, each with its time to end", |now| {
        (now.running, now.workers, now.on_clock) == (0, MOST, MOST)
    });
    host.advance(LINGER - 1);
    assert_eq!(host.counts().workers, MOST);
    host.advance(1);
    host.wait_for("the end of the idle workers that are too many", |now| (now.workers, now.on_clock) == (AT_REST, 0));
    // They serve the next calls.
    engine.call_usermodehelper(info("/bin/true"), WaitMode::PROC);
    assert!(host.counts().workers <= AT_REST);
}

#[test]
fn bursts_in_series_are_served_by_the_same_workers() {
    let host = host(Script::default());
    let engine = start(&host);
    for _ in 0..3 {
        for _ in 0..50 {
            engine.call_usermodehelper(info("/bin/second"), WaitMode::NoWait);
        }
        host.wait_for("50 helpers", |now| now.running == 50);
        host.advance(SECOND);
        host.wait_for("50 idle workers", |now| (now.running, now.on_clock) == (0, 50 - AT_REST));
    }
    // Workers that were about to end may not have been reused.
    assert!(host.counts().workers_made <= 50 + 2 * AT_REST, "{:?}", host.counts());
}

#[test]
fn beside_many_helpers_no_more_than_sixty_four_workers_are_idle() {
    let host = host(Script::default());
    let engine = start(&host);
    for path in ["/bin/forever", "/bin/second"] {
        for _ in 0..100 {
            engine.call_usermodehelper(info(path), WaitMode::NoWait);
        }
    }
    host.wait_for("200 helpers", |now| now.running == 200);
    host.advance(SECOND);
    host.wait_for("the end of the idle workers that are too many", |now| {
        now.running == 100 && now.workers <= 100 + MOST
    });
    host.advance(FOREVER);
    host.wait_for("rest", |now| now.running == 0 && now.workers <= AT_REST);
}
