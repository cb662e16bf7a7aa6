//! The queue of one pool of workers, named after the kernel's workqueue. Each live helper has one worker thread; idle
//! workers are reused. In Linux, capability sets belong to a thread, so a worker narrows itself once, for one
//! generation of the masks, and is retired when the masks change. `workers` starts the threads.

use std::collections::VecDeque;
use std::sync::Arc;

use crate::sys::host::{Clock, Micros};

use super::narrowing::NextStep;
use super::sync::Monitor;

/// The most idle workers: more than the limit on module requests.
const MAX_IDLE: usize = 64;
/// Idle workers that stay as long as the engine. Others, from a burst, end after [`LINGER`].
const MIN_IDLE: usize = 8;
/// How long idle workers beyond `MIN_IDLE` wait for another call, in microseconds. Starting a worker costs as much as
/// several launches, and bursts tend to repeat.
const LINGER: Micros = 2_000_000;

/// What an idle worker does next.
enum Next<J> {
    Nothing,
    Job(J),
    Retire,
}

/// Where an idle worker waits for its next job. The thread that removes the worker from `State::idle` fills it.
type Handoff<J> = Monitor<Next<J>>;

struct Queued<J> {
    job: J,
    /// A reused worker could not serve this job: it needs a fresh one.
    handed_over: bool,
}

struct State<J> {
    /// The worker that became idle last is at the end, and gets the next job.
    idle: Vec<Arc<Handoff<J>>>,
    /// How many idle workers stay.
    min_idle: usize,
    /// Jobs for which no worker was idle, oldest first. Fresh workers and workers that become idle take them (UMH-7).
    fresh: VecDeque<Queued<J>>,
    /// How many jobs reused workers have: each job may still be handed over to a fresh worker.
    reused: usize,
    /// The generation of the masks. Idle workers of older generations have been retired.
    generation: u64,
    closed: bool,
}

/// A unit of work for a worker.
pub(super) trait Job: Clone + Send + 'static {
    /// Whether the job has its own masks, and so needs a fresh worker.
    fn alone(&self) -> bool;
    /// Wakes the threads that wait for the end of this job. The worker calls this after it has become idle, or if it ends
    /// or takes another job: the next job of a woken thread then goes to the same worker, whose memory is in this CPU's
    /// caches.
    fn wake(&self);
}

/// What a worker does that has served a job.
enum Served<J> {
    /// It serves a job that has waited.
    Next(J),
    /// It is idle, until then or for ever.
    Idle(Option<Micros>),
    /// It ends.
    Ends,
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

    /// Gives a job to an idle worker, or else to a fresh one. A job with its own masks always gets a fresh worker.
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

    /// Puts back a job that a reused worker could not serve. It is older than the waiting jobs, so it goes first.
    fn hand_over(&self, job: J) {
        self.0.lock().fresh.push_front(Queued { job, handed_over: true });
        self.0.notify();
    }

    /// Retires the idle workers after the masks have changed: they belong to an older generation.
    pub(super) fn retire_before(&self, generation: u64) {
        let mut state = self.0.lock();
        if generation > state.generation {
            state.generation = generation;
            retire(std::mem::take(&mut state.idle));
        }
    }

    /// Closes the pool to new jobs: idle workers and the spawner end; a worker with a helper ends after its helper.
    pub(super) fn close(&self) {
        let mut state = self.0.lock();
        state.closed = true;
        retire(std::mem::take(&mut state.idle));
        drop(state);
        self.0.notify();
    }

    /// Counts the end or the hand-over of a reused worker's job.
    fn done(&self) {
        let mut state = self.0.lock();
        state.reused -= 1;
        let last = state.closed && state.reused == 0;
        drop(state);
        if last {
            self.0.notify();
        }
    }

    /// Makes a worker idle, unless a job waits that it may serve: it takes the oldest, so that no job overtakes one that
    /// still waits (UMH-7).
    fn idle(&self, handoff: &Arc<Handoff<J>>, generation: u64, clock: &dyn Clock) -> Served<J> {
        let mut state = self.0.lock();
        let over = (state.idle.len() + 1).saturating_sub(MAX_IDLE).min(state.idle.len());
        retire(state.idle.drain(..over));
        if state.closed || generation < state.generation {
            return Served::Ends;
        }
        let oldest = state.fresh.iter().position(|queued| !queued.handed_over && !queued.job.alone());
        if let Some(queued) = oldest.and_then(|at| state.fresh.remove(at)) {
            state.reused += 1;
            return Served::Next(queued.job);
        }
        let lingers = state.idle.len() >= state.min_idle;
        state.idle.push(handoff.clone());
        Served::Idle(lingers.then(|| clock.now().saturating_add(LINGER)))
    }

