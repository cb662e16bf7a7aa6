//! One pool of workers for each state of calling threads, as the kernel's unbound workqueues have one for each set of
//! attributes. What a helper inherits belongs to threads (UMH-10): a worker has what the thread had that started its
//! spawner, so a call goes to a pool whose spawner was started by a thread in the same state, or the calling thread
//! starts one itself.
//!
//! Ownership: a pool lives as long as its spawner and workers; this list only keeps those open that may serve another
//! call. Its lock is taken before a pool's.

use std::io;
use std::sync::Arc;

use crate::sys::caller::CallerState;

use super::sync::{Mutex, lock};
use super::workqueue::{Job, Pool};

/// Pools kept open. A host has one or two states: as it started, and after it has dropped its privileges.
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

    /// Opens the first pool, for threads like this one, whose state is `state`. `start` starts the pool's spawner on a
    /// new thread, which inherits from the calling one.
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

    /// Hands a call to the pool for `state`, which is that of the calling thread; if there is none, opens one by
    /// `start`. A pool for a state that could not be read serves this call alone: no other thread is known to be in the
    /// same one. Fails if `start` does; then the call has been given to nobody.
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
        // Before it can be closed: a closed pool still serves what it was given.
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

    /// The masks have changed: idle workers of every pool are of a past generation. A pool that was closed has none.
    pub(super) fn retire_before(&self, generation: u64) {
        lock(&self.0).iter().for_each(|member| member.pool.retire_before(generation));
    }

    /// No more calls come.
    pub(super) fn close(&self) {
        lock(&self.0).iter().for_each(|member| member.pool.close());
    }
}
