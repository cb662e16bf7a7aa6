//! The slots of module requests in both eras (REQ-3 to REQ-5, REQ-9).

use std::sync::Arc;

use super::super::cancel::Cancel;
use super::super::slots::{Slots, Waited};
use super::super::sysctl::{KnobWrite, Sysctl};
use super::clock::ModelClock;
use super::{Count, explore, join, saw, spawn};
use crate::abi::cap::CapMask;
use crate::policy::limit::Admission;

/// Slots, and the number of requests that hold one.
#[derive(Clone)]
struct Scene {
    slots: Arc<Slots>,
    sysctl: Arc<Sysctl>,
    clock: ModelClock,
    holding: Count,
    most: usize,
}

impl Scene {
    fn new(most: usize) -> Self {
        let sysctl = Sysctl::new(CapMask::up_to(40));
        sysctl.write(&[KnobWrite::MaxConcurrent(1)], None).unwrap();
        Self {
            slots: Arc::new(Slots::new()),
            sysctl: Arc::new(sysctl),
            clock: ModelClock::default(),
            holding: Count::default(),
            most,
        }
    }

    /// Holds a slot for a while, then releases it.
    fn hold(&self, id: u64) {
        saw("held");
        self.holding.up();
        assert!(self.holding.get() <= self.most);
        // Other threads may run here.
        drop(self.slots.lock());
        self.holding.down();
        self.slots.release(id, &self.sysctl);
    }

    fn wait(&self, id: u64, cancel: &Cancel) -> Waited {
        self.slots.wait(id, &self.clock, &self.sysctl, [cancel, &Cancel::new()], || {})
    }

    /// A request that waits until it gets a slot.
    fn request(&self, id: u64) {
        assert!(matches!(self.wait(id, &Cancel::new()), Waited::Granted));
        self.hold(id);
    }

    fn quiet(&self) {
        let limit = self.slots.lock();
        assert_eq!((limit.concurrent(), limit.waiting(), self.holding.get()), (0, 0, 0), "holders, waiters");
        assert!(limit.peak() as usize <= self.most);
    }
}

fn runaway() {
    let scene = Scene::new(1);
    let refused = Count::default();
    let request = |id| {
        let (scene, refused) = (scene.clone(), refused.clone());
        move || match scene.slots.admit(id, 1) {
            Admission::Admitted => scene.hold(id),
            Admission::Refused { log } => {
                saw("refused");
                refused.up();
                assert!(log && refused.get() <= 2);
            }
        }
    };
    let threads = [spawn(request(1)), spawn(request(2))];
    request(3)();
    join(threads);
    scene.quiet();
}

fn in_turn() {
    let scene = Scene::new(1);
    let (a, b) = (scene.clone(), scene.clone());
    let threads = [spawn(move || a.request(1)), spawn(move || b.request(2))];
    scene.request(3);
    join(threads);
    scene.quiet();
}

/// A request is cancelled while it waits: it leaves the queue at once, or gets a slot and releases it.
fn cancelled() {
    let scene = Scene::new(1);
    let (holder, waiter) = (scene.clone(), scene.clone());
    let cancel = Cancel::new();
    let fires = cancel.clone();
    let threads = [
        spawn(move || holder.request(1)),
        spawn(move || match waiter.wait(2, &cancel) {
            Waited::Granted => waiter.hold(2),
            Waited::Cancelled => saw("cancelled"),
            Waited::TimedOut(_) => panic!("no time has passed"),
        }),
    ];
    fires.cancel();
    join(threads);
    scene.quiet();
}

fn time_runs_out() {
    let scene = Scene::new(1);
    let (holder, waiter, clock) = (scene.clone(), scene.clone(), scene.clock.clone());
    let threads = [
        spawn(move || {
            if let Waited::Granted = holder.wait(1, &Cancel::new()) {
                holder.hold(1);
            }
        }),
        spawn(move || match waiter.wait(2, &Cancel::new()) {
            Waited::Granted => waiter.hold(2),
            Waited::TimedOut(throttle) => {
                saw("timed out");
                assert!(throttle.log);
            }
            Waited::Cancelled => panic!("no thread cancels"),
        }),
    ];
    clock.advance(5_000_000);
    join(threads);
    scene.quiet();
}

/// The limit is raised while one request holds the only slot, and keeps it: the waiter must be woken.
fn raised() {
    let scene = Scene::new(2);
    assert!(matches!(scene.wait(1, &Cancel::new()), Waited::Granted));
    let (waiter, writer) = (scene.clone(), scene.clone());
    let threads = [
        spawn(move || waiter.request(2)),
        spawn(move || {
            writer.sysctl.write(&[KnobWrite::MaxConcurrent(2)], None).unwrap();
            writer.slots.limit_changed(&writer.sysctl);
        }),
    ];
    join(threads);
    scene.slots.release(1, &scene.sysctl);
    scene.quiet();
}

#[test]
fn model_req_4_counted_then_compared() {
    explore("slots, era 3.4, three requests for one", runaway, &["held", "refused"]);
}

#[test]
fn model_req_5_req_9_slots_are_waited_for_and_given_back() {
    explore("slots, era current, three requests for one", in_turn, &["held"]);
    explore("slots, a waiter cancelled", cancelled, &["cancelled", "held"]);
    explore("slots, time runs out", time_runs_out, &["held", "timed out"]);
    explore("slots, the limit raised", raised, &["held"]);
}

#[test]
fn model_faults_of_the_slots_are_found() {
    use super::super::faults::Fault;
    let test = "model_req_5_req_9_slots_are_waited_for_and_given_back";
    super::finds(Fault::SlotKeptOnCancel, module_path!(), test, "holders, waiters");
    super::finds(Fault::LostWakeUp, module_path!(), test, "deadlock");
}
