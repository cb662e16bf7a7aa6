//! Submitted commands and expected replies.

use std::time::Duration;

use crate::abi::safe_text::SafeText;
use crate::abi::time::Micros;
use crate::control::{Command, Key};
use crate::tui::msg::{Effect, Ticket};

use super::pending::Pending;
use super::{Model, Tab, masks};

/// Whether a warning about the path says that there is no such file. The check of the path answers in words.
pub(super) fn is_absent(warning: &SafeText) -> bool {
    warning.ends_with("(ENOENT)")
}

impl Model {
    /// Whether anything on the screen changes with time: a request has not ended, or the rules are on trial.
    pub fn needs_tick(&self) -> bool {
        self.snapshot.live_total > 0 || self.tab == Tab::Rules && self.rules_trial().is_some()
    }

    /// For how many seconds the mode of the rules is on trial still; `None` if it stays.
    pub fn rules_trial(&self) -> Option<u64> {
        let left = self.snapshot.rules?.mode.seconds?;
        let passed = self.now.saturating_sub(self.snapshot.now) / 1_000_000;
        Some(u64::from(left).saturating_sub(passed))
    }

    /// Whether the first screen offers the tour: nothing was asked of this engine yet, and its modprobe does not exist.
    pub fn offers_tour(&self) -> bool {
        self.path_warnings.iter().any(is_absent)
            && self.snapshot.totals.requests == 0
            && self.link.info.is_owned()
            && !self.link.info.is_demo()
    }

    /// A time on the engine's clock as local wall-clock time.
    pub fn clock(&self, at: Micros) -> String {
        let ago = Duration::from_micros(self.snapshot.now.saturating_sub(at));
        self.snapshot.wall.checked_sub(ago).map_or_else(String::new, self.local)
    }

    /// Submits a command and remembers what its reply answers.
    pub fn submit(&mut self, pending: Pending, command: Command) -> Effect {
        self.tickets += 1;
        self.pending.insert(self.tickets, pending);
        Effect::Submit { ticket: self.tickets, command }
    }

    /// Creates a ticket for an effect that is not a command.
    pub const fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// The newest ticket.
    pub fn last_ticket(&self) -> Ticket {
        self.tickets
    }

    /// Whether this console is writing to this knob.
    pub fn is_writing(&self, key: Key) -> bool {
        self.pending.values().any(|pending| match pending {
            Pending::Path => key == Key::Modprobe,
            Pending::Set(keys) => keys.contains(&key),
            Pending::Undo(writes) => writes.iter().any(|(written, _)| *written == key),
            Pending::Masks(asked) => asked.iter().any(|(knob, _)| masks::key(*knob) == key),
            Pending::Reset(knob) => masks::key(*knob) == key,
            _ => false,
        })
    }
}
