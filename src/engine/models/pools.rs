//! The pools: a worker in the caller's state serves the call, for every order of calls from different threads.

use std::sync::Arc;

use super::super::narrowing::NextStep;
use super::super::pools::Pools;
use super::super::workqueue::{Job, Pool};
use super::clock::ModelClock;
use super::{Count, explore_many, join, saw, spawn};
use crate::abi::cap::CapSets;
use crate::sys::caller::{CallerState, Filters, NAMESPACES, Root};

/// The state of a calling thread, or a state that could not be read.
fn state(which: u32, readable: bool) -> CallerState {
    CallerState {
        sets: CapSets::default().into(),
        ids: Some([which; 6]),
        securebits: Some(0),
        no_new_privs: Some(false),
        seccomp: Filters::Initial,
        root: readable.then_some(Root { device: (0, 1), inode: 1, mount: 1 }),
        namespaces: Some([1; NAMESPACES]),
    }
}

/// A call, with the number of its caller's state.
#[derive(Clone)]
struct From(u32);

impl Job for From {
    fn alone(&self) -> bool {
        false
    }
    fn wake(&self) {}
}

#[derive(Clone)]
struct Callers {
    pools: Arc<Pools<From>>,
    served: Count,
    spawners: Count,
    live: Count,
}

impl Callers {
    fn new() -> Self {
        Self {
            pools: Arc::new(Pools::new()),
            served: Count::default(),
            spawners: Count::default(),
            live: Count::default(),
        }
    }

    fn submit(&self, which: u32, readable: bool) {
        let started = self.pools.submit(state(which, readable), From(which), |pool, of| self.start(pool, of));
        assert!(started.is_ok());
    }

    /// Starts a spawner, whose workers run one at a time on the spawner's thread and have the state `of`.
    fn start(&self, pool: &Pool<From>, of: &Arc<CallerState>) -> std::io::Result<()> {
        let (callers, pool, of) = (self.clone(), pool.clone(), of.clone());
        callers.spawners.up();
        callers.live.up();
        spawn(move || {
            while let Some(first) = pool.next_fresh() {
                let mut fresh = true;
                pool.serve(first, &ModelClock::default(), |call| {
                    saw(if fresh { "fresh" } else { "reused" });
                    fresh = false;
                    assert_eq!(of.ids, Some([call.0; 6]), "served by a worker of another state");
                    callers.served.up();
                    NextStep::Idle(0)
                });
            }
            callers.live.down();
        });
        Ok(())
    }
}

/// Two threads in different states, one of which calls twice.
fn two_states() {
    let callers = Callers::new();
    let other = callers.clone();
    let thread = spawn(move || other.submit(2, true));
    callers.submit(1, true);
    callers.submit(1, true);
    join([thread]);
    callers.pools.close();
    assert_eq!(callers.spawners.get(), 2, "one for each state");
    callers.over(3);
}

/// Two threads in the same state, and a call whose state cannot be read.
fn one_state_and_none() {
    let callers = Callers::new();
    let other = callers.clone();
    let thread = spawn(move || other.submit(1, true));
    callers.submit(1, true);
    callers.submit(1, false);
    join([thread]);
    callers.pools.close();
    assert_eq!(callers.spawners.get(), 2, "one for the state, one for the call whose state is unknown");
    callers.over(3);
}

impl Callers {
    /// Waits for the spawners, because loom fails on a thread that has not ended, and checks the counts.
    fn over(&self, calls: usize) {
        while self.live.get() > 0 {
            loom::thread::yield_now();
        }
        assert_eq!(self.served.get(), calls, "every call is served once");
    }
}

#[test]
fn model_umh_10_a_call_is_served_by_a_worker_of_its_callers_state() {
    explore_many("pools, two states", two_states, &["fresh", "reused"]);
    explore_many("pools, one state and an unreadable one", one_state_and_none, &["fresh", "reused"]);
}
