//! The scripted behaviour of a program on the scripted host.

use crate::abi::cap::CapSets;
use crate::abi::launch_spec::NotEnforced;
use crate::abi::wait::WaitStatus;
use crate::sys::host::{LaunchFailure, Micros};

/// The value of [`Script::runs`] for a helper that only a signal ends.
pub const FOREVER: Micros = Micros::MAX;

/// What a program does when it is launched. By default exec succeeds at once, and the program exits with 0 at once and
/// writes nothing.
#[derive(Clone, Debug)]
pub struct Script {
    /// How long exec takes, in microseconds of the virtual clock.
    pub exec: Micros,
    /// How the launch fails, if it does.
    pub fails: Option<LaunchFailure>,
    /// How long the helper runs, in microseconds of the virtual clock, or [`FOREVER`].
    pub runs: Micros,
    /// Its raw wait status; `None` if the status is lost.
    pub status: Option<WaitStatus>,
    /// What it writes to stdout at its start.
    pub stdout: Vec<u8>,
    /// What it writes to stderr at its start.
    pub stderr: Vec<u8>,
    /// Whether it ignores SIGTERM.
    pub ignores_term: bool,
    /// What could not be set for it for lack of privilege.
    pub not_enforced: Vec<NotEnforced>,
    /// The sets that are read while it runs, if any are.
    pub caps_started: Option<CapSets>,
    /// Its CPU time, user and system, in microseconds.
    pub cpu_us: u64,
    /// Its peak memory, in KiB.
    pub max_rss_kib: u64,
    /// Where the worker panics, if it does.
    pub panics: Option<Panics>,
}

/// Where a worker panics: a bug that the engine has to survive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Panics {
    /// Before the process exists.
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
