//! Everything that a watch reads, and what can be known from it.

use std::os::fd::{AsFd, BorrowedFd};

use rustix::event::{PollFd, PollFlags, Timespec, poll};

use super::join::Sources;
use super::knowledge::{Knowledge, NoExits, NoRequesters, NoTrace};
use super::read::{Facts, now};
use super::setup::{self, Tracing};
use crate::abi::error::SysError;
use crate::sys::linux::proc_connector::{Parents, ProcConnector, Refused};
use crate::sys::linux::tasks::{self, Task};
use crate::sys::linux::ticks;

/// Everything that is read.
pub(super) struct Source {
    pub(super) since: u64,
    pub(super) tracing: Option<Tracing>,
    pub(super) exits: Option<ProcConnector>,
    pub(super) facts: Facts,
    /// What the filter of ends was made of.
    pub(super) newest: u32,
}

impl Source {
    pub(super) fn open() -> (Self, Knowledge) {
        let (initial_pids, initial_cgroups) = tasks::initial_namespaces();
        let (_, parents) = listed();
        let exits = ends(initial_pids, &parents);
        let tracing = if initial_pids { setup::start(now) } else { Err(NoTrace::PidNamespace) };
        let since = now();
        let knowledge = Knowledge {
            trace: tracing.as_ref().map(|tracing| tracing.trace).map_err(Clone::clone),
            requesters: tracing.as_ref().map_or(Err(NoRequesters::Unsupported), |tracing| tracing.requesters.clone()),
            exits: exits.as_ref().map(drop).map_err(Clone::clone),
        };
        let tick = 1_000_000_000 / ticks::per_second();
        let facts = Facts { initial_cgroups, tick };
        (Self { since, tracing: tracing.ok(), exits: exits.ok(), facts, newest: parents.newest }, knowledge)
    }

    pub(super) fn sources(&self) -> Sources {
        Sources {
            works: self.tracing.as_ref().is_some_and(|tracing| tracing.requesters.is_ok()),
            forks: self.tracing.is_some(),
            exits: self.exits.is_some(),
        }
    }

    /// Waits until something can be read, at most so long. Returns which buffers can be read; the others were empty
    /// after this call began.
    pub(super) fn ready(&self, stop: BorrowedFd<'_>, wait: u64) -> Vec<usize> {
        let buffers = self.tracing.iter().flat_map(|tracing| tracing.buffers.iter().map(|buffer| buffer.fd.as_fd()));
        let first = [Some(stop), self.exits.as_ref().map(AsFd::as_fd)];
        let fixed = first.iter().flatten().count();
        let mut fds: Vec<PollFd<'_>> = Vec::with_capacity(16);
        fds.extend(first.into_iter().flatten().chain(buffers).map(|fd| PollFd::from_borrowed_fd(fd, PollFlags::IN)));
        let wait = Timespec {
            tv_sec: i64::try_from(wait / 1_000_000_000).unwrap_or(i64::MAX),
            tv_nsec: i64::try_from(wait % 1_000_000_000).unwrap_or(0),
        };
        if poll(&mut fds, Some(&wait)).is_err() {
            // Interrupted: look at all of them.
            return (0..fds.len() - fixed).collect();
        }
        fds.iter().skip(fixed).enumerate().filter(|(_, fd)| !fd.revents().is_empty()).map(|(at, _)| at).collect()
    }

    /// Renews the filter of ends.
    pub(super) fn renew_filter(&mut self, parents: &Parents) -> Result<(), SysError> {
        self.newest = parents.newest;
        self.exits.as_ref().map_or(Ok(()), |connector| connector.set_parents(parents))
    }
}

/// Subscribes to ends. The kernel ignores a subscription from another pid namespace (`cn_proc_mcast_ctl`), so that no time
/// is spent waiting for its proof there.
fn ends(initial_pids: bool, parents: &Parents) -> Result<ProcConnector, NoExits> {
    if !initial_pids {
        return Err(NoExits::Silent);
    }
    ProcConnector::subscribe(parents).map_err(|refused| match refused {
        Refused::Silent => NoExits::Silent,
        Refused::Failed(error) => NoExits::of(error),
    })
}

/// What a watch could know here. Everything that it needs is tried, and nothing is read: this takes less time than the
/// start and the end of a watch.
pub(super) fn check() -> Knowledge {
    let (initial_pids, _) = tasks::initial_namespaces();
    let exits = ends(initial_pids, &listed().1).map(drop);
    let tracing = if initial_pids { setup::check() } else { Err(NoTrace::PidNamespace) };
    Knowledge {
        trace: tracing.as_ref().map(|(trace, _)| *trace).map_err(Clone::clone),
        requesters: tracing.map_or(Err(NoRequesters::Unsupported), |(_, requesters)| requesters),
        exits,
    }
}

/// The processes that the kernel has started and that run.
pub(super) fn helpers_of(all: &[Task]) -> Vec<i32> {
    let is_parent = |pid: i32| pid == 2 || all.iter().any(|task| task.pid == pid && task.is_worker());
    let is_helper = |task: &&Task| !task.is_kernel && !task.is_zombie && is_parent(task.parent);
    all.iter().filter(is_helper).map(|task| task.pid).collect()
}

/// The parents of helpers. The newest pid is read before the list, so that no worker is missed between the two.
pub(super) fn listed() -> (Vec<Task>, Parents) {
    // Without it every parent passes.
    let newest = tasks::newest_pid().unwrap_or(0);
    let all = tasks::all();
    let workers = all.iter().filter(|task| task.is_worker()).map(|task| task.pid.unsigned_abs()).collect();
    (all, Parents { workers, newest, own: None })
}
