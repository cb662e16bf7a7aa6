//! A process, as proc_pid_stat(5) describes it.

use super::actor::Comm;
use super::time::Micros;

/// A process that exists; it may be a zombie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its process id.
    pub pid: i32,
    /// Its command name.
    pub comm: Comm,
    /// Its parent: the process that created it, or after that one's end the process that adopted it.
    pub parent: i32,
    /// Its session: the process id that the session's leader has or had. No other process gets that id while the
    /// session has a member.
    pub session: i32,
    /// When it started, in clock ticks since boot. With the pid it names one process.
    pub start_time: u64,
    /// When it started, on the engine's clock and rounded down to a clock tick; 0 if that was before the engine.
    pub started: Micros,
}
