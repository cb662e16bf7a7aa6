//! GATE-4: the read side with a time-out of 0.

use std::time::Duration;

use khelper::abi::depth::Depth;
use khelper::engine::Engine;
use khelper::sys::fake::Script;

use crate::support::*;

/// The time that was left, if the read side was taken; the guard is dropped.
fn lock_wait(engine: &Engine, timeout: i64) -> Option<Duration> {
    engine.read_lock_wait(timeout).unwrap().map(|(_guard, left)| left)
}

#[test]
fn gate_4_lock_wait_with_timeout_0_succeeds_only_at_an_open_gate() {
    let engine = start(&host(Script::default()));
    assert_eq!(lock_wait(&engine, 0), Some(Duration::ZERO), "the gate is open");
    assert_eq!(lock_wait(&engine, 7), Some(Duration::from_micros(7)));
    for depth in [Depth::Freezing, Depth::Disabled] {
        engine.set_depth(depth).unwrap();
        assert_eq!(lock_wait(&engine, 0), None, "{depth:?}");
        engine.enable().unwrap();
        assert_eq!(lock_wait(&engine, 0), Some(Duration::ZERO), "after {depth:?}");
    }
    // The guard works: the gate cannot change.
    let (guard, _) = engine.read_lock_wait(0).unwrap().unwrap();
    assert_eq!(engine.set_depth(Depth::Disabled).unwrap_err().errno, khelper::abi::Errno::EDEADLK);
    drop(guard);
    engine.set_depth(Depth::Disabled).unwrap();
}
