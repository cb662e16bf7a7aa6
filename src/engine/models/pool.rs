//! The workers: reuse of idle workers, generations of masks, retirement, and the engine's end.

use std::sync::Arc;

use super::super::narrowing::{Narrowed, NextStep};
use super::super::sysctl::{KnobWrite, Sysctl};
use super::super::workqueue::{Job, Pool};
use super::clock::ModelClock;
use super::{Count, explore_many, explore_to, join, saw, spawn};
use crate::abi::cap::{CapMask, CapSets, ThreadSets};
use crate::abi::launch_spec::{Enforcement, LaunchSpec};
use crate::abi::mask::{MaskExpr, Masks};
use crate::policy::masks;
use crate::sys::caller::CallerState;
use crate::sys::host::{CapPlan, Ended, LaunchFailure, Launched, Watcher, Worker};

const KNOWN: CapMask = CapMask::up_to(40);
const HOST: CapSets = CapSets {
    permitted: KNOWN,
    effective: KNOWN,
    bounding: KNOWN,
    inheritable: CapMask::EMPTY,
    ambient: CapMask::EMPTY,
};

/// A thread whose sets can be narrowed and never widened, as in Linux.
struct ModelWorker(CapPlan);

impl Worker for ModelWorker {
    fn host_sets(&self) -> ThreadSets {
        HOST.into()
    }
    fn has_root_of(&self, _: &CallerState) -> bool {
        true
    }
    fn narrow(&mut self, plan: &CapPlan) -> Enforcement {
        self.0.bounding = self.0.bounding & plan.bounding;
        self.0.inheritable = self.0.inheritable & plan.inheritable;
        Enforcement::Masks
    }
    fn launch(&mut self, _: &LaunchSpec) -> Result<Launched, LaunchFailure> {
        unreachable!("no helper is made in the model")
    }
    fn wait(&mut self, _: &mut dyn Watcher) -> Ended {
        unreachable!("no helper is made in the model")
    }
}

/// A call, with its own masks if it has any.
#[derive(Clone)]
struct Call {
    own: Option<Masks>,
}

impl Job for Call {
    fn alone(&self) -> bool {
        self.own.is_some()
    }
    fn wake(&self) {}
}

#[derive(Clone)]
struct Scene {
    pool: Arc<Pool<Call>>,
    sysctl: Arc<Sysctl>,
    launched: Count,
    workers: Count,
    ended: Count,
    clock: ModelClock,
}

impl Scene {
    /// Starts with an empty bounding set, so that a `reset` widens it.
    fn new() -> Self {
        let sysctl = Sysctl::new(KNOWN);
        sysctl.write(&[KnobWrite::Bset(MaskExpr::Exactly(CapMask::EMPTY))], None).unwrap();
        Self {
            pool: Arc::new(Pool::new()),
            sysctl: Arc::new(sysctl),
            launched: Count::default(),
            workers: Count::default(),
            ended: Count::default(),
            clock: ModelClock::default(),
        }
    }

    fn submit(&self) {
        self.pool.submit(Call { own: None });
    }

    /// Writes a knob, as `Engine::write` does.
    fn write(&self, write: KnobWrite) {
        self.sysctl.write(&[write], None).unwrap();
        self.pool.retire_before(self.sysctl.copy().generation);
    }

    /// The spawner, whose workers end before it does.
    fn spawner(&self) {
        let mut workers = Vec::new();
        while let Some(job) = self.pool.next_fresh() {
            let scene = self.clone();
            workers.push(spawn(move || scene.worker(job)));
        }
        join(workers);
    }

