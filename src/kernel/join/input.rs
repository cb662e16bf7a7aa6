//! What goes into the join, and what it counts.

use crate::kernel::event::{Traced, What};
use crate::kernel::observation::{HelperFacts, RequesterFacts};

/// An event of one of the sources.
#[derive(Clone, Debug)]
pub enum Input {
    /// A trace event, and what /proc said about the thread that queued work when the event was read.
    Traced(Traced, Reading),
    /// A helper's files were read, after its execution.
    Read(i32, Box<HelperFacts>),
    /// A process ended.
    Exit(Exit),
}

/// The end of a process.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Exit {
    /// The process.
    pub pid: i32,
    /// Its parent; 0 if it was reaped before the kernel wrote this.
    pub parent: i32,
    /// Its raw wait status.
    pub status: i32,
}

/// What /proc said.
#[derive(Clone, Debug)]
pub enum Reading {
    /// Nothing was read, or the process was gone.
    None,
    /// The thread is one of the kernel.
    KernelThread,
    /// About the thread that queued work.
    Requester(Box<RequesterFacts>),
}

impl Input {
    /// The order of events with equal times: causes before effects.
    pub(super) const fn rank(&self) -> u8 {
        match self {
            Self::Traced(traced, _) => match traced.what {
                What::Module(_) => 0,
                What::Queued { .. } => 1,
                What::Began { .. } => 2,
                What::Forked { .. } => 3,
                What::Executes { .. } | What::Renamed { .. } => 4,
                What::Done => 7,
            },
            Self::Read(..) => 5,
            Self::Exit(_) => 6,
        }
    }
}

/// Which sources there are.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Sources {
    /// Works are traced: requesters are known.
    pub works: bool,
    /// Forks and executions of kernel workers are traced.
    pub forks: bool,
    /// Ends of processes are reported.
    pub exits: bool,
}

/// A source of trace events that can lose some.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Lost {
    /// Works and module requests.
    Works,
    /// Forks and executions.
    Forks,
}

/// What was counted so far.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default)]
pub struct Counts {
    /// Works and module requests that were read.
    pub works: u64,
    /// Works and module requests that are lost.
    pub lost_works: u64,
    /// Forks and executions that were read.
    pub forks: u64,
    /// Forks and executions that are lost.
    pub lost_forks: u64,
    /// Losses of trace events whose number the kernel did not tell.
    pub lost_unknown: u64,
    /// Times that reports of ends were lost, an unknown number each time.
    pub exit_overruns: u64,
    /// Events that came after later ones of another source had been processed.
    pub late: u64,
    /// Forks by processes that execute no work for helpers: they are none of the kernel's.
    pub foreign_forks: u64,
    /// Ends without a known parent that nothing connects with a helper.
    pub foreign_exits: u64,
    /// Helpers handed out.
    pub helpers: u64,
}
