//! Confirms the reset of a mask.

use crate::control::text::mask::{list, size};
use crate::control::text::outcome::Severity;
use crate::control::{Command, MaskKnob};
use crate::tui::model::masks::{key, live, short};
use crate::tui::model::{Model, Pending};
use crate::tui::msg::Effect;
use crate::tui::widgets::sheet::Sheet;

use super::confirm::{Confirm, Question};

/// Whether a mask is reset.
#[derive(Debug)]
pub struct Reset {
    /// The mask.
    pub knob: MaskKnob,
}

/// Opens the confirmation for the selected mask.
pub(super) fn open(model: &mut Model) {
    if !model.refuses("resetting a mask") {
        match question(model, model.masks.column) {
            Ok(dialog) => model.open(dialog),
            Err((mood, why)) => model.say(mood, why),
        }
    }
}

/// The confirmation, or the reason why there is nothing to reset.
pub(super) fn question(model: &Model, knob: MaskKnob) -> Result<Confirm<Reset>, (Severity, String)> {
    if live(&model.snapshot, knob) == model.snapshot.known {
        return Err((Severity::Quiet, format!("nothing to reset: {} is full already", key(knob).name())));
    }
    Ok(Confirm::new(Reset { knob }))
}

impl Question for Reset {
    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let name = if columns < 60 { short(self.knob) } else { key(self.knob).name() };
        let s = &model.snapshot;
        let now = live(s, self.knob);
        let mut sheet = Sheet::new(format!("Reset {name}"), &model.theme, columns);
        let change = format!("{} -> {}", size(now, s.known), size(s.known, s.known));
        let target = if columns < 60 { String::new() } else { format!("in the embedded engine (pid {}): ", s.pid) };
        sheet.say(&(target + &change), model.theme.title);
        let back = s.known.minus(now);
        let back = if back.is_empty() { "nothing: it is full already".to_owned() } else { list(back) };
        sheet.say(&format!("gets back {back}"), model.theme.text);
        sheet.say("the real kernel cannot do this: there a dropped bit is gone until the next boot", model.theme.warn);
        sheet
    }

    fn keys(&self) -> &'static str {
        "enter resets, esc goes back"
    }

    fn submit(&self, model: &mut Model) -> Result<Effect, String> {
        Ok(model.submit(Pending::Reset(self.knob), Command::Reset(self.knob)))
    }
}
