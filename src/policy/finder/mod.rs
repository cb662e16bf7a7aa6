//! The least privilege of a program: which capabilities it needs to end as it does with all of them. The rule of what to
//! run next is here; `control::finder` runs it.
//!
//! Everything follows from the runs so far: [`next`] reads them in their order and says what to run next, or what was
//! found. A trace can only say where to look first; what is needed is decided by runs alone.

mod judge;
mod search;
mod strength;
#[cfg(test)]
mod tests;

pub use judge::{Compared, End, How, Judge, Text};
pub use search::next;

use crate::abi::cap::CapMask;

/// The most runs of the program for one result.
pub const MOST_RUNS: usize = 60;
/// The most capabilities of a result.
pub const MOST_CAPABILITIES: u32 = 12;
/// Runs with every capability, to learn what varies by itself.
pub const BASELINES: usize = 5;
/// Runs with the result, all of which must end the same.
pub const CONFIRMATIONS: usize = 10;

/// What the finder looks for.
#[derive(Clone, Copy, Debug)]
pub struct Plan {
    /// Every capability that the program has.
    pub all: CapMask,
    /// Whether each run is undone before the next.
    pub resets: bool,
}

/// Why a program is run.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Purpose {
    /// Without any capability: before the first run that can change anything, and after it.
    Bare,
    /// With every capability.
    Baseline,
    /// With some.
    Trial,
    /// With the result.
    Confirmation,
}

/// One run.
#[derive(Clone, Debug)]
pub struct Run {
    /// How it ended.
    pub end: End,
    /// What of the machine was not as before the first run, once this run was over (and undone): one text a change.
    pub changed: Vec<String>,
    /// The capabilities that it was seen to use; `None` if this could not be watched.
    pub used: Option<CapMask>,
    /// The capabilities that it was seen to ask for and not to get.
    pub refused: CapMask,
}

/// What is to be done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Next {
    /// Run the program with this set.
    Run(Purpose, CapMask),
    /// Nothing more: this was found.
    Done(Found),
}

/// What was found.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Found {
    /// The program needs these capabilities, and no other.
    Needs {
        /// The capabilities.
        set: CapMask,
        /// What was the same in all runs with them.
        judge: Judge,
        /// Capabilities that it uses when it has them, and is refused with the result, although it ends the same.
        missed: CapMask,
    },
    /// The runs contradict each other, or may depend on each other.
    NotConclusive(Doubt),
    /// The result would be wrong or of no use.
    Refused(Refusal),
}

/// Why runs decide nothing.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Doubt {
    /// This run with every capability, from 1, ended in another way than the first one.
    Differs(usize),
    /// It ended with every capability in another way after the search than before.
    Drifts,
    /// Without any capability it ended the same after a run with all of them, and in another way before.
    MadeByFirstRun,
    /// Without any capability it ended in another way after a run with all of them than before, and both times in another
    /// way than with them.
    FailsInAnotherWay,
    /// The first run with every capability used these, and no later one did.
    UsedOnce(CapMask),
    /// The machine is not as it was before the first run: one text a change.
    Changed(Vec<String>),
    /// This many of [`CONFIRMATIONS`] runs with the set did not end the same.
    Unsteady(CapMask, usize),
}

/// Why nothing was looked for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Refusal {
    /// With every capability it runs longer than is allowed.
    TimesOut,
    /// What it writes depends on its sets themselves.
    PrintsSets,
    /// More than [`MOST_CAPABILITIES`] seem to be needed.
    TooMany,
    /// [`MOST_RUNS`] do not suffice.
    TooManyRuns,
}
