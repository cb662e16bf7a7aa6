//! Quit: at once, or after asking what becomes of the helpers that are alive.

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
    "wait: shut the gate, quit when none is left",
    "kill: TERM now, KILL 2 s later, then quit",
    "leave: quit now, they run on",
];

/// How far quitting has come.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Quitting {
    /// It asks.
    Asking,
    /// The gate is shut and it waits for the last helper.
    Waiting {
        /// The gate as it was.
        gate: Depth,
    },
    /// Signals were sent.
    Killing {
        /// The gate as it was.
        gate: Depth,
        /// What is sent to whom.
        termination: Termination,
    },
}

/// The dialog before quitting.
#[derive(Clone, Debug)]
pub struct Quit {
    /// Which choice: wait, kill, leave.
    pub choice: usize,
    /// How far it has come.
    pub stage: Quitting,
}

/// Quits, or asks first.
pub fn ask(model: &mut Model) -> Vec<Effect> {
    // Nothing that lives may be touched from a read-only console, and no draft applied: there is nothing to ask.
    if !asks(model) || model.options.read_only {
        return vec![Effect::Quit { code: 0 }];
    }
    if !model.dialogs.iter().any(|dialog| dialog.get::<Quit>().is_some()) {
        model.open(Quit { choice: 0, stage: Quitting::Asking });
    }
    Vec::new()
}

/// Whether anything would be lost, or left behind.
fn asks(model: &Model) -> bool {
    model.link.owned(model.snapshot.live_total) > 0 || !model.masks.changed(&model.snapshot).is_empty()
}

/// Looks again at every snapshot and tick: quits when nothing is alive any more, signals helpers that have appeared.
pub fn go_on(model: &mut Model) -> Vec<Effect> {
    model.with_dialog(|_: &Quit| true, Quit::go_on).unwrap_or_default()
}

impl Quit {
    fn go_on(&mut self, model: &mut Model) -> Vec<Effect> {
        // While it asks, the operator answers: an exit would send the next keys to the shell.
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
            Sheet::new(format!("Quit? Not over: {}, live: {}", s.live_total, s.live), &model.theme, columns);
        let drafts: Vec<&str> = model.masks.changed(s).into_iter().map(short).collect();
        if !drafts.is_empty() && self.stage == Quitting::Asking {
            sheet.say(&format!("a draft of {} is open: it will be lost", drafts.join(" and ")), model.theme.warn);
        }
        if s.live_total == 0 {
            sheet.title = "Quit?".to_owned();
            if drafts.is_empty() {
                sheet.say("no helper lives any more", model.theme.text);
            }
            sheet.pinned.push(line("enter quits, esc goes back", model.theme.text));
            return sheet;
        }
        match &self.stage {
            Quitting::Asking => {
                sheet.choices(&CHOICES, self.choice);
                if self.choice == 2 {
                    let why = "those that are waited for lose their output: their next write may end them";
                    sheet.say(why, model.theme.warn);
                }
            }
            Quitting::Waiting { .. } => {
                sheet.say("the gate is shut; quits when the last helper has ended (esc: back)", model.theme.warn);
            }
            Quitting::Killing { termination, .. } => {
                let (term, kill) = termination.signalled();
                let sent = format!("TERM sent to {term}, KILL to {kill}; quits when the last is gone (esc: back)");
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

    /// Wait, kill or leave; or with nothing alive: the draft is lost.
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

    /// Back to the console: the gate goes back to what it was.
    fn dismiss(&mut self, model: &mut Model) -> After {
        let gate = match self.stage {
            Quitting::Asking => return After::CLOSE,
            Quitting::Waiting { gate } | Quitting::Killing { gate, .. } => gate,
        };
        model.say(Severity::Quiet, format!("not quitting; khelper.gate goes back to {}", gate.name()));
        After::Close(vec![model.submit(Pending::Quitting, Command::SetDepth(gate))])
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        (self.stage == Quitting::Asking).then_some((&mut self.choice, CHOICES.len()))
    }
}
