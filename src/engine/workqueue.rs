//! The launching workers, named after the kernel's workqueue. One thread per live helper, idle ones reused. The
//! masks are a property of a thread in Linux, so each worker is cut down once and bears the generation of the masks
//! it was made for; it is retired when that is past.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sys::host::{Clock, Micros};

use super::narrowing::NextStep;
use super::sync::Monitor;

/// Idle workers kept, more than the limit on module requests; more than these end when their helper has.
const IDLE: usize = 64;
/// Idle workers kept for good. A burst leaves no more behind, [`LINGER`] after it.
const IDLE_AT_REST: usize = 8;
/// How long the idle workers beyond those wait for another call: to make a worker costs as much as several launches,
/// and bursts come in series.
const LINGER: Micros = 2_000_000;

enum Next<J> {
    Nothing,
    Job(J),
    Retire,
}

type Desk<J> = Monitor<Next<J>>;

struct Queued<J> {
    job: J,
    /// A worker that was reused has handed it over: only a fresh one will do.
    handed_over: bool,
}

struct State<J> {
    /// The worker that became idle last is at the end, and is taken first.
    idle: Vec<Arc<Desk<J>>>,
    /// Idle workers that stay for good.
    at_rest: usize,
    /// Jobs that no idle worker could take, oldest first: for fresh workers, and for those that come free (UMH-7).
    fresh: VecDeque<Queued<J>>,
    /// Jobs given to workers that were idle: any of them may come back here to be served by a fresh one.
    reused: usize,
    /// The generation of the masks: an idle worker of an older one has been retired.
    generation: u64,
    closed: bool,
}

/// What a worker is given.
pub(super) trait Job: Clone + Send + 'static {
    /// It has masks of its own: only a fresh worker will do.
    fn alone(&self) -> bool;
}

/// The idle workers and the jobs that need a fresh one.
pub(super) struct Pool<J>(Arc<Monitor<State<J>>>);

impl<J> Clone for Pool<J> {
    /// Another handle to the same pool.
    fn clone(&self) -> Self {
        Self(self.0.clone())
    }
}

impl<J: Job> Pool<J> {
    pub(super) fn new() -> Self {
        Self::keeping(IDLE_AT_REST)
    }

    /// A pool that keeps so many idle workers for good.
    pub(super) fn keeping(at_rest: usize) -> Self {
        Self(Monitor::new(State {
            idle: Vec::new(),
            at_rest,
            fresh: VecDeque::new(),
            reused: 0,
            generation: 0,
            closed: false,
        }))
    }

    /// Hands a call to an idle worker, or to a fresh one. A call with masks of its own always gets a fresh one.
    pub(super) fn submit(&self, call: J) {
        let mut state = self.0.lock();
        let idle = if call.alone() { None } else { state.idle.pop() };
        match idle {
            Some(desk) => {
                state.reused += 1;
                drop(state);
                *desk.lock() = Next::Job(call);
                desk.notify();
            }
            None => {
                state.fresh.push_back(Queued { job: call, handed_over: false });
                drop(state);
                self.0.notify();
            }
        }
    }

    /// A reused worker could not serve it: it is older than whatever waits for a fresh one.
    fn hand_over(&self, job: J) {
        self.0.lock().fresh.push_front(Queued { job, handed_over: true });
        self.0.notify();
    }

    /// The masks have changed: idle workers are of a past generation.
    pub(super) fn retire_before(&self, generation: u64) {
        let mut state = self.0.lock();
        if generation > state.generation {
            state.generation = generation;
            retire(std::mem::take(&mut state.idle));
        }
    }

