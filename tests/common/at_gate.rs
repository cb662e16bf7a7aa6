//! Readers and writers of the gate, on threads that a test can wait for.

use std::sync::mpsc::channel;
use std::thread;
use std::time::{Duration, Instant};

use khelper::engine::Engine;

/// Longer than a machine under load needs: a reader that is never woken fails its test and does not hang it.
const PATIENCE: Duration = Duration::from_secs(20);

/// Waits until so many threads sleep at the gate: each has looked at it by then.
pub fn at_gate(engine: &Engine, count: u32) {
    let deadline = Instant::now() + PATIENCE;
    while engine.gate_waiters() != count {
        assert!(Instant::now() < deadline, "{} wait at the gate, not {count}", engine.gate_waiters());
        thread::yield_now();
    }
}

/// What a call at the gate answers, on a thread that is left behind if it never does.
pub fn answer_of<T: Send + 'static>(
    engine: &Engine,
    ask: impl FnOnce(&Engine) -> T + Send + 'static,
) -> impl FnOnce() -> T {
    let (tell, told) = channel();
    let engine = engine.clone();
    thread::spawn(move || tell.send(ask(&engine)));
    move || told.recv_timeout(PATIENCE).unwrap()
}
