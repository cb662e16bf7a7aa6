//! GATE-4: the read side with no time to wait.

use std::time::Duration;

use khelper::abi::depth::Depth;
use khelper::engine::Engine;
use khelper::sys::fake::Script;

use crate::support::*;

/// The time that is left with the guard, if the gate gives one; the guard is dropped.
fn lock_wait(engine: &Engine, timeout: i64) -> Option<Duration> {
    engine.read_lock_wait(timeout).unwrap().map(|(_guard, left)| left)
}

#[test]
fn gate_4_lock_wait_with_no_time_takes_an_open_gate_and_no_other() {
    let engine = start(&host(Script::default()));
    assert_eq!(lock_wait(&engine, 0), Some(Duration::ZERO), "nothing has to be waited for");
    assert_eq!(lock_wait(&engine, 7), Some(Duration::from_micros(7)));
    for shut in [Depth::Freezing, Depth::Disabled] {
        engine.set_depth(shut).unwrap();
        assert_eq!(lock_wait(&engine, 0), None, "{shut:?}");
        engine.enable().unwrap();
        assert_eq!(lock_wait(&engine, 0), Some(Duration::ZERO), "{shut:?} is over");
    }
    // The guard is a real one: it keeps the gate from changing.
    let (guard, _) = engine.read_lock_wait(0).unwrap().unwrap();
    assert_eq!(engine.set_depth(Depth::Disabled).unwrap_err().errno, khelper::abi::Errno::EDEADLK);
    drop(guard);
    engine.set_depth(Depth::Disabled).unwrap();
}
