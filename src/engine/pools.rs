//! One pool of workers for each state of calling threads, as the kernel's unbound workqueues have one pool for each set
//! of attributes. A helper inherits the state of a thread (UMH-10): a worker has the state of the thread that started
//! its spawner. So a call goes to a pool whose spawner was started by a thread in the caller's state; if there is none,
//! the calling thread starts one.
//!
//! Ownership: a pool lives as long as its spawner and workers. This list keeps pools open that may serve another call.
//! Its lock is taken before a pool's.

use std::io;
use std::sync::Arc;

use crate::sys::caller::CallerState;

use super::sync::{Mutex, lock};
use super::workqueue::{Job, Pool};

/// The most pools kept open. A host program has one or two states: at start, and after it has dropped its privileges.
const KEPT: usize = 4;

struct Member<J> {
    state: Arc<CallerState>,
    pool: Pool<J>,
}

/// The open pools, most recently used first.
pub(super) struct Pools<J>(Mutex<Vec<Member<J>>>);

impl<J: Job> Pools<J> {
    pub(super) fn new() -> Self {
        Self(Mutex::new(Vec::new()))
    }

    /// Opens the first pool, for threads in `state`, which is the state of the calling thread. `start` starts the
    /// pool's spawner on a new thread, which inherits the calling thread's state.
    pub(super) fn open(
        &self,
        state: CallerState,
        start: impl FnOnce(&Pool<J>, &Arc<CallerState>) -> io::Result<()>,
    ) -> io::Result<()> {
        let (pool, state) = (Pool::new(), Arc::new(state));
        start(&pool, &state)?;
        if state.is_readable() {
            lock(&self.0).push(Member { state, pool });
        } else {
            pool.close();
        }
        Ok(())
    }

    /// Submits a call to the pool for `state`, which is the state of the calling thread; if there is no such pool,
    /// opens one with `start`. If the state could not be read, the pool serves this call only: no other thread is known
    /// to be in the same state. Fails if `start` fails; then no pool has the call.
    pub(super) fn submit(
        &self,
        state: CallerState,
        job: J,
        start: impl FnOnce(&Pool<J>, &Arc<CallerState>) -> io::Result<()>,
    ) -> io::Result<()> {
        let mut open = lock(&self.0);
        if let Some(at) = open.iter().position(|member| member.state.is_same(&state)) {
            open[..=at].rotate_right(1);
            open[0].pool.submit(job);
            return Ok(());
        }
        let (pool, state) = (Pool::new(), Arc::new(state));
        start(&pool, &state)?;
        // Submitted before the pool is closed: a closed pool still serves its queue.
        pool.submit(job);
        if !state.is_readable() {
            pool.close();
            return Ok(());
        }
        open.insert(0, Member { state, pool });
        if open.len() > KEPT {
            open.drain(KEPT..).for_each(|member| member.pool.close());
        }
        Ok(())
    }

    /// Retires the idle workers of every pool after the masks have changed. A closed pool has no idle workers.
    pub(super) fn retire_before(&self, generation: u64) {
        lock(&self.0).iter().for_each(|member| member.pool.retire_before(generation));
    }

    /// Closes every pool: no more calls come.
    pub(super) fn close(&self) {
        lock(&self.0).iter().for_each(|member| member.pool.close());
    }
}
