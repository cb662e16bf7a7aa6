//! The launching workers, named after the kernel's workqueue. One thread per live helper, idle ones reused. The
//! masks are a property of a thread in Linux, so each worker is cut down once and bears the generation of the masks
//! it was made for; it is retired when that is past. The spawner itself is never cut: fresh workers come from it, and
//! inherit what it has from the thread that started it (`pools`).

use std::collections::VecDeque;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::sys::caller::CallerState;
use crate::sys::host::LaunchFailure;

use super::call::Call;
use super::cut::{Cut, Fate};
use super::inner::Inner;
use super::sync::thread;
use super::sync::{Monitor, MutexGuard};

/// Idle workers kept, more than the limit on module requests; more than these end when their helper has.
const IDLE: usize = 64;
/// Idle workers kept when next to nothing runs: a burst leaves no more behind.
const IDLE_AT_REST: usize = 8;
/// A worker's stack: hooks run on it. The C library keeps 40 MiB of stacks of threads that have ended, and of each the
/// pages that were used: the larger they are, the fewer it keeps after a burst.
const STACK: usize = 1024 * 1024;

enum Next<J> {
    Nothing,
    Job(J),
    Retire,
}

type Desk<J> = Monitor<Next<J>>;

struct State<J> {
    idle: Vec<Arc<Desk<J>>>,
    /// Workers that are not idle.
    busy: usize,
    /// Jobs that need a fresh worker.
    fresh: VecDeque<J>,
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

impl Job for Arc<Call> {
    fn alone(&self) -> bool {
        self.own.is_some()
    }
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
        Self(Monitor::new(State {
            idle: Vec::new(),
            busy: 0,
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
                state.busy += 1;
                drop(state);
                *desk.lock() = Next::Job(call);
                desk.notify();
            }
            None => self.queue_fresh(state, call),
        }
    }

    fn queue_fresh(&self, mut state: MutexGuard<'_, State<J>>, call: J) {
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
    fn idle(&self, desk: &Arc<Desk<J>>, generation: u64) -> Option<J> {
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

    /// A worker has come to its end, or could not be made.
    fn left(&self) {
        self.0.lock().busy -= 1;
    }

    /// Workers that are not idle.
    #[cfg(all(test, feature = "model"))]
    pub(super) fn busy(&self) -> usize {
        self.0.lock().busy
    }

    /// The spawner's wait for a job that needs a fresh worker; `None` when the engine has ended and every call that
    /// was queued has a worker.
    pub(super) fn next_fresh(&self) -> Option<J> {
        let mut state = self.0.lock();
        loop {
            if let Some(job) = state.fresh.pop_front() {
                state.busy += 1;
                return Some(job);
            }
            if state.closed && state.reused == 0 {
                return None;
            }
            state = self.0.wait(state);
        }
    }

    /// A fresh worker's life: its first job, then those it is handed while it is idle, until it is retired.
    pub(super) fn serve(&self, first: J, mut run: impl FnMut(&J) -> Fate) {
        let desk = Desk::new(Next::Nothing);
        let (mut next, mut reused) = (Some(first), false);
        while let Some(job) = next {
            let fate = run(&job);
            if let Fate::HandOver = fate {
                self.queue_fresh(self.0.lock(), job);
            }
            if reused {
                self.done();
            }
            next = match fate {
                Fate::Idle(generation) => self.idle(&desk, generation),
                Fate::Retire | Fate::HandOver => None,
            };
            reused = true;
        }
        self.left();
    }
}

fn retire<J: Job>(desks: impl IntoIterator<Item = Arc<Desk<J>>>) {
    for desk in desks {
        *desk.lock() = Next::Retire;
        desk.notify();
    }
}

/// Makes the workers of one pool.
#[derive(Clone)]
struct Spawner {
    inner: Arc<Inner>,
    pool: Pool<Arc<Call>>,
    /// The state of the thread that started it: it and every worker inherited that.
    state: Arc<CallerState>,
}

/// Starts the spawner of `pool` from the calling thread, whose state is `state`.
///
/// `detached`: with its own root directory. A calling thread in another state than the engine's may be about to enter
/// further namespaces, which it could not while the engine's threads shared its root; so this returns when they do not.
/// The engine's first spawner shares the root of the process, as its other threads do, and keeps no directory busy.
pub(super) fn start(
    inner: &Arc<Inner>,
    pool: &Pool<Arc<Call>>,
    state: &Arc<CallerState>,
    detached: bool,
) -> std::io::Result<()> {
    let spawner = Spawner { inner: inner.clone(), pool: pool.clone(), state: state.clone() };
    let (ready, is_ready) = std::sync::mpsc::sync_channel(1);
    let run = move || {
        if detached {
            spawner.inner.host.detach_root();
        }
        // The receiver waits, or has gone.
        let _ = ready.send(());
        drop(ready);
        while let Some(call) = spawner.pool.next_fresh() {
            hire(&spawner, call);
        }
    };
    thread::Builder::new().name("khelper".into()).stack_size(STACK).spawn(run)?;
    if detached {
        // An error means that the thread has ended; then nobody shares a root with it either.
        let _ = is_ready.recv();
    }
    Ok(())
}

fn hire(spawner: &Spawner, call: Arc<Call>) {
    let (of_worker, job) = (spawner.clone(), call.clone());
    let spawned =
        thread::Builder::new().name("khelper-worker".into()).stack_size(STACK).spawn(move || worker(&of_worker, job));
    if let Err(e) = spawned {
        spawner.pool.left();
        spawner.inner.no_thread(&call, &e);
    }
}

fn worker(spawner: &Spawner, first: Arc<Call>) {
    let inner = &spawner.inner;
    let mut worker = match inner.host.worker() {
        Ok(worker) => worker,
        Err(e) => {
            spawner.pool.left();
            return inner.launch_failed(&first, LaunchFailure::Process(e));
        }
    };
    let mut cut: Option<Cut> = None;
    spawner.pool.serve(first, |call| {
        if !worker.has_root_of(&spawner.state) {
            inner.root_changed(call);
            return Fate::Retire;
        }
        catch_unwind(AssertUnwindSafe(|| inner.run(worker.as_mut(), &mut cut, call))).unwrap_or_else(|_| {
            inner.broken(call);
            Fate::Retire
        })
    });
}
