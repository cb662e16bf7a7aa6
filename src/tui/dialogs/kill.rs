//! Confirms a signal to a helper.

use nix::sys::signal::Signal;

use crate::abi::record::State;
use crate::control::Command;
use crate::control::text::outcome::Severity;
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// The confirmation of a signal: TERM or KILL.
#[derive(Debug)]
pub struct Kill {
    /// The number of the request.
    pub id: u64,
    /// Its module or path, escaped.
    pub title: String,
    /// The pid of its helper.
    pub pid: i32,
    /// Whether TERM was sent before.
    pub had_term: bool,
    /// The selected signal: 0 TERM, 1 KILL.
    pub choice: usize,
}

/// A signal that the operator confirmed.
#[derive(Debug)]
struct ConfirmedKill {
    id: u64,
    signal: Signal,
}

impl Kill {
    /// The signals, in the order of the dialog.
    const SIGNALS: [Signal; 2] = [Signal::SIGTERM, Signal::SIGKILL];

    /// The operator has confirmed what the dialog shows.
    fn confirm(&self) -> ConfirmedKill {
        ConfirmedKill { id: self.id, signal: Self::SIGNALS[self.choice.min(1)] }
    }
}

impl ConfirmedKill {
    /// The command that is submitted.
    fn command(&self) -> Command {
        Command::Kill { id: self.id, signal: self.signal as i32 }
    }

    /// Whether the signal is TERM.
    fn is_term(&self) -> bool {
        self.signal == Signal::SIGTERM
    }
}

/// Opens the confirmation; the cursor stays on the record.
pub(super) fn open(model: &mut Model) {
    if model.refuses("killing a helper") {
        return;
    }
    let Some(row) = model.row_at_cursor() else { return };
    let why = match (row.state, row.pid) {
        (State::Running, Some(pid)) => {
            model.activity.follow = false;
            let had_term = model.activity.had_term.contains(&row.id);
            let choice = usize::from(had_term);
            let kill = Kill { id: row.id, title: row.title, pid, had_term, choice };
            return model.open(kill);
        }
        (State::Ended, _) => "it has ended: nothing to kill",
        (State::Waiting, _) => "it waits for a slot and has no helper yet (x abandons it)",
        _ => "it has no helper yet",
    };
    model.say(Severity::Quiet, format!("#{} {}: {why}", row.id, row.title));
}

impl Dialog for Kill {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Kill, Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new(format!("Kill the helper of #{}?", self.id), &model.theme, columns);
        sheet.say(&format!("{} (pid {}) and its group", self.title, self.pid), model.theme.title);
        sheet.choice("TERM: it may clean up or ignore it", self.choice == 0);
        sheet.choice("KILL: it ends at once", self.choice == 1);
        if self.had_term {
            sheet.say("TERM was sent, but the helper is still alive", model.theme.warn);
        }
        sheet.pinned.push(line(text::fit("enter sends it, esc goes back", columns), model.theme.text));
        sheet
    }

    /// Sends the signal that was confirmed.
    fn accept(&mut self, model: &mut Model) -> After {
        let which = format!("#{} {} (pid {})", self.id, self.title, self.pid);
        let confirmed = self.confirm();
        let done = if confirmed.is_term() {
            model.activity.remember_term(self.id);
            "TERM was sent; if the helper stays alive, k again sends KILL"
        } else {
            "KILL was sent"
        };
        After::Close(vec![model.submit(Pending::Helper(which, done), confirmed.command())])
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.choice, Self::SIGNALS.len()))
    }
}
