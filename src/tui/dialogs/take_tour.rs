//! Asks before this console ends for a demo.

use crate::control::text::outcome::Severity;
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model};
use crate::tui::msg::Effect;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

use super::quit;

/// The question.
#[derive(Debug)]
pub struct TakeTour;

/// Begins the demo in place of this console. Asks first, unless nothing was done here.
pub fn ask(model: &mut Model) -> Vec<Effect> {
    if quit::asks(model) {
        model.say(Severity::Warned, "the tour would end this console, which has live helpers or a draft: quit first");
        return Vec::new();
    }
    if model.offers_tour() {
        return vec![Effect::Demo];
    }
    model.open(TakeTour);
    Vec::new()
}

impl Dialog for TakeTour {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Confirm, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Take the tour?", &model.theme, columns);
        let what = "A tour of one minute with built-in helpers, as khelper --demo: nothing is loaded.";
        sheet.say(what, model.theme.text);
        if model.link.info.is_owned() {
            sheet.say("This console ends: the records of its engine are gone.", model.theme.warn);
        } else {
            sheet.say("This console ends; its target goes on.", model.theme.text);
        }
        sheet.pinned.push(line("enter starts it, esc goes back", model.theme.text));
        sheet
    }

    fn accept(&mut self, _: &mut Model) -> After {
        After::Stay(vec![Effect::Demo])
    }
}
