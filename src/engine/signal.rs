//! Signals to a helper and its process group. A signalled helper is reaped once its group
//! has ended, or after a time limit (UMH-14).

use nix::sys::signal::Signal;

use crate::abi::time::TERM_TO_KILL;
use crate::sys::host::{Clock, Host, Micros, Stream, Watcher};

use super::call::Call;

/// How long a helper stays unreaped after KILL, for its group to end: 1 s.
const KILL_TO_GONE: Micros = 1_000_000;
/// How long it stays unreaped after any other signal, so that a later KILL can reach the rest of the group: 10 s.
const SIGNAL_TO_KILL: Micros = 10_000_000;

impl Call {
    /// Enforces the time-out: TERM at `deadline`, KILL 2 s later, each under the lock that guards `reaped`.
    pub(super) fn watch(&self, clock: &dyn Clock, deadline: Micros, kill: impl Fn(i32, Signal)) {
        for (deadline, signal) in
            [(deadline, Signal::SIGTERM), (deadline.saturating_add(TERM_TO_KILL), Signal::SIGKILL)]
        {
            let mut state = self.state.lock();
            let pid = loop {
                if state.reaped || state.over {
                    return;
                }
                match state.record.pid {
                    Some(pid) if clock.now() >= deadline => break pid,
                    // The program is not executed yet: there is no process to signal.
                    None if clock.now() >= deadline => state = self.state.wait(state),
                    _ => state = self.state.wait_until(state, clock, deadline),
                }
            };
            state.record.timed_out = true;
            let patience = if signal == Signal::SIGKILL { KILL_TO_GONE } else { TERM_TO_KILL + KILL_TO_GONE };
            state.hold_until = clock.now().saturating_add(patience);
            kill(pid, signal);
        }
    }

    /// Calls `kill` with the helper's pid, under the lock that guards `reaped`. Returns `None` if no helper was started
    /// or it was reaped (UMH-14). A helper that got no signal is not held.
    pub(super) fn signal<E>(
        &self,
        now: Micros,
        signal: i32,
        kill: impl FnOnce(i32) -> Result<i32, E>,
    ) -> Option<Result<i32, E>> {
        let mut state = self.state.lock();
        let pid = state.record.pid.filter(|_| !state.reaped)?;
        let patience = if signal == Signal::SIGKILL as i32 { KILL_TO_GONE } else { SIGNAL_TO_KILL };
        let sent = kill(pid);
        if sent.is_ok() {
            state.hold_until = now.saturating_add(patience);
        }
        Some(sent)
    }

    pub(super) fn push(&self, stream: Stream, bytes: &[u8]) {
        self.state.lock().tails.push(stream, bytes);
    }

    /// Marks the helper reaped: from now on its pid may belong to another process.
    pub(super) fn mark_reaped(&self) {
        self.state.lock().reaped = true;
    }

    /// Marks the helper reaped. If its group must be waited for first, returns the helper's pid and the deadline
    /// instead.
    fn reap_or_hold(&self, now: Micros) -> Option<(i32, Micros)> {
        let mut state = self.state.lock();
        match state.record.pid {
            Some(pid) if now < state.hold_until => Some((pid, state.hold_until)),
            _ => {
                state.reaped = true;
                None
            }
        }
    }
}

/// Watches a call's helper for its worker.
pub(super) struct OnHost<'a> {
    pub(super) call: &'a Call,
    pub(super) host: &'a dyn Host,
    /// Processes of the helper's group that still run after the helper, its signals and the wait.
    pub(super) left: Vec<i32>,
}

impl Watcher for OnHost<'_> {
    fn output(&mut self, stream: Stream, bytes: &[u8]) {
        self.call.push(stream, bytes);
    }
    fn about_to_reap(&mut self) {
        while let Some((pid, until)) = self.call.reap_or_hold(self.host.clock().now()) {
            self.left = self.host.wait_for_group(pid, until);
            if self.left.is_empty() {
                self.call.mark_reaped();
                return;
            }
        }
    }
}
