//! Quits at once, or after asking what to do with live helpers.

use crate::abi::depth::Depth;
use crate::control::Command;
use crate::control::terminate::Termination;
use crate::control::text::outcome::Severity;
use crate::tui::keymap::Context;
use crate::tui::model::masks::short;
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::msg::Effect;
use crate::tui::panels::running;
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

const CHOICES: [&str; 3] = [
    "wait: shut the gate, quit when all have ended",
    "kill: TERM now, KILL 2 s later, then quit",
    "leave: quit now, they keep running",
];

/// The stages of quitting.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quitting {
    /// The dialog asks.
    Asking,
    /// The gate is shut, and the console waits for the last helper.
    Waiting {
        /// The gate's earlier state.
        gate: Depth,
    },
    /// Signals were sent.
    Killing {
        /// The gate's earlier state.
        gate: Depth,
        /// The signals and their receivers.
        termination: Termination,
    },
}

/// The dialog before quitting.
#[derive(Clone, Debug)]
pub struct Quit {
    /// The selected choice: wait, kill, leave.
    pub choice: usize,
    /// The stage.
    pub stage: Quitting,
}

/// Quits, or asks first.
pub fn ask(model: &mut Model) -> Vec<Effect> {
    // A read-only console may not signal helpers or apply a draft: there is nothing to ask.
    if !asks(model) || model.options.read_only {
        return vec![Effect::Quit { code: 0 }];
    }
    if !model.dialogs.iter().any(|dialog| dialog.get::<Quit>().is_some()) {
        model.open(Quit { choice: 0, stage: Quitting::Asking });
    }
    Vec::new()
}

/// Whether quitting would lose a draft or leave helpers running.
pub fn asks(model: &Model) -> bool {
    model.link.owned(model.snapshot.live_total) > 0 || !model.masks.changed(&model.snapshot).is_empty()
}

/// Checks at every snapshot and tick: quits when no helper is alive, signals helpers that have appeared.
pub fn go_on(model: &mut Model) -> Vec<Effect> {
    model.with_dialog(|_: &Quit| true, Quit::go_on).unwrap_or_default()
}

impl Quit {
    fn go_on(&mut self, model: &mut Model) -> Vec<Effect> {
        // While the dialog asks, it does not quit by itself: the next keys would go to the shell.
        if model.snapshot.live_total == 0 && self.stage != Quitting::Asking {
            return vec![Effect::Quit { code: 0 }];
        }
        let Quitting::Killing { termination, .. } = &mut self.stage else { return Vec::new() };
        let signals = termination.due(&model.snapshot.running, model.now);
        signals.into_iter().map(|signal| model.submit(Pending::Quitting, signal)).collect()
    }
}

impl Dialog for Quit {
    fn contexts(&self, model: &Model) -> &'static [Context] {
        match self.stage {
            Quitting::Asking if model.snapshot.live_total == 0 => &[Context::Confirm, Context::Anywhere],
            Quitting::Asking => &[Context::Quit, Context::Choices, Context::Anywhere],
            _ => &[Context::Page, Context::Anywhere],
        }
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let s = &model.snapshot;
        let mut sheet =
            Sheet::new(format!("Quit? Unfinished: {}, live: {}", s.live_total, s.live), &model.theme, columns);
        let drafts: Vec<&str> = model.masks.changed(s).into_iter().map(short).collect();
        if !drafts.is_empty() && self.stage == Quitting::Asking {
            sheet.say(&format!("the draft of {} will be lost", drafts.join(" and ")), model.theme.warn);
        }
        if s.live_total == 0 {
            sheet.title = "Quit?".to_owned();
            if drafts.is_empty() {
                sheet.say("no helper is alive", model.theme.text);
            }
            sheet.pinned.push(line("enter quits, esc goes back", model.theme.text));
            return sheet;
        }
        match &self.stage {
            Quitting::Asking => {
                sheet.choices(&CHOICES, self.choice);
                if self.choice == 2 {
                    let why = "waited-for helpers lose their output pipe: their next write may end them";
                    sheet.say(why, model.theme.warn);
                }
            }
            Quitting::Waiting { .. } => {
                sheet.say("the gate is shut; quits when the last helper has ended (esc: back)", model.theme.warn);
            }
            Quitting::Killing { termination, .. } => {
                let (term, kill) = termination.signalled();
                let sent = format!("TERM sent to {term}, KILL to {kill}; quits when the last has ended (esc: back)");
                sheet.say(&sent, model.theme.bad);
            }
        }
        for live in &s.running {
            let row = format!("  {}", running::row(model, live, columns.saturating_sub(2)));
            sheet.lines.push(line(text::fit(&row, columns), model.theme.text));
        }
        let more = s.live_total.saturating_sub(s.running.len());
        if more > 0 {
            sheet.lines.push(line(text::fit(&format!("  … {more} more"), columns), model.theme.dim));
            sheet.stands_for = more - 1;
        }
        sheet
    }

    /// Waits, kills or leaves; if nothing is alive, quits and drops the draft.
    fn accept(&mut self, model: &mut Model) -> After {
        let gate = model.snapshot.gate;
        if model.link.owned(model.snapshot.live_total) == 0 {
            return After::Stay(vec![Effect::Quit { code: 0 }]);
        }
        match self.choice {
            0 => self.stage = Quitting::Waiting { gate },
            1 => self.stage = Quitting::Killing { gate, termination: Termination::gentle(model.now) },
            _ => return After::Stay(vec![Effect::Quit { code: 0 }]),
        }
        let mut effects = vec![model.submit(Pending::Quitting, Command::SetDepth(Depth::Disabled))];
        effects.extend(self.go_on(model));
        After::Stay(effects)
    }

    /// Returns to the console and restores the gate.
    fn dismiss(&mut self, model: &mut Model) -> After {
        let gate = match self.stage {
            Quitting::Asking => return After::CLOSE,
            Quitting::Waiting { gate } | Quitting::Killing { gate, .. } => gate,
        };
        model.say(Severity::Quiet, format!("not quitting; khelper.gate is set back to {}", gate.name()));
        After::Close(vec![model.submit(Pending::Quitting, Command::SetDepth(gate))])
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        (self.stage == Quitting::Asking).then_some((&mut self.choice, CHOICES.len()))
    }
}
