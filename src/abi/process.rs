//! A process, as proc_pid_stat(5) describes it.

use super::actor::Comm;
use super::sorted::set;
use super::time::Micros;

/// A process that exists; it may be a zombie.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Process {
    /// Its process id.
    pub pid: i32,
    /// Its command name.
    pub comm: Comm,
    /// Whether it runs: a zombie has ended.
    pub lives: bool,
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

/// Those of these processes that are members of one of the sessions, and the descendants of such members, in whatever
/// session these are.
pub fn members_and_descendants(mut all: Vec<Process>, sessions: &[i32]) -> Vec<Process> {
    let of_sessions = all.iter().filter(|process| sessions.contains(&process.session));
    let mut inside = set(of_sessions.map(|process| process.pid));
    loop {
        let children = all.iter().filter(|process| inside.contains(&process.parent)).map(|process| process.pid);
        let more: Vec<i32> = children.filter(|pid| !inside.contains(pid)).collect();
        if more.is_empty() {
            all.retain(|process| inside.contains(&process.pid));
            return all;
        }
        more.into_iter().for_each(|pid| _ = inside.add(pid));
    }
}
