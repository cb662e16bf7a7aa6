//! What rules have decided about helpers of the kernel that have not ended.

use std::collections::{HashMap, VecDeque};
use std::sync::Arc;

use crate::abi::error::Stage;
use crate::abi::record::{Args, Outcome, Record};
use crate::control::host::birth;
use crate::control::host::record::args;
use crate::kernel::observation::Observation;

use super::Store;

/// The most that wait. A helper that the watch never tells of leaves one behind; the kernel runs at most 50 for modules at
/// one time, and few others.
const MOST: usize = 4096;
/// How a helper ends that was denied (wait(2)): the shim exits with 1.
const DENIED: i32 = 1 << 8;

/// A decision about a helper.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ruling {
    /// Nothing runs: the shim ends with exit code 1.
    pub is_denied: bool,
    /// The decision and its rule: `denied by FILE:LINE (RULE): asked NAME`; `None` if no rule is about it.
    pub sentence: Option<Box<str>>,
    /// The profile that the shim applies before it executes the program.
    pub profile: Option<Arc<str>>,
    /// What was to run, and does unless it is denied. The kernel started the shim.
    pub program: Box<[u8]>,
}

/// Rulings by the pid of the helper, each with the start time of its process. One is kept until its helper's end is told:
/// it decides what the end means.
#[derive(Default)]
pub(super) struct Rulings {
    by_pid: HashMap<i32, (u64, Ruling)>,
    /// Pids with start times, the oldest first. Some of them may be gone.
    order: VecDeque<(i32, u64)>,
}

impl Rulings {
    fn put(&mut self, pid: i32, start_time: u64, ruling: Ruling) {
        self.by_pid.insert(pid, (start_time, ruling));
        self.order.push_back((pid, start_time));
        while self.order.len() > MOST {
            if let Some((pid, start_time)) = self.order.pop_front() {
                self.take(pid, |ticks| ticks == start_time);
            }
        }
    }

    /// The ruling about this process.
    pub(super) fn of(&self, pid: i32, is_it: impl Fn(u64) -> bool) -> Option<&Ruling> {
        self.by_pid.get(&pid).filter(|(ticks, _)| is_it(*ticks)).map(|(_, ruling)| ruling)
    }

    /// The same, and it is not kept any more.
    pub(super) fn take(&mut self, pid: i32, is_it: impl Fn(u64) -> bool) -> Option<Ruling> {
        self.of(pid, is_it)?;
        self.by_pid.remove(&pid).map(|(_, ruling)| ruling)
    }
}

/// Whether a process that started so many clock ticks after boot can be this helper.
pub(super) fn is_of(observation: &Observation, start_time: Option<u64>) -> impl Fn(u64) -> bool {
    let times = observation.times;
    move |ticks| match (start_time, times.forked, times.ended) {
        (Some(started), ..) => ticks == started,
        (None, Some(forked), _) => birth::is_made_at(ticks, forked),
        (None, None, Some(ended)) => birth::made_at(ticks) <= ended,
        (None, None, None) => false,
    }
}

/// What a ruling adds to the record of its helper.
pub(super) fn add(record: &mut Record, ruling: &Ruling) {
    name(record, &ruling.program);
    if ruling.profile.is_some() {
        // What was read of its sets is the shim's.
        (record.profile, record.caps) = (ruling.profile.clone(), None);
    }
    let ended_so = record.status.is_none_or(|status| status.raw() == DENIED);
    match record.outcome {
        Outcome::Running if !ruling.is_denied => record.said.clone_from(&ruling.sentence),
        // Its end is on the way.
        Outcome::Running | Outcome::ExecFailed => {}
        Outcome::Exited | Outcome::Lost if ruling.is_denied && ended_so => {
            (record.outcome, record.stage) = (Outcome::Refused, Some(Stage::Hook));
            record.said.clone_from(&ruling.sentence);
        }
        // It did not wait for this answer: nothing of the kind was denied.
        Outcome::Exited if ruling.is_denied => {}
        Outcome::Lost => {}
        _ => record.said.clone_from(&ruling.sentence),
    }
}

/// Names the program in place of the shim, whose path the kernel executes and which replaces argv[0].
fn name(record: &mut Record, program: &[u8]) {
    record.path = program.into();
    let Args::List(list) = &record.args else { return };
    let Some((_, others)) = list.split_first() else { return };
    let all: Vec<Box<[u8]>> = std::iter::once(Box::from(program)).chain(others.iter().cloned()).collect();
    record.args = args(all, program, record.module.as_deref());
}

impl Store {
    /// Rules have decided about the helper with this pid and start time, and it has not been told yet: the end of its
    /// process, and so what the watch tells of that, comes later.
    pub(in crate::control::host) fn ruled(&self, pid: i32, start_time: u64, ruling: Ruling) {
        let mut state = self.lock();
        if let Some(running) = state.pids.get(&pid).copied().and_then(|id| state.live.get_mut(&id))
            && running.start_time == Some(start_time)
        {
            add(Arc::make_mut(&mut running.record), &ruling);
        }
        state.rulings.put(pid, start_time, ruling);
    }

    /// The helper has not taken that answer: it goes by something else.
    pub(in crate::control::host) fn unruled(&self, pid: i32) {
        let mut state = self.lock();
        state.rulings.take(pid, |_| true);
        if let Some(running) = state.pids.get(&pid).copied().and_then(|id| state.live.get_mut(&id)) {
            let record = Arc::make_mut(&mut running.record);
            (record.said, record.profile) = (None, None);
        }
    }
}
