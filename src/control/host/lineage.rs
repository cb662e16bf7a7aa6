//! The processes above a requester: one of them may be a helper, which has then asked for another one.

use crate::kernel::observation::Observation;
use crate::sys::linux::tasks::Task;

/// How far up is looked.
const MOST: usize = 64;

/// The requester and the processes above it that live, each by pid and start time.
pub(super) fn above(observation: &Observation) -> Vec<(i32, u64)> {
    let requester = observation.requester.as_ref().ok().and_then(|requester| requester.facts.as_ref().ok());
    let first = requester.and_then(|facts| Task::of(facts.pid));
    let up = std::iter::successors(first, |task| Task::of(task.parent).filter(|_| task.parent > 1));
    up.take(MOST).map(|task| (task.pid, task.start_time)).collect()
}