    /// Waits for the job that wakes an idle worker. Returns `None` if the worker must end.
    fn wait_idle(&self, handoff: &Arc<Handoff<J>>, mut until: Option<Micros>, clock: &dyn Clock) -> Option<J> {
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

    /// Removes a worker that has lingered long enough from the idle workers. Returns false if the worker must stay, or
    /// was removed already: then its handoff has been filled, or is about to be.
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

    /// Waits, for the spawner, for a job that needs a fresh worker. Returns `None` once the pool is closed and every
    /// queued job has a worker.
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
                self.hand_over(job.clone());
            }
            if reused {
                self.done();
            }
            let served = match next_step {
                NextStep::Idle(generation) => self.idle(&handoff, generation, clock),
                NextStep::Retire | NextStep::HandOver => Served::Ends,
            };
            job.wake();
            drop(job);
            next = match served {
                Served::Next(job) => Some(job),
                Served::Idle(until) => self.wait_idle(&handoff, until, clock),
                Served::Ends => None,
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

    /// Longer than a machine under load needs, so that the test of a broken pool fails instead of hanging.
    const PATIENCE: Duration = Duration::from_secs(20);

    #[derive(Clone)]
    struct Numbered {
        number: u32,
        alone: bool,
        /// What the caller does when it is woken.
        woken: Option<Arc<dyn Fn() + Send + Sync>>,
    }

    impl Numbered {
        fn new(number: u32) -> Self {
            Self { number, alone: false, woken: None }
        }
    }

    impl Job for Numbered {
        fn alone(&self) -> bool {
            self.alone
        }

        fn wake(&self) {
            self.woken.iter().for_each(|woken| woken());
        }
    }

    /// Starts a worker for the next job in the queue, and returns the numbers of the jobs that it serves. There is no
    /// spawner.
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
        (1..=jobs).for_each(|number| pool.submit(Numbered { alone: number == alone, ..Numbered::new(number) }));
        pool
    }

    #[test]
    fn umh_7_a_worker_that_comes_free_takes_the_oldest_job_that_waits() {
        let pool = pool(5, 3);
        let served = work(&pool, |_| NextStep::Idle(0));
        // The third job has its own masks, and is left to a fresh worker.
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

    #[test]
    fn umh_7_whoever_is_woken_finds_the_worker_that_served_it() {
        let pool = Arc::new(Pool::new());
        let (waits, waiting) = channel();
        let next = pool.clone();
        let woken = move || {
            next.submit(Numbered::new(2));
            let _ = waits.send(next.0.lock().fresh.len());
        };
        pool.submit(Numbered { woken: Some(Arc::new(woken)), ..Numbered::new(1) });
        let served = work(&pool, |_| NextStep::Idle(0));
        assert_eq!([(); 2].map(|()| served.recv_timeout(PATIENCE).unwrap()), [1, 2]);
        assert_eq!(waiting.recv_timeout(PATIENCE), Ok(0), "jobs for which no worker was idle");
        pool.close();
    }

    #[test]
    fn umh_5_the_caller_is_woken_whatever_its_worker_does_next() {
        let (woken, numbers) = channel();
        let pool = Arc::new(Pool::new());
        for number in 1..=3 {
            let woken = woken.clone();
            let woken = move || {
                let _ = woken.send(number);
            };
            pool.submit(Numbered { woken: Some(Arc::new(woken)), ..Numbered::new(number) });
        }
        // After the first there is one that waits; after the second the worker ends; after the third there is nothing.
        let served = work(&pool, |number| if number == 2 { NextStep::Retire } else { NextStep::Idle(0) });
        assert_eq!([(); 2].map(|()| numbers.recv_timeout(PATIENCE).unwrap()), [1, 2]);
        let idle = work(&pool, |_| NextStep::Idle(0));
        assert_eq!(numbers.recv_timeout(PATIENCE), Ok(3));
        pool.close();
        assert_eq!((served.iter().collect(), idle.iter().collect()), (vec![1, 2], vec![3]));
    }
}
