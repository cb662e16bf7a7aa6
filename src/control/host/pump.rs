//! Takes what the watch tells into the records.

use crate::abi::event::LossSource;
use crate::kernel::observation::Observation;
use crate::kernel::watch::{Loss, Told, Watch};
use crate::sys::process;

use super::birth;
use super::store::Store;

/// Runs until the watch ends.
#[expect(clippy::needless_pass_by_value, reason = "the watch ends with this thread, and removes its trace instances")]
pub(super) fn run(watch: Watch, store: &Store) {
    while let Some(told) = watch.next() {
        match told {
            Told::Listed => {
                store.lose_left();
                store.listed();
            }
            Told::Started(observation) => store.started(&observation, start_time(&observation)),
            Told::Helper(observation) => store.finished(&observation),
            Told::Lost(loss) => {
                let (source, count) = lost(&loss);
                store.lost(source, count);
            }
            Told::Missed(count) => store.lost(LossSource::Reader, Some(count)),
        }
    }
    store.ended();
}

/// When the helper's process started, if the process that has its number now can be the helper's.
pub(super) fn start_time(observation: &Observation) -> Option<u64> {
    let ticks = process::start_time(observation.pid)?;
    observation.times.forked.is_none_or(|forked| birth::is_made_at(ticks, forked)).then_some(ticks)
}

const fn lost(loss: &Loss) -> (LossSource, Option<u64>) {
    match loss {
        Loss::Trace { forks: false, count, .. } => (LossSource::Requests, *count),
        Loss::Trace { forks: true, count, .. } => (LossSource::Helpers, *count),
        Loss::Exits => (LossSource::Ends, None),
        Loss::DamagedPage => (LossSource::Trace, None),
    }
}
