//! A stuck record sink: the engine waits for it only when the engine ends, and not for long.

use std::sync::mpsc::{Receiver, Sender, channel};
use std::sync::{Arc, Mutex};
use std::time::Duration;

use khelper::abi::event::Level;
use khelper::abi::record::Record;
use khelper::abi::sink::{Changed, RecordSink};
use khelper::engine::{Builder, Engine};
use khelper::sys::fake::{FakeHost, Script};

use crate::support::*;

/// A sink whose first call does not return until the test allows it.
struct Stuck {
    /// No message is sent: the channel is disconnected when the test drops its end.
    allowed: Mutex<Receiver<()>>,
    calls: Mutex<Sender<()>>,
}

/// The test's side of the sink.
struct Hold {
    allow: Sender<()>,
    /// The calls of the sink. Disconnected when the sink is dropped.
    calls: Receiver<()>,
}

fn stuck() -> (Arc<dyn RecordSink>, Hold) {
    let ((allow, allowed), (call, calls)) = (channel(), channel());
    (Arc::new(Stuck { allowed: Mutex::new(allowed), calls: Mutex::new(call) }), Hold { allow, calls })
}

impl Stuck {
    fn call(&self) {
        self.calls.lock().unwrap().send(()).unwrap();
        let _ = self.allowed.lock().unwrap().recv();
    }
}

impl RecordSink for Stuck {
    fn started(&self, _: &Arc<Record>) {
        self.call();
    }
    fn finished(&self, _: &Arc<Record>) {
        self.call();
    }
    fn changed(&self, _: &Changed) {
        self.call();
    }
}

fn start_with(host: &Arc<FakeHost>, builder: Builder) -> Engine {
    builder.host(host.clone()).start().unwrap()
}

#[test]
fn a_stuck_sink_delays_no_request_and_its_losses_are_counted_and_logged() {
    let host = host(Script::default());
    let (sink, hold) = stuck();
    let engine = start_with(&host, Engine::builder().record_sink(sink).record_sink_queue(8 * 1024));
    let (lost, calls) = scope(&host, |s| {
        let Hold { allow, calls } = hold;
        // The event of the gate's opening.
        calls.recv().unwrap();
        let requests = s.spawn(|| (0..40).for_each(|_| drop(engine.request_module("dummy", true))));
        host.wait_for("every helper is launched", |now| now.launched == 40);
        requests.join().unwrap();
        let snapshot = engine.snapshot();
        let lost = snapshot.totals.records_lost;
        assert!(lost > 40 && lost < 80, "each request has a start and an end, and a few of them fit: {lost}");
        let logged: Vec<_> = snapshot.warnings.iter().map(|line| (line.level(), line.text().to_string())).collect();
        let text = |n| format!("the record sink is too slow or fails; records lost so far: {n}");
        assert_eq!(
            logged,
            [(Level::Warning, text(10)), (Level::Warning, text(1))],
            "the first and the tenth loss are logged"
        );
        drop(allow);
        (lost, calls)
    });
    drop(engine);
    assert_eq!(calls.iter().count() as u64 + lost, 80, "all other items were delivered");
}

#[test]
fn shutdown_waits_a_second_for_a_stuck_sink_and_no_longer() {
    let host = host(Script::default());
    let (sink, hold) = stuck();
    let engine = start_with(&host, Engine::builder().record_sink(sink));
    let calls = scope(&host, |s| {
        let Hold { allow, calls } = hold;
        engine.request_module("dummy", true);
        let end = s.spawn(|| engine.shutdown(Duration::ZERO));
        host.wait_for("the engine's end waits for the sink", |now| now.on_clock == 1);
        host.advance(SECOND - 1);
        assert_eq!(host.counts().on_clock, 1);
        host.advance(1);
        assert!(end.join().unwrap().is_empty());
        drop(allow);
        calls
    });
    drop(engine);
    assert_eq!(calls.iter().count(), 4, "opened, started, finished, disabled");
}

#[test]
fn dropping_the_last_handle_waits_until_the_sink_has_received_everything() {
    let host = host(Script::default());
    let (sink, hold) = stuck();
    let engine = start_with(&host, Engine::builder().record_sink(sink));
    engine.request_module("dummy", true);
    scope(&host, |s| {
        let Hold { allow, calls } = hold;
        let end = s.spawn(move || drop(engine));
        host.wait_for("the engine's end waits for the sink", |now| now.on_clock == 1);
        drop(allow);
        // No time passes.
        end.join().unwrap();
        assert_eq!(calls.try_iter().count(), 3, "opened, started, finished");
    });
}
