//! The helpers that run now, by the list of processes alone: no trace instance, no socket, no thread and no privilege. It
//! knows what a watch knows of the helpers that ran before it began.

use super::join::{Input, Join, Sources};
use super::knowledge::{Knowledge, NoExits, NoRequesters, NoTrace};
use super::observation::Observation;
use super::read::{Facts, now, read_at_once};
use super::source::{self, helpers_of, listed};
use crate::sys::linux::tasks;
use crate::sys::linux::ticks;

/// Why the helpers that run cannot be listed.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum NotListed {
    /// This is not the initial pid namespace, which hides them; what a watch could know here.
    PidNamespace(Knowledge),
    /// /proc does not show the kernel's threads to this user (`hidepid=` in proc(5)).
    Hidden,
}

/// The helpers that run now.
///
/// # Errors
/// [`NotListed`]: an empty list would be no answer.
pub fn running() -> Result<Vec<Observation>, NotListed> {
    if !tasks::initial_namespaces().0 {
        let trace = Err(NoTrace::PidNamespace);
        let knowledge = Knowledge { trace, requesters: Err(NoRequesters::Unsupported), exits: Err(NoExits::Silent) };
        return Err(NotListed::PidNamespace(knowledge));
    }
    let (all, _) = listed();
    if !all.iter().any(|task| task.is_worker()) {
        return Err(NotListed::Hidden);
    }
    let facts = Facts { initial_cgroups: false, tick: 1_000_000_000 / ticks::per_second() };
    let helpers = helpers_of(&all);
    let mut join = Join::new(Sources { works: true, forks: true, exits: true }, now());
    join.listed(now(), [], &helpers);
    for pid in helpers {
        if let Some(read) = read_at_once(&facts, pid) {
            join.push(now(), Input::Read(pid, read));
        }
    }
    Ok(join.finish())
}

/// What a watch could know here.
pub fn check() -> Knowledge {
    source::check()
}
