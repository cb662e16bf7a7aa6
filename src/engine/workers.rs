//! The threads of a pool: its spawner and the workers that it makes. The spawner itself is never narrowed: it starts
//! the workers, which inherit what it has from the thread that started it (`pools`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::sys::caller::CallerState;
use crate::sys::host::LaunchFailure;

use super::call::Call;
use super::inner::Inner;
use super::narrowing::{Narrowed, NextStep};
use super::sync::thread;
use super::workqueue::{Job, Pool};

/// A worker's stack: hooks run on it. The C library keeps 40 MiB of stacks of threads that have ended, and of each the
/// pages that were used: the larger they are, the fewer it keeps after a burst.
const STACK: usize = 1024 * 1024;

impl Job for Arc<Call> {
    fn alone(&self) -> bool {
        self.own.is_some()
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
            start_worker(&spawner, call);
        }
    };
    thread::Builder::new().name("khelper".into()).stack_size(STACK).spawn(run)?;
    if detached {
        // An error means that the thread has ended; then nobody shares a root with it either.
        let _ = is_ready.recv();
    }
    Ok(())
}

fn start_worker(spawner: &Spawner, call: Arc<Call>) {
    let (of_worker, job) = (spawner.clone(), call.clone());
    let spawned =
        thread::Builder::new().name("khelper-worker".into()).stack_size(STACK).spawn(move || worker(&of_worker, job));
    if let Err(e) = spawned {
        spawner.inner.no_thread(&call, &e);
    }
}

fn worker(spawner: &Spawner, first: Arc<Call>) {
    let inner = &spawner.inner;
    let mut worker = match inner.host.worker() {
        Ok(worker) => worker,
        Err(e) => return inner.launch_failed(&first, LaunchFailure::Process(e)),
    };
    let mut narrowed: Option<Narrowed> = None;
    spawner.pool.serve(first, inner.host.clock(), |call| {
        if !worker.has_root_of(&spawner.state) {
            inner.root_changed(call);
            return NextStep::Retire;
        }
        catch_unwind(AssertUnwindSafe(|| inner.run(worker.as_mut(), &mut narrowed, call))).unwrap_or_else(|_| {
            inner.worker_panicked(call);
            NextStep::Retire
        })
    });
}
