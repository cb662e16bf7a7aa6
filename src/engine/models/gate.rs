//! The gate: drain, readers, a second `disable` (GATE-2 to GATE-5).

use std::sync::Arc;

use nix::errno::Errno;

use super::super::gate::{Gatekeeper, ReadGuard};
use super::clock::ModelClock;
use super::{Count, explore, explore_many, join, saw, spawn};
use crate::abi::depth::Depth;

const IGNORE: &dyn Fn(Depth, Depth) = &|_, _| ();

/// An open gate, and the number of admitted calls that have not ended.
#[derive(Clone)]
struct Scene {
    gate: Arc<Gatekeeper>,
    inside: Count,
    /// Drains that ended with no call inside.
    drained: Count,
    clock: ModelClock,
}

impl Scene {
    fn new() -> Self {
        let gate = Arc::new(Gatekeeper::new());
        gate.set_depth(Depth::Enabled, IGNORE).unwrap();
        Self { gate, inside: Count::default(), drained: Count::default(), clock: ModelClock::default() }
    }

    /// A call: enters the gate, and leaves it.
    fn call(&self, id: u64) {
        if self.gate.enter(id).is_ok() {
            self.inside.up();
            saw("admitted");
            assert_eq!(self.drained.get(), 0, "no call is inside after a drain");
            // The call runs: other threads may run here.
            drop(self.gate.lock());
            self.inside.down();
        } else {
            saw("busy");
        }
        self.gate.leave(id);
    }

    /// Disables the gate and drains. After a successful drain no call is inside until the gate is enabled.
    fn disable(&self, depth: Depth) {
        let holdouts = self.gate.disable(&self.clock, depth, IGNORE).unwrap();
        assert_eq!((holdouts, self.inside.get()), (Vec::new(), 0), "still running, inside");
        self.drained.up();
    }

    /// Holds the read side: the gate's depth cannot change meanwhile.
    fn hold(&self, guard: ReadGuard) {
        saw("read");
        assert_eq!(self.gate.lock().depth(), Depth::Enabled);
        assert_eq!(self.gate.set_depth(Depth::Disabled, IGNORE), Err(Errno::EDEADLK));
        assert_eq!(self.gate.lock().depth(), Depth::Enabled);
        drop(guard);
    }

    fn quiet(&self) {
        let gate = self.gate.lock();
        assert_eq!((gate.running_helpers(), gate.draining(), self.inside.get()), (0, false, 0));
    }
}

fn drain_and_calls() {
    let scene = Scene::new();
    let (a, b) = (scene.clone(), scene.clone());
    let threads = [spawn(move || a.call(1)), spawn(move || b.call(2))];
    scene.disable(Depth::Disabled);
    assert_eq!(scene.gate.enter(3), Err(Errno::EBUSY), "no call is admitted after the gate was disabled");
    scene.gate.leave(3);
    join(threads);
    scene.quiet();
}

fn drain_and_a_reader() {
    let scene = Scene::new();
    let (reader, caller) = (scene.clone(), scene.clone());
    let threads = [
        spawn(move || match reader.gate.read_trylock() {
            Ok(guard) => reader.hold(guard),
            Err(errno) => {
                saw("refused");
                assert_eq!((errno, reader.gate.lock().depth()), (Errno::EAGAIN, Depth::Disabled));
            }
        }),
        spawn(move || caller.call(1)),
    ];
    scene.disable(Depth::Disabled);
    join(threads);
    scene.quiet();
}

fn two_drains() {
    let scene = Scene::new();
    let (second, caller) = (scene.clone(), scene.clone());
    let threads = [spawn(move || second.disable(Depth::Freezing)), spawn(move || caller.call(1))];
    scene.disable(Depth::Disabled);
    join(threads);
    assert_ne!(scene.gate.lock().depth(), Depth::Enabled);
    scene.quiet();
}

/// A call may still run when the drain times out: then the gate is enabled again, and the drain returns the call's id.
fn time_runs_out() {
    let scene = Scene::new();
    let (caller, clock) = (scene.clone(), scene.clock.clone());
    let threads = [spawn(move || caller.call(1)), spawn(move || clock.advance(5_000_000))];
    let holdouts = scene.gate.disable(&scene.clock, Depth::Disabled, IGNORE).unwrap();
    let depth = scene.gate.lock().depth();
    if holdouts.is_empty() {
        saw("drained");
        assert_eq!((depth, scene.inside.get()), (Depth::Disabled, 0));
    } else {
        saw("still running");
        assert_eq!((holdouts, depth), (vec![1], Depth::Enabled));
    }
    join(threads);
    scene.quiet();
}

/// Readers wait while the gate is freezing, one of them with a time limit; every change of depth wakes them.
fn freezing_and_thawed() {
    let scene = Scene::new();
    scene.gate.set_depth(Depth::Freezing, IGNORE).unwrap();
    let (patient, hasty, clock) = (scene.clone(), scene.clone(), scene.clock.clone());
    let threads = [
        spawn(move || patient.hold(patient.gate.read_trylock().unwrap())),
        spawn(move || match hasty.gate.read_lock_wait(&hasty.clock, 7) {
            Some((guard, left)) => {
                assert!(left.as_micros() <= 7);
                hasty.hold(guard);
            }
            None => {
                saw("no time left");
                assert_eq!(crate::sys::host::Clock::now(&hasty.clock), 7);
            }
        }),
        spawn(move || clock.advance(7)),
    ];
    scene.gate.set_depth(Depth::Enabled, IGNORE).unwrap();
    join(threads);
    scene.quiet();
}

/// A reader does not delay the engine's end, and after it nothing opens the gate.
fn the_end() {
    let scene = Scene::new();
    let (reader, writer) = (scene.clone(), scene.clone());
    let threads = [
        spawn(move || {
            if let Ok(guard) = reader.gate.read_trylock() {
                drop(reader.gate.lock());
                drop(guard);
            }
        }),
        spawn(move || {
            let set = writer.gate.set_depth(Depth::Freezing, IGNORE);
            saw(if set.is_ok() { "written" } else { "shut down" });
            assert!(matches!(set, Ok(()) | Err(Errno::ESHUTDOWN)));
        }),
    ];
    scene.gate.shut_for_good(IGNORE);
    assert_eq!(scene.gate.lock().depth(), Depth::Disabled);
    join(threads);
    assert_eq!(scene.gate.lock().depth(), Depth::Disabled);
}

#[test]
fn model_gate_2_gate_3_after_a_drain_no_call_is_inside() {
    explore("gate, drain and two calls", drain_and_calls, &["admitted", "busy"]);
    explore("gate, two drains and a call", two_drains, &["admitted", "busy"]);
    explore("gate, a drain whose time runs out", time_runs_out, &["admitted", "busy", "drained", "still running"]);
}

#[test]
fn model_gate_4_gate_5_readers_and_changes_of_depth() {
    explore("gate, drain, a reader and a call", drain_and_a_reader, &["admitted", "busy", "read", "refused"]);
    explore_many("gate, readers while it is freezing", freezing_and_thawed, &["no time left", "read"]);
    explore("gate, the engine's end", the_end, &["shut down", "written"]);
}

#[test]
fn model_faults_of_the_gate_are_found() {
    use super::super::faults::Fault;
    let test = "model_gate_2_gate_3_after_a_drain_no_call_is_inside";
    super::finds(Fault::CountAfterGate, module_path!(), test, "no call is inside after a drain");
    super::finds(Fault::LostWakeUp, module_path!(), test, "deadlock");
}
