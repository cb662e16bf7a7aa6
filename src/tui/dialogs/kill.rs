//! Confirm a signal to a helper.

use crate::abi::record::State;
use crate::control::text::outcome::Severity;
use crate::tui::keymap::Context;
use crate::tui::model::records::Kill;
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// Asks which signal; the cursor stays on the record.
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
        (State::Ended, _) => "it is over, there is nothing to kill",
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
        sheet.choice("TERM: it may clean up, or refuse", self.choice == 0);
        sheet.choice("KILL: it ends at once", self.choice == 1);
        if self.had_term {
            sheet.say("TERM was sent, and it lives on", model.theme.warn);
        }
        sheet.pinned.push(line(text::fit("enter sends it, esc goes back", columns), model.theme.text));
        sheet
    }

    /// Sends the signal that was confirmed.
    fn accept(&mut self, model: &mut Model) -> After {
        let which = format!("#{} {} (pid {})", self.id, self.title, self.pid);
        let confirmed = self.clone().confirm();
        let done = if confirmed.is_term() {
            model.activity.remember_term(self.id);
            "TERM was sent; if it lives on, k again sends KILL"
        } else {
            "KILL was sent"
        };
        After::Close(vec![model.submit(Pending::Helper(which, done), confirmed.command())])
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.choice, Self::SIGNALS.len()))
    }
}