    /// No more calls come: idle workers and the spawner end; workers with a helper end when it has.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        retire(std::mem::take(&mut state.idle));
        drop(state);
        self.0.notify();
    }

    /// A job given to an idle worker is over, or with the spawner again.
    fn done(&self) {
        let mut state = self.0.lock();
        state.reused -= 1;
        let last = state.closed && state.reused == 0;
        drop(state);
        if last {
            self.0.notify();
        }
    }

    /// Takes the oldest job that waits and that this worker may serve, else becomes idle until there is another; `None`:
    /// retire. So no job overtakes one that still waits (UMH-7).
    fn idle(&self, desk: &Arc<Desk<J>>, generation: u64, clock: &dyn Clock) -> Option<J> {
        let mut until = {
            let mut state = self.0.lock();
            let over = (state.idle.len() + 1).saturating_sub(IDLE).min(state.idle.len());
            retire(state.idle.drain(..over));
            if state.closed || generation < state.generation {
                return None;
            }
            let oldest = state.fresh.iter().position(|queued| !queued.handed_over && !queued.job.alone());
            if let Some(queued) = oldest.and_then(|at| state.fresh.remove(at)) {
                state.reused += 1;
                return Some(queued.job);
            }
            let lingers = state.idle.len() >= state.at_rest;
            state.idle.push(desk.clone());
            lingers.then(|| clock.now().saturating_add(LINGER))
        };
        let mut next = desk.lock();
        loop {
            match (std::mem::replace(&mut *next, Next::Nothing), until) {
                (Next::Job(call), _) => return Some(call),
                (Next::Retire, _) => return None,
                (Next::Nothing, None) => next = desk.wait(next),
                (Next::Nothing, Some(time)) if clock.now() < time => next = desk.wait_until(next, clock, time),
                (Next::Nothing, Some(_)) => {
                    // A pool is locked before a desk.
                    drop(next);
                    if self.leave_idle(desk) {
                        return None;
                    }
                    until = None;
                    next = desk.lock();
                }
            }
        }
    }

    /// Takes a worker that has lingered out of the idle ones, if there are enough without it. False too if it has been
    /// taken out already: then it finds on its desk what for.
    fn leave_idle(&self, desk: &Arc<Desk<J>>) -> bool {
        let mut state = self.0.lock();
        let at = state.idle.iter().position(|idle| Arc::ptr_eq(idle, desk));
        match at {
            Some(at) if state.idle.len() > state.at_rest => {
                state.idle.remove(at);
                true
            }
            _ => false,
        }
    }

    /// The spawner's wait for a job that needs a fresh worker; `None` when the engine has ended and every call that
    /// was queued has a worker.
    pub(super) fn next_fresh(&self) -> Option<J> {
        let mut state = self.0.lock();
        loop {
            if let Some(queued) = state.fresh.pop_front() {
                return Some(queued.job);
            }
            if state.closed && state.reused == 0 {
                return None;
            }
            state = self.0.wait(state);
        }
    }

    /// A fresh worker's life: its first job, then those it is handed while it is idle, until it is retired.
    /// `clock` measures how long it lingers.
    pub(super) fn serve(&self, first: J, clock: &dyn Clock, mut run: impl FnMut(&J) -> NextStep) {
        let desk = Desk::new(Next::Nothing);
        let (mut next, mut reused) = (Some(first), false);
        while let Some(job) = next {
            let fate = run(&job);
            if let NextStep::HandOver = fate {
                self.hand_over(job);
            }
            if reused {
                self.done();
            }
            next = match fate {
                NextStep::Idle(generation) => self.idle(&desk, generation, clock),
                NextStep::Retire | NextStep::HandOver => None,
            };
            reused = true;
        }
    }
}

fn retire<J: Job>(desks: impl IntoIterator<Item = Arc<Desk<J>>>) {
    for desk in desks {
        *desk.lock() = Next::Retire;
        desk.notify();
    }
}

#[cfg(test)]
mod tests {
    use std::sync::mpsc::{Receiver, channel};
    use std::time::Duration;

    use super::*;
    use crate::sys::host::Host;
    use crate::sys::linux::LinuxHost;

    /// Longer than a machine under load needs; a pool that is broken fails and does not hang.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[derive(Clone)]
    struct Numbered {
        number: u32,
        alone: bool,
    }

    impl Job for Numbered {
        fn alone(&self) -> bool {
            self.alone
        }
    }

    /// The numbers of the jobs that a worker serves, from the next one in the queue on. There is no spawner.
    fn work(pool: &Arc<Pool<Numbered>>, fate: fn(u32) -> NextStep) -> Receiver<u32> {
        let first = pool.next_fresh().unwrap();
        let (serves, served) = channel();
        let pool = pool.clone();
        std::thread::spawn(move || {
            pool.serve(first, LinuxHost::new().clock(), |job| {
                let _ = serves.send(job.number);
                fate(job.number)
            });
        });
        served
    }

    fn pool(jobs: u32, alone: u32) -> Arc<Pool<Numbered>> {
        let pool = Arc::new(Pool::new());
        (1..=jobs).for_each(|number| pool.submit(Numbered { number, alone: number == alone }));
        pool
    }

    #[test]
    fn umh_7_a_worker_that_comes_free_takes_the_oldest_job_that_waits() {
        let pool = pool(5, 3);
        let served = work(&pool, |_| NextStep::Idle(0));
        // The third has masks of its own, and is left to a fresh worker.
        let order: Vec<_> = (0..4).map(|_| served.recv_timeout(PATIENCE).unwrap()).collect();
        assert_eq!((order, pool.next_fresh().unwrap().number), (vec![1, 2, 4, 5], 3));
        pool.close();
    }

    #[test]
    fn umh_7_a_job_that_is_handed_over_keeps_its_place_and_goes_to_a_fresh_worker() {
        let pool = pool(4, 0);
        let served = work(&pool, |number| if number == 2 { NextStep::HandOver } else { NextStep::Idle(0) });
        let order: Vec<_> = std::iter::from_fn(|| served.recv_timeout(PATIENCE).ok()).collect();
        assert_eq!(order, [1, 2]);
        let served = work(&pool, |_| NextStep::Idle(0));
        let order: Vec<_> = (0..3).map(|_| served.recv_timeout(PATIENCE).unwrap()).collect();
        assert_eq!(order, [2, 3, 4]);
        pool.close();
    }
}
