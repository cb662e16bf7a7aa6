//! Ends every helper: TERM first, KILL [`TERM_TO_KILL`] later to those that still run.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::abi::snapshot::Live;
use crate::abi::time::{Micros, TERM_TO_KILL};

use super::command::Command;

/// The signals that end every helper. It is asked again as time passes and as helpers start: each of them gets each
/// signal once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// From then on KILL is sent, before that TERM.
    kill_from: Micros,
    term: BTreeSet<u64>,
    kill: BTreeSet<u64>,
}

impl Termination {
    /// TERM from `now` on, on the engine's clock.
    pub const fn gentle(now: Micros) -> Self {
        Self { kill_from: now.saturating_add(TERM_TO_KILL), term: BTreeSet::new(), kill: BTreeSet::new() }
    }

    /// KILL at once.
    pub const fn forced() -> Self {
        Self { kill_from: 0, term: BTreeSet::new(), kill: BTreeSet::new() }
    }

    /// The signals that are due at `now` to the helpers among `live`. A request without one yet gets its signal when it
    /// is asked about again.
    pub fn due<'a>(&mut self, live: impl IntoIterator<Item = &'a Live>, now: Micros) -> Vec<Command> {
        let (signal, signalled) =
            if now >= self.kill_from { (Signal::SIGKILL, &mut self.kill) } else { (Signal::SIGTERM, &mut self.term) };
        let new = live.into_iter().filter(|live| live.pid.is_some() && signalled.insert(live.id));
        new.map(|live| Command::Kill { id: live.id, signal: signal as i32 }).collect()
    }

    /// The number of helpers that got TERM, and that got KILL.
    pub fn signalled(&self) -> (usize, usize) {
        (self.term.len(), self.kill.len())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::testing::live;

    fn signals(commands: &[Command]) -> Vec<(u64, i32)> {
        let of = |command: &Command| match command {
            Command::Kill { id, signal } => (*id, *signal),
            other => panic!("{other:?}"),
        };
        commands.iter().map(of).collect()
    }

    #[test]
    fn each_helper_gets_each_signal_once_and_kill_two_seconds_later() {
        let queued = Live { pid: None, ..live(3, b"c", 0) };
        let mut all = Termination::gentle(1_000_000);
        assert_eq!(signals(&all.due(&[live(1, b"a", 0), queued.clone()], 1_000_000)), [(1, 15)]);
        let three = [live(1, b"a", 0), live(2, b"b", 0), live(3, b"c", 0)];
        assert_eq!(signals(&all.due(&three, 2_999_999)), [(2, 15), (3, 15)]);
        assert_eq!(signals(&all.due(&three[1..], 3_000_000)), [(2, 9), (3, 9)]);
        assert_eq!(signals(&all.due(&three, 4_000_000)), [(1, 9)]);
        assert_eq!((all.due(&three, 9_000_000).len(), all.signalled()), (0, (3, 3)));
    }

    #[test]
    fn by_force_they_get_kill_at_once() {
        let mut all = Termination::forced();
        assert_eq!(signals(&all.due(&[live(7, b"a", 0)], 0)), [(7, 9)]);
        assert_eq!(all.signalled(), (0, 1));
    }
}
