//! Confirms the reset of a mask.

use crate::control::text::mask::{list, size};
use crate::control::text::outcome::Severity;
use crate::control::{Command, MaskKnob};
use crate::tui::keymap::Context;
use crate::tui::model::masks::{key, live, short};
use crate::tui::model::{After, Dialog, Model, Pending};
use crate::tui::msg::Ticket;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

use super::frame;

/// The confirmation of a reset.
#[derive(Clone, Debug)]
pub struct Reset {
    /// The mask.
    pub knob: MaskKnob,
    /// The ticket of the reset in progress.
    pub ticket: Option<Ticket>,
    /// The error.
    pub error: Option<String>,
    /// How far it is scrolled.
    pub scroll: usize,
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
pub(super) fn question(model: &Model, knob: MaskKnob) -> Result<Reset, (Severity, String)> {
    if live(&model.snapshot, knob) == model.snapshot.known {
        return Err((Severity::Quiet, format!("nothing to reset: {} is full already", key(knob).name())));
    }
    Ok(Reset { knob, ticket: None, error: None, scroll: 0 })
}

impl Dialog for Reset {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Confirm, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let name = if columns < 60 { short(self.knob) } else { key(self.knob).name() };
        let s = &model.snapshot;
        let now = live(s, self.knob);
        let mut sheet = Sheet::new(format!("Reset {name}"), &model.theme, columns);
        sheet.scroll = self.scroll;
        let change = format!("{} -> {}", size(now, s.known), size(s.known, s.known));
        let target = if columns < 60 { String::new() } else { format!("in the embedded engine (pid {}): ", s.pid) };
        sheet.say(&(target + &change), model.theme.title);
        let back = s.known.minus(now);
        let back = if back.is_empty() { "nothing: it is full already".to_owned() } else { list(back) };
        sheet.say(&format!("gets back {back}"), model.theme.text);
        sheet.say("the real kernel cannot do this: there a dropped bit is gone until the next boot", model.theme.warn);
        // On a small screen an error needs the room; the footer shows the keys.
        if self.error.is_none() || model.rows >= frame::TALL {
            sheet.pinned.push(line("enter resets, esc goes back", model.theme.text));
        }
        sheet.wrong(self.error.as_ref());
        sheet
    }

    /// Resets the mask; the dialog stays open until the answer.
    fn accept(&mut self, model: &mut Model) -> After {
        if self.ticket.is_some() {
            return After::STAY;
        }
        let effect = model.submit(Pending::Reset(self.knob), Command::Reset(self.knob));
        (self.ticket, self.error) = (Some(model.last_ticket()), None);
        After::Stay(vec![effect])
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    fn refused(&mut self, why: String) {
        (self.ticket, self.error) = (None, Some(why));
    }
}
