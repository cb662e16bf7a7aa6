//! The gate: drain, readers, a second `disable` (GATE-2 to GATE-5).

use std::sync::Arc;

use nix::errno::Errno;

use super::super::gate::{Gatekeeper, ReadGuard};
use super::clock::ModelClock;
use super::{Count, explore, explore_many, join, saw, spawn};
use crate::abi::depth::Depth;

const NOBODY: &dyn Fn(Depth, Depth) = &|_, _| ();

/// An open gate, and how many calls have been let through it that are not over.
#[derive(Clone)]
struct Scene {
    gate: Arc<Gatekeeper>,
    inside: Count,
    /// Drains that found nobody inside.
    drained: Count,
    clock: ModelClock,
}

impl Scene {
    fn new() -> Self {
        let gate = Arc::new(Gatekeeper::new());
        gate.set_depth(Depth::Enabled, NOBODY).unwrap();
        Self { gate, inside: Count::default(), drained: Count::default(), clock: ModelClock::default() }
    }

    /// A call, from its count on.
    fn call(&self, id: u64) {
        if self.gate.enter(id).is_ok() {
            self.inside.up();
            saw("admitted");
            assert_eq!(self.drained.get(), 0, "nothing is inside after a drain");
            // Its life: others may run here.
            drop(self.gate.lock());
            self.inside.down();
        } else {
            saw("busy");
        }
        self.gate.leave(id);
    }

    /// Shuts and drains. If it says that it did, no call is inside, as long as nobody opens.
    fn disable(&self, depth: Depth) {
        let held_out = self.gate.disable(&self.clock, depth, NOBODY).unwrap();
        assert_eq!((held_out, self.inside.get()), (Vec::new(), 0), "held out, inside");
        self.drained.up();
    }

    /// A holder of the read side keeps the gate from changing.
    fn hold(&self, guard: ReadGuard) {
        saw("read");
        assert_eq!(self.gate.lock().depth(), Depth::Enabled);
        assert_eq!(self.gate.set_depth(Depth::Disabled, NOBODY), Err(Errno::EDEADLK));
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
    assert_eq!(scene.gate.enter(3), Err(Errno::EBUSY), "nothing is admitted after the gate was shut");
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

/// A call may hold out until time runs out: the gate is open again then, and the call is named.
fn time_runs_out() {
    let scene = Scene::new();
    let (caller, clock) = (scene.clone(), scene.clock.clone());
    let threads = [spawn(move || caller.call(1)), spawn(move || clock.advance(5_000_000))];
    let held_out = scene.gate.disable(&scene.clock, Depth::Disabled, NOBODY).unwrap();
    let depth = scene.gate.lock().depth();
    if held_out.is_empty() {
        saw("drained");
        assert_eq!((depth, scene.inside.get()), (Depth::Disabled, 0));
    } else {
        saw("held out");
        assert_eq!((held_out, depth), (vec![1], Depth::Enabled));
    }
    join(threads);
    scene.quiet();
}

/// A reader waits while the gate is freezing, and up to its time; every change of depth wakes it.
fn freezing_and_thawed() {
    let scene = Scene::new();
    scene.gate.set_depth(Depth::Freezing, NOBODY).unwrap();
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
    scene.gate.set_depth(Depth::Enabled, NOBODY).unwrap();
    join(threads);
    scene.quiet();
}

/// The engine's end is not put off by a reader, and nothing opens the gate again.
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
            let set = writer.gate.set_depth(Depth::Freezing, NOBODY);
            saw(if set.is_ok() { "written" } else { "shut down" });
            assert!(matches!(set, Ok(()) | Err(Errno::ESHUTDOWN)));
        }),
    ];
    scene.gate.shut_for_good(NOBODY);
    assert_eq!(scene.gate.lock().depth(), Depth::Disabled);
    join(threads);
    assert_eq!(scene.gate.lock().depth(), Depth::Disabled);
}

#[test]
fn model_gate_2_gate_3_after_a_drain_no_call_is_inside() {
    explore("gate, drain and two calls", drain_and_calls, &["admitted", "busy"]);
    explore("gate, two drains and a call", two_drains, &["admitted", "busy"]);
    explore("gate, a drain whose time runs out", time_runs_out, &["admitted", "busy", "drained", "held out"]);
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
    super::finds(Fault::CountAfterGate, module_path!(), test, "nothing is inside after a drain");
    super::finds(Fault::LostWakeUp, module_path!(), test, "deadlock");
}
