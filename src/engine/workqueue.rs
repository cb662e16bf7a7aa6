//! The queue of one pool of workers, named after the kernel's workqueue. One worker thread for each live helper; idle
//! ones are reused. Masks are a property of a thread in Linux, so a worker narrows itself once and keeps the generation
//! of the masks that it was narrowed for; it is retired when that is past. The threads are started in `workers`.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sys::host::{Clock, Micros};

use super::narrowing::NextStep;
use super::sync::Monitor;

/// Idle workers, at most: more than the limit on module requests.
const MAX_IDLE: usize = 64;
/// Idle workers that stay for as long as the engine. Any others of a burst end [`LINGER`] after it.
const MIN_IDLE: usize = 8;
/// How long, in microseconds, the idle workers beyond those wait for another call: starting a worker costs as much as
/// several launches, and bursts come in series.
const LINGER: Micros = 2_000_000;

/// What an idle worker is to do next.
enum Next<J> {
    Nothing,
    Job(J),
    Retire,
}

/// Where an idle worker waits for its next job; whoever takes the worker out of `State::idle` fills it.
type Handoff<J> = Monitor<Next<J>>;

struct Queued<J> {
    job: J,
    /// A reused worker could not serve it: it needs a fresh one.
    handed_over: bool,
}

struct State<J> {
    /// The worker that became idle last is at the end, and is taken first.
    idle: Vec<Arc<Handoff<J>>>,
    /// Idle workers that stay.
    min_idle: usize,
    /// Jobs for which no worker was idle, oldest first: fresh workers take them, and workers that become idle (UMH-7).
    fresh: VecDeque<Queued<J>>,
    /// Jobs that reused workers have: each of them may still be handed over to a fresh one.
    reused: usize,
    /// The generation of the masks: an idle worker of an older one has been retired.
    generation: u64,
    closed: bool,
}

/// What a worker is given.
pub(super) trait Job: Clone + Send + 'static {
    /// Whether it has masks of its own and so needs a fresh worker.
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
        Self::keeping(MIN_IDLE)
    }

    /// A pool in which `min_idle` idle workers stay.
    pub(super) fn keeping(min_idle: usize) -> Self {
        Self(Monitor::new(State {
            idle: Vec::new(),
            min_idle,
            fresh: VecDeque::new(),
            reused: 0,
            generation: 0,
            closed: false,
        }))
    }

    /// Gives a job to an idle worker, else to a fresh one. A job with masks of its own always gets a fresh one.
    pub(super) fn submit(&self, call: J) {
        let mut state = self.0.lock();
        let idle = if call.alone() { None } else { state.idle.pop() };
        match idle {
            Some(handoff) => {
                state.reused += 1;
                drop(state);
                *handoff.lock() = Next::Job(call);
                handoff.notify();
            }
            None => {
                state.fresh.push_back(Queued { job: call, handed_over: false });
                drop(state);
                self.0.notify();
            }
        }
    }

    /// A reused worker could not serve it. It is older than the jobs that wait, so it goes first.
    fn hand_over(&self, job: J) {
        self.0.lock().fresh.push_front(Queued { job, handed_over: true });
        self.0.notify();
    }

    /// The masks have changed: retires the idle workers, which are of a past generation.
    pub(super) fn retire_before(&self, generation: u64) {
        let mut state = self.0.lock();
        if generation > state.generation {
            state.generation = generation;
            retire(std::mem::take(&mut state.idle));
        }
    }

    /// No more jobs come: idle workers and the spawner end; a worker with a helper ends after it.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        retire(std::mem::take(&mut state.idle));
        drop(state);
        self.0.notify();
    }

    /// A reused worker's job is over or was handed over.
    fn done(&self) {
        let mut state = self.0.lock();
        state.reused -= 1;
        let last = state.closed && state.reused == 0;
        drop(state);
        if last {
            self.0.notify();
        }
    }

    /// The worker's next job: the oldest that waits and that it may serve, else the one for which it is woken; `None`
    /// when it has to end. So no job overtakes one that still waits (UMH-7).
    fn idle(&self, handoff: &Arc<Handoff<J>>, generation: u64, clock: &dyn Clock) -> Option<J> {
        let mut until = {
            let mut state = self.0.lock();
            let over = (state.idle.len() + 1).saturating_sub(MAX_IDLE).min(state.idle.len());
            retire(state.idle.drain(..over));
            if state.closed || generation < state.generation {
                return None;
            }
            let oldest = state.fresh.iter().position(|queued| !queued.handed_over && !queued.job.alone());
            if let Some(queued) = oldest.and_then(|at| state.fresh.remove(at)) {
                state.reused += 1;
                return Some(queued.job);
            }
            let lingers = state.idle.len() >= state.min_idle;
            state.idle.push(handoff.clone());
            lingers.then(|| clock.now().saturating_add(LINGER))
        };
        let mut next = handoff.lock();
        loop {
            match (std::mem::replace(&mut *next, Next::Nothing), until) {
                (Next::Job(call), _) => return Some(call),
                (Next::Retire, _) => return None,
                (Next::Nothing, None) => next = handoff.wait(next),
                (Next::Nothing, Some(time)) if clock.now() < time => next = handoff.wait_until(next, clock, time),
                (Next::Nothing, Some(_)) => {
                    // Lock order: the pool, then a handoff.
                    drop(next);
                    if self.leave_idle(handoff) {
                        return None;
                    }
                    until = None;
                    next = handoff.lock();
                }
            }
        }
    }

    /// Takes a worker whose time is up out of the idle ones. Returns false if it has to stay, and if it has been taken
    /// out already: then its handoff has been filled, or is about to be.
    fn leave_idle(&self, handoff: &Arc<Handoff<J>>) -> bool {
        let mut state = self.0.lock();
        let at = state.idle.iter().position(|idle| Arc::ptr_eq(idle, handoff));
        match at {
            Some(at) if state.idle.len() > state.min_idle => {
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

    /// Runs a worker: its first job, then others, until it is retired. `clock` measures how long it is idle.
    pub(super) fn serve(&self, first: J, clock: &dyn Clock, mut run: impl FnMut(&J) -> NextStep) {
        let handoff = Handoff::new(Next::Nothing);
        let (mut next, mut reused) = (Some(first), false);
        while let Some(job) = next {
            let next_step = run(&job);
            if let NextStep::HandOver = next_step {
                self.hand_over(job);
            }
            if reused {
                self.done();
            }
            next = match next_step {
                NextStep::Idle(generation) => self.idle(&handoff, generation, clock),
                NextStep::Retire | NextStep::HandOver => None,
            };
            reused = true;
        }
    }
}

fn retire<J: Job>(handoffs: impl IntoIterator<Item = Arc<Handoff<J>>>) {
    for handoff in handoffs {
        *handoff.lock() = Next::Retire;
        handoff.notify();
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
    fn work(pool: &Arc<Pool<Numbered>>, next_step: fn(u32) -> NextStep) -> Receiver<u32> {
        let first = pool.next_fresh().unwrap();
        let (serves, served) = channel();
        let pool = pool.clone();
        std::thread::spawn(move || {
            pool.serve(first, LinuxHost::new().clock(), |job| {
                let _ = serves.send(job.number);
                next_step(job.number)
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
