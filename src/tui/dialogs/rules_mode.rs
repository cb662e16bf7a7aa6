//! Switches what the rules do: off and audit at once, enforce after a confirmation.

use crate::abi::rules_mode::{Mode, ModeFor, RulesState};
use crate::control::rules::text::NONE;
use crate::control::text::outcome::Severity;
use crate::control::text::target::object;
use crate::control::{Command, Key, KnobValue};
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::msg::Effect;
use crate::tui::widgets::sheet::Sheet;

use super::confirm::{Confirm, Question};

/// The modes of the choices.
const MODES: [ModeFor; 5] = [
    ModeFor { mode: Mode::Off, seconds: None },
    ModeFor { mode: Mode::Audit, seconds: None },
    ModeFor { mode: Mode::Enforce, seconds: Some(600) },
    ModeFor { mode: Mode::Enforce, seconds: Some(3600) },
    ModeFor { mode: Mode::Enforce, seconds: None },
];

/// The index of the selected choice.
#[derive(Debug)]
pub struct RulesMode(usize);

/// Whether the rules are enforced.
#[derive(Debug)]
struct Enforce {
    mode: ModeFor,
}

/// Opens it. The first choice confirms a trial, tries to enforce what is audited, or audits.
pub(super) fn open(model: &mut Model) {
    if model.refuses("changing the mode of the rules") {
        return;
    }
    match model.snapshot.rules {
        None => model.say(Severity::Warned, NONE),
        Some(state) => model.open(RulesMode(match (state.mode.mode, state.mode.seconds) {
            (_, Some(_)) => 4,
            (Mode::Audit, _) => 2,
            _ => 1,
        })),
    }
}

fn submit(model: &mut Model, mode: ModeFor) -> Effect {
    model.submit(Pending::Set(vec![Key::RulesMode]), Command::Write(vec![(Key::RulesMode, KnobValue::Rules(mode))]))
}

/// What comes back after a trial: after a second one what was before the first.
fn back(state: &RulesState) -> &'static str {
    state.then.name()
}

fn now(state: &RulesState, model: &Model) -> String {
    let trial = model.rules_trial().map(|left| format!(" for {left} s, then {}", back(state))).unwrap_or_default();
    let (allowed, denied, would_deny) = (state.allowed, state.denied, state.would_deny);
    let mode = state.mode.mode.name();
    format!("now {mode}{trial}; since the start {allowed} allowed, {denied} denied, {would_deny} would be denied")
}

impl Dialog for RulesMode {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::RulesMode, Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("The rules: khelper.rules.mode", &model.theme, columns);
        let state = model.snapshot.rules.unwrap_or_default();
        sheet.say(&now(&state, model), model.theme.text);
        let last = match state.mode.seconds {
            Some(_) => "confirm: enforce for good, nothing goes back",
            None => "enforce for good",
        };
        let choices = [
            "off, at once: no rule is looked at",
            "audit: deny nothing, report what would be denied",
            "enforce for 10 minutes, then go back unless confirmed",
            "enforce for an hour, then go back unless confirmed",
            last,
        ];
        sheet.choices(&choices, self.0);
        sheet.say("the command `set khelper.rules.mode=enforce --confirm 30m` takes any time", model.theme.dim);
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        let mode = MODES[self.0.min(MODES.len() - 1)];
        let is_confirmed = model.rules_trial().is_some() && mode.seconds.is_none();
        if mode.mode == Mode::Enforce && !is_confirmed {
            model.open(Confirm::new(Enforce { mode }));
            return After::CLOSE;
        }
        After::Close(vec![submit(model, mode)])
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.0, MODES.len()))
    }
}

impl Question for Enforce {
    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Enforce the rules", &model.theme, columns);
        sheet.say(&format!("on {}:", object(&model.link.info)), model.theme.text);
        let state = model.snapshot.rules.unwrap_or_default();
        sheet.say(&format!("khelper.rules.mode: {} -> {}", state.mode, self.mode), model.theme.title);
        match self.mode.seconds {
            Some(seconds) => {
                let words = format!(
                    "after {} minutes it is {} again, by itself, unless you confirm; also if the machine starts again",
                    seconds / 60,
                    back(&state)
                );
                sheet.say(&words, model.theme.text);
            }
            None => sheet.say("it stays so, over restarts too", model.theme.warn),
        }
        let words = format!("what a rule denies does not run; so far {} would have been denied", state.would_deny);
        sheet.say(&words, model.theme.text);
        sheet
    }

    fn keys(&self) -> &'static str {
        "enter enforces the rules, esc goes back"
    }

    fn submit(&self, model: &mut Model) -> Result<Effect, String> {
        Ok(submit(model, self.mode))
    }
}
