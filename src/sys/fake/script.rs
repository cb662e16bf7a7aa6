//! What becomes of the programs of a scripted host.

use crate::abi::cap::CapSets;
use crate::abi::launch_spec::NotEnforced;
use crate::abi::wait::WaitStatus;
use crate::sys::host::{LaunchFailure, Micros};

/// [`Script::runs`] of a helper that only a signal ends.
pub const FOREVER: Micros = Micros::MAX;

/// What becomes of a program when it is launched. By default it executes at once, says nothing and exits 0 at once.
#[derive(Clone, Debug)]
pub struct Script {
    /// How long exec takes, in microseconds of the virtual clock.
    pub exec: Micros,
    /// How the launch fails, if it does.
    pub fails: Option<LaunchFailure>,
    /// How long the helper runs, in microseconds of the virtual clock; [`FOREVER`].
    pub runs: Micros,
    /// Its raw wait status; `None`: it is lost.
    pub status: Option<WaitStatus>,
    /// What it writes as soon as it runs.
    pub stdout: Vec<u8>,
    /// What it writes as soon as it runs.
    pub stderr: Vec<u8>,
    /// Whether SIGTERM leaves it alone.
    pub ignores_term: bool,
    /// What could not be set for it for want of privilege.
    pub not_enforced: Vec<NotEnforced>,
    /// The sets that it is seen with while it runs, where it is looked at.
    pub caps_started: Option<CapSets>,
    /// Its CPU time, user and system, in microseconds.
    pub cpu_us: u64,
    /// Its peak memory, in KiB.
    pub max_rss_kib: u64,
    /// Where the worker panics, if it does.
    pub panics: Option<Panics>,
}

/// Where a worker panics: a defect that the engine has to live with.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panics {
    /// Before there is a process.
    InLaunch,
    /// While it waits for the helper.
    InWait,
}

impl Default for Script {
    fn default() -> Self {
        Self {
            exec: 0,
            fails: None,
            runs: 0,
            status: Some(WaitStatus::exited(0)),
            stdout: Vec::new(),
            stderr: Vec::new(),
            ignores_term: false,
            not_enforced: Vec::new(),
            caps_started: None,
            cpu_us: 900,
            max_rss_kib: 1480,
            panics: None,
        }
    }
}
