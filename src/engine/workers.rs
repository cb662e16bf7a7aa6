//! The threads of a pool: its spawner, and the workers that the spawner starts. The spawner is never narrowed, because
//! workers inherit its state, which it inherited from the thread that started it (`pools`).

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::sys::caller::CallerState;
use crate::sys::host::LaunchFailure;

use super::call::Call;
use super::inner::Inner;
use super::narrowing::{Narrowed, NextStep};
use super::sync::spawn_with;
use super::workqueue::{Job, Pool};

/// The stack of a worker, in bytes. The C library caches up to 40 MiB of stacks of threads that have ended, with the
/// pages that they used: the larger a stack, the fewer it caches after a burst.
const STACK: usize = 1024 * 1024;

impl Job for Arc<Call> {
    fn alone(&self) -> bool {
        self.own.is_some()
    }

    fn wake(&self) {
        Call::wake(self);
    }
}

/// Makes the workers of one pool.
#[derive(Clone)]
struct Spawner {
    inner: Arc<Inner>,
    pool: Pool<Arc<Call>>,
    /// The state of the thread that started the spawner; the spawner and every worker inherited it.
    state: Arc<CallerState>,
}

/// Starts the spawner of `pool` from the calling thread, whose state is `state`.
///
/// With `detached`, the spawner unshares its root directory before this returns. A calling thread whose state differs
/// from the engine's may be about to enter a mount namespace, which setns(2) forbids while it shares its root with
/// another thread. The engine's first spawner shares the root of the process, as the other threads do, and so keeps
/// no directory busy.
pub(super) fn start(
    inner: &Arc<Inner>,
    pool: &Pool<Arc<Call>>,
    state: &Arc<CallerState>,
    detached: bool,
) -> std::io::Result<()> {
    let spawner = Spawner { inner: inner.clone(), pool: pool.clone(), state: state.clone() };
    let (ready, is_ready) = crate::sys::channel::bounded(1);
    let run = move || {
        if detached {
            spawner.inner.host.detach_root();
        }
        // An error means that no thread waits for it.
        let _ = ready.send(());
        drop(ready);
        while let Some(call) = spawner.pool.next_fresh() {
            start_worker(&spawner, call);
        }
    };
    spawn_with("khelper", STACK, run)?;
    if detached {
        // An error means that the thread has ended, and so no longer shares the root.
        let _ = is_ready.recv();
    }
    Ok(())
}

fn start_worker(spawner: &Spawner, call: Arc<Call>) {
    let (of_worker, job) = (spawner.clone(), call.clone());
    let spawned = spawn_with("khelper-worker", STACK, move || worker(&of_worker, job));
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