    /// A worker that decides as `Inner::run` does, without helpers.
    fn worker(&self, first: Call) {
        self.workers.up();
        let mut worker = ModelWorker(CapPlan { bounding: HOST.bounding, inheritable: HOST.inheritable });
        let mut narrowed = None;
        let mut served = 0;
        self.pool.serve(first, &self.clock, |call| {
            served += 1;
            saw(if served == 1 { "fresh" } else { "reused" });
            let values = self.sysctl.copy();
            let plan = masks::plan(&worker.host_sets(), values.bset, values.inheritable, call.own);
            if !Narrowed::serves(&narrowed, plan) {
                saw("handed over");
                return NextStep::HandOver;
            }
            let _ = Narrowed::narrow(&mut narrowed, &mut worker, plan);
            assert_eq!(worker.0, plan, "launched with the masks of one hold of their lock");
            self.launched.up();
            Narrowed::next_step(&narrowed, plan, values.generation, call.own.is_some())
        });
        self.ended.up();
    }
}

impl Scene {
    fn over(&self) {
        assert_eq!(self.launched.get(), 2, "every call is launched once");
        assert_eq!(self.ended.get(), self.workers.get(), "every worker has ended");
    }
}

/// Two calls while the masks are reset: a worker that was narrowed before the reset hands its call over.
fn reset() {
    let scene = Scene::new();
    let (spawner, caller) = (scene.clone(), scene.clone());
    let threads = [
        spawn(move || spawner.spawner()),
        spawn(move || {
            caller.submit();
            caller.submit();
            caller.pool.close();
        }),
    ];
    scene.write(KnobWrite::ResetBset);
    join(threads);
    scene.over();
    assert!(scene.workers.get() <= 2);
}

/// Two callers, and the engine ends: queued calls still get a worker.
fn ending() {
    let scene = Scene::new();
    let (spawner, caller) = (scene.clone(), scene.clone());
    scene.submit();
    let threads = [spawn(move || spawner.spawner()), spawn(move || caller.submit())];
    let [spawner, caller] = threads;
    join([caller]);
    scene.pool.close();
    join([spawner]);
    scene.over();
}

/// A call with its own masks gets a separate worker, which is retired after it.
fn own_masks() {
    let scene = Scene::new();
    let (spawner, caller) = (scene.clone(), scene.clone());
    let threads = [
        spawn(move || spawner.spawner()),
        spawn(move || caller.pool.submit(Call { own: Some(Masks::new(CapMask::EMPTY, CapMask::EMPTY)) })),
    ];
    scene.submit();
    let [spawner, caller] = threads;
    join([caller]);
    scene.pool.close();
    join([spawner]);
    scene.over();
    assert_eq!(scene.workers.get(), 2);
}

/// Idle workers do not stay, and time passes while a second call is made: the worker takes the call, or has ended.
fn lingering() {
    let scene = Scene { pool: Arc::new(Pool::keeping(0)), ..Scene::new() };
    let (spawner, time) = (scene.clone(), scene.clock.clone());
    scene.submit();
    let [spawner, time] = [spawn(move || spawner.spawner()), spawn(move || time.advance(10_000_000))];
    scene.submit();
    join([time]);
    scene.pool.close();
    join([spawner]);
    scene.over();
}

#[test]
fn model_umh_7_a_call_finds_a_worker_however_long_idle_ones_have_lingered() {
    // Each read of the clock is another place to switch: with a third preemption this takes minutes.
    explore_to(2, "workers, lingering", lingering, &["fresh", "reused"]);
}

#[test]
fn model_sys_7_no_call_is_launched_with_masks_of_the_past() {
    explore_many("workers, two calls and a reset", reset, &["fresh", "handed over", "reused"]);
}

#[test]
fn model_umh_7_every_call_gets_a_worker_and_every_worker_ends() {
    explore_many("workers, the engine's end", ending, &["fresh", "reused"]);
    explore_many("workers, a call with its own masks", own_masks, &["fresh"]);
}

#[test]
fn model_faults_of_the_workers_are_found() {
    use super::super::faults::Fault;
    let stale = "model_sys_7_no_call_is_launched_with_masks_of_the_past";
    super::finds(Fault::StaleGeneration, module_path!(), stale, "launched with the masks");
    let every = "model_umh_7_every_call_gets_a_worker_and_every_worker_ends";
    super::finds(Fault::LostWakeUp, module_path!(), every, "deadlock");
}
