//! Sets the gate.

use crate::abi::depth::Depth;
use crate::control::text::outcome::Severity;
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::msg::Effect;
use crate::tui::panels::knobs;
use crate::tui::widgets::sheet::Sheet;
use crate::verbs::perform;

const CHOICES: [&str; 3] = [
    "freeze and drain: refuse calls, readers wait",
    "disable and drain: refuse calls and readers",
    "enable: let calls pass",
];

/// The index of the selected choice.
#[derive(Debug)]
pub struct Gate(pub usize);

/// Opens it. The first choice is freeze if the gate is open, and enable if it is shut.
pub(super) fn open(model: &mut Model) {
    if !model.refuses("changing the gate") {
        model.open(Gate(if model.snapshot.gate == Depth::Enabled { 0 } else { 2 }));
    }
}

/// The depths of the choices.
const DEPTHS: [Depth; CHOICES.len()] = [Depth::Freezing, Depth::Disabled, Depth::Enabled];

/// Freezes and drains, disables and drains, or enables.
pub(super) fn act(model: &mut Model, depth: Depth) -> Vec<Effect> {
    let (words, patience) = match depth {
        Depth::Freezing => ("freeze and drain", ": waits up to 5 s for the calls in flight"),
        Depth::Disabled => ("disable and drain", ": waits up to 5 s for the calls in flight"),
        Depth::Enabled => ("enable", ""),
    };
    model.say(Severity::Quiet, format!("khelper.gate: {words}{patience}"));
    vec![model.submit(Pending::Gate(words, model.snapshot.gate), perform::gate(depth))]
}

impl Dialog for Gate {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Gate, Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("The gate: khelper.gate", &model.theme, columns);
        let calls = match model.snapshot.running_helpers {
            1 => "1 call".to_owned(),
            n => format!("{n} calls"),
        };
        let now = format!("now {}; {calls} in flight", knobs::gate(model));
        sheet.say(&now, model.theme.text);
        sheet.choices(&CHOICES, self.0);
        sheet.say(
            "a drain waits up to 5 s for the calls in flight; if some remain, the gate opens again",
            model.theme.dim,
        );
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        After::Close(act(model, DEPTHS[self.0.min(DEPTHS.len() - 1)]))
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.0, CHOICES.len()))
    }
}
