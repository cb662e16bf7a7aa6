//! Ends every helper: sends TERM, and KILL to those that still run [`TERM_TO_KILL`] later.

use std::collections::BTreeSet;

use nix::sys::signal::Signal;

use crate::abi::actor::Actor;
use crate::abi::event::EventKinds;
use crate::abi::snapshot::Live;
use crate::abi::time::{Micros, TERM_TO_KILL};

use super::ask::ask;
use super::command::Command;
use super::pages;
use super::target::Target;
use super::watch::{Wake, Watched};

/// The capacity of the queue of events. An event only means that the list of live requests must be read again.
const EVENTS: usize = 256;

/// Decides which signals to send to end every helper. Call [`Termination::due`] again as time passes and as helpers
/// start: each helper gets each signal once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Termination {
    /// When to start sending KILL; TERM is sent before.
    kill_from: Micros,
    term: BTreeSet<u64>,
    kill: BTreeSet<u64>,
}

impl Termination {
    /// TERM from `now` (on the engine's clock), KILL [`TERM_TO_KILL`] later.
    pub const fn gentle(now: Micros) -> Self {
        Self { kill_from: now.saturating_add(TERM_TO_KILL), term: BTreeSet::new(), kill: BTreeSet::new() }
    }

    /// KILL at once.
    pub const fn forced() -> Self {
        Self { kill_from: 0, term: BTreeSet::new(), kill: BTreeSet::new() }
    }

    /// The signals to send at `now` to the helpers among `live`. A request whose helper has not started yet gets its
    /// signal in a later call.
    pub fn due<'a>(&mut self, live: impl IntoIterator<Item = &'a Live>, now: Micros) -> Vec<Command> {
        let (signal, signalled) =
            if now >= self.kill_from { (Signal::SIGKILL, &mut self.kill) } else { (Signal::SIGTERM, &mut self.term) };
        let new = live.into_iter().filter(|live| live.pid.is_some() && signalled.insert(live.id));
        new.map(|live| Command::Kill { id: live.id, signal: signal as i32 }).collect()
    }

    /// The number of helpers that got TERM, and the number that got KILL.
    pub fn signalled(&self) -> (usize, usize) {
        (self.term.len(), self.kill.len())
    }
}

/// Kills every live helper of a target, each once, without a limit on their number. Blocks until the queued ones have
/// started and have been killed too, or until the target has ended.
pub fn kill_all(target: &dyn Target, by: &Actor) {
    // Subscribe before the first read, so that a helper that starts after that read causes an event.
    let events = target.watch(EventKinds::ALL, None, EVENTS, Wake::none());
    let mut termination = Termination::forced();
    loop {
        let live = pages::live(target, by).unwrap_or_default();
        let all_started = live.iter().all(|live| live.pid.is_some());
        for kill in termination.due(&live, 0) {
            // An error means that the helper has already ended.
            let _ = ask(target, by, kill);
        }
        if all_started || matches!(events.wait(), Watched::Closed { .. }) {
            return;
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
    use crate::abi::wait::WaitMode;
    use crate::control::local::Local;
    use crate::control::testing::{actor, live};
    use crate::engine::Engine;
    use crate::sys::fake::{FOREVER, FakeHost, Script};

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
    fn a_forced_termination_sends_kill_at_once() {
        let mut all = Termination::forced();
        assert_eq!(signals(&all.due(&[live(7, b"a", 0)], 0)), [(7, 9)]);
        assert_eq!(all.signalled(), (0, 1));
    }

    /// The snapshot lists 256 of them.
    #[test]
    fn umh_14_kill_reaches_more_helpers_than_a_snapshot_lists() {
        let host = FakeHost::new();
        host.script("/forever", Script { runs: FOREVER, ..Script::default() });
        let engine = Engine::builder().host(host.clone()).start().unwrap();
        for _ in 0..300 {
            let info = SubprocessInfo::setup(Some(b"/forever".to_vec()), ["/forever"], HELPER_ENV).unwrap();
            engine.call_usermodehelper(info, WaitMode::NoWait);
        }
        host.wait_for("300 helpers", |now| now.running == 300);
        assert_eq!(engine.snapshot().running.len(), 256);
        kill_all(&Local::new(engine.clone()), &actor());
        assert_eq!((host.counts().signals, host.counts().running), (300, 0));
    }

    #[test]
    fn umh_14_a_helper_that_is_still_queued_is_killed_once_it_has_started() {
        let host = FakeHost::new();
        host.script("/forever", Script { exec: 1_000_000, runs: FOREVER, ..Script::default() });
        let engine = Engine::builder().host(host.clone()).start().unwrap();
        let info = SubprocessInfo::setup(Some(b"/forever".to_vec()), ["/forever"], HELPER_ENV).unwrap();
        engine.call_usermodehelper(info, WaitMode::NoWait);
        host.wait_for("an exec", |now| now.executing == 1);
        std::thread::scope(|scope| {
            let kill = scope.spawn(|| kill_all(&Local::new(engine.clone()), &actor()));
            host.advance(1_000_000);
            kill.join().unwrap();
        });
        host.wait_for("its end", |now| now.launched == 1 && now.running == 0);
        assert_eq!(host.counts().signals, 1);
    }
}
