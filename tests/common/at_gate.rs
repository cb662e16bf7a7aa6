//! Calls that wait at the gate, on threads that a test can wait for.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use khelper::engine::Engine;

/// Longer than a machine under load needs: if a reader is never woken, its test fails instead of hanging.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until `count` threads sleep at the gate: then each of them has checked it.
pub fn at_gate(engine: &Engine, count: u32) {
    let deadline = Instant::now() + PATIENCE;
    while engine.gate_waiters() != count {
        assert!(Instant::now() < deadline, "{} threads wait at the gate, not {count}", engine.gate_waiters());
        thread::yield_now();
    }
}

/// Makes a call on another thread. Returns a function that waits for its result, and fails if the call hangs.
pub fn answer_of<T: Send + 'static>(
    engine: &Engine,
    call: impl FnOnce(&Engine) -> T + Send + 'static,
) -> impl FnOnce() -> T {
    let (sender, receiver) = channel();
    let engine = engine.clone();
    thread::spawn(move || sender.send(call(&engine)));
    move || receiver.recv_timeout(PATIENCE).unwrap()
}
