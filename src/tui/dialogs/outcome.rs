//! The list of outcomes: which records Activity shows.

use crate::control::activity::query::Which;
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model};
use crate::tui::widgets::sheet::Sheet;

/// The index of the selected outcome.
#[derive(Debug)]
pub struct Outcome(usize);

/// Opens it, on the outcome that is shown.
pub(super) fn open(model: &mut Model) {
    let at = Which::ALL.iter().position(|which| *which == model.activity.which).unwrap_or_default();
    model.open(Outcome(at));
}

impl Dialog for Outcome {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Show outcomes", &model.theme, columns);
        for (at, which) in Which::ALL.into_iter().enumerate() {
            let mark = if which == model.activity.which { "[x]" } else { "[ ]" };
            sheet.choice(&format!("{mark} {}", which.name()), at == self.0);
        }
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        if let Some(which) = Which::ALL.get(self.0).filter(|which| **which != model.activity.which) {
            model.activity.which = *which;
            model.activity.changed();
        }
        After::CLOSE
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.0, Which::ALL.len()))
    }
}
