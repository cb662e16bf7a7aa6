//! The launching workers, named after the kernel's workqueue. One thread per live helper, idle ones reused. The
//! masks are a property of a thread in Linux, so each worker is cut down once and bears the generation of the masks
//! it was made for; it is retired when that is past. The spawner itself is never cut: fresh workers come from it.

use std::collections::VecDeque;
use std::sync::Arc;
use std::thread;

use nix::errno::Errno;

use crate::abi::error::SysError;
use crate::sys::host::LaunchFailure;

use super::call::Call;
use super::inner::Inner;
use super::launch::{Cut, Fate};
use super::sync::Monitor;

/// Idle workers kept, more than the limit on module requests; more than these end when their helper has.
const IDLE: usize = 64;
/// Idle workers kept when next to nothing runs: a burst leaves no more behind.
const IDLE_AT_REST: usize = 8;
/// A worker's stack: hooks run on it.
const STACK: usize = 256 * 1024;

enum Next {
    Nothing,
    Job(Arc<Call>),
    Retire,
}

type Desk = Monitor<Next>;

#[derive(Default)]
struct State {
    idle: Vec<Arc<Desk>>,
    /// Workers that are not idle.
    busy: usize,
    /// Jobs that need a fresh worker.
    fresh: VecDeque<Arc<Call>>,
    /// Jobs given to workers that were idle: any of them may come back here to be served by a fresh one.
    reused: usize,
    /// The generation of the masks: an idle worker of an older one has been retired.
    generation: u64,
    closed: bool,
}

/// The workers and their spawner.
pub(super) struct Pool(Arc<Monitor<State>>);

impl Pool {
    pub(super) fn new() -> Self {
        Self(Monitor::new(State::default()))
    }

    /// Starts the spawner, from a thread that has the host's own sets.
    pub(super) fn start(inner: &Arc<Inner>) -> std::io::Result<()> {
        let inner = inner.clone();
        thread::Builder::new().name("khelper".into()).stack_size(STACK).spawn(move || spawner(&inner)).map(drop)
    }

    /// Hands a call to an idle worker, or to a fresh one. A call with masks of its own always gets a fresh one.
    pub(super) fn submit(&self, call: Arc<Call>) {
        let mut state = self.0.lock();
        let idle = if call.own.is_none() { state.idle.pop() } else { None };
        match idle {
            Some(desk) => {
                state.reused += 1;
                state.busy += 1;
                drop(state);
                *desk.lock() = Next::Job(call);
                desk.notify();
            }
            None => self.queue_fresh(state, call),
        }
    }

    fn queue_fresh(&self, mut state: std::sync::MutexGuard<'_, State>, call: Arc<Call>) {
        state.fresh.push_back(call);
        drop(state);
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

    /// Becomes idle until there is another job; `None`: retire.
    fn idle(&self, desk: &Arc<Desk>, generation: u64) -> Option<Arc<Call>> {
        {
            let mut state = self.0.lock();
            // As many as are busy may be wanted again at once; the rest would hold memory for nothing.
            let most = state.busy.clamp(IDLE_AT_REST, IDLE);
            let over = (state.idle.len() + 1).saturating_sub(most).min(state.idle.len());
            retire(state.idle.drain(..over));
            if state.closed || generation < state.generation {
                return None;
            }
            state.busy -= 1;
            state.idle.push(desk.clone());
        }
        let mut next = desk.lock();
        loop {
            match std::mem::replace(&mut *next, Next::Nothing) {
                Next::Job(call) => return Some(call),
                Next::Retire => {
                    drop(next);
                    self.0.lock().busy += 1;
                    return None;
                }
                Next::Nothing => next = desk.wait(next),
            }
        }
    }
}

fn retire(desks: impl IntoIterator<Item = Arc<Desk>>) {
    for desk in desks {
        *desk.lock() = Next::Retire;
        desk.notify();
    }
}

/// Makes fresh workers. It ends when the engine has and every call that was queued has a worker.
fn spawner(inner: &Arc<Inner>) {
    let monitor = &inner.pool.0;
    loop {
        let call = {
            let mut state = monitor.lock();
            loop {
                if let Some(call) = state.fresh.pop_front() {
                    break call;
                }
                if state.closed && state.reused == 0 {
                    return;
                }
                state = monitor.wait(state);
            }
        };
        monitor.lock().busy += 1;
        let (worker_inner, job) = (inner.clone(), call.clone());
        let spawned = thread::Builder::new().name("khelper-worker".into()).stack_size(STACK).spawn(move || {
            // Out of the idle state a worker is busy again, so that it always ends as a busy one.
            worker(&worker_inner, job);
            worker_inner.pool.0.lock().busy -= 1;
        });
        if spawned.is_err() {
            monitor.lock().busy -= 1;
            let failure = LaunchFailure::Process(SysError::new("a thread for the helper", Errno::EAGAIN));
            inner.launch_failed(&call, failure);
        }
    }
}

fn worker(inner: &Arc<Inner>, first: Arc<Call>) {
    let mut worker = match inner.host.worker() {
        Ok(worker) => worker,
        Err(e) => return inner.launch_failed(&first, LaunchFailure::Process(e)),
    };
    let desk = Desk::new(Next::Nothing);
    let mut cut: Option<Cut> = None;
    let (mut job, mut reused) = (Some(first), false);
    while let Some(call) = job {
        let fate = inner.run(worker.as_mut(), &mut cut, &call);
        if let Fate::HandOver = fate {
            inner.pool.queue_fresh(inner.pool.0.lock(), call);
        }
        if reused {
            inner.pool.done();
        }
        job = match fate {
            Fate::Idle(generation) => inner.pool.idle(&desk, generation),
            Fate::Retire | Fate::HandOver => None,
        };
        reused = true;
    }
}
