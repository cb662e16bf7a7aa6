//! What the console says, submits and waits for.

use std::time::Duration;

use crate::abi::time::Micros;
use crate::control::text::outcome::Severity;
use crate::control::{Command, Key};
use crate::tui::msg::{Effect, Ticket};

use super::pending::Pending;
use super::{Model, Status, masks};
use crate::abi::escape::screen_again;

impl Model {
    /// Whether anything on the screen moves by itself: a helper runs, or the minute's sparkline is not flat yet.
    pub fn needs_tick(&self) -> bool {
        self.snapshot.live_total > 0 || !self.spark.is_flat()
    }

    /// A time of the engine's clock as the operator's clock had it.
    pub fn clock(&self, at: Micros) -> String {
        let ago = Duration::from_micros(self.snapshot.now.saturating_sub(at));
        self.snapshot.wall.checked_sub(ago).map_or_else(String::new, self.local)
    }

    /// Submits a command and remembers what its reply will be an answer to.
    pub fn submit(&mut self, pending: Pending, command: Command) -> Effect {
        self.tickets += 1;
        self.pending.insert(self.tickets, pending);
        Effect::Submit { ticket: self.tickets, command }
    }

    /// Takes a ticket for an effect that is not a command.
    pub const fn next_ticket(&mut self) -> Ticket {
        self.tickets += 1;
        self.tickets
    }

    /// The ticket that was given last.
    pub fn last_ticket(&self) -> Ticket {
        self.tickets
    }

    /// Says something.
    pub fn say(&mut self, mood: Severity, text: impl Into<String>) {
        let depth = self.dialogs.len();
        self.status = Some(Status { mood, text: screen_again(&text.into()), depth });
    }

    /// Whether a write of ours to this knob is under way.
    pub fn is_writing(&self, key: Key) -> bool {
        self.pending.values().any(|pending| match pending {
            Pending::Path => key == Key::Modprobe,
            Pending::Set(keys) => keys.contains(&key),
            Pending::Masks(asked) => asked.iter().any(|(knob, _)| masks::key(*knob) == key),
            Pending::Reset(knob) => masks::key(*knob) == key,
            _ => false,
        })
    }
}
