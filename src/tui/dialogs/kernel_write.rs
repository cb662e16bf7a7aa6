//! Confirms a write to knobs of this machine's kernel that are no masks: a phrase must be typed.

use crate::control::target::TargetKind;
use crate::control::text::outcome::value;
use crate::control::text::target::object;
use crate::control::{Command, KernelWrite, Key, KnobValue, read};
use crate::tui::field::Field;
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::msg::Ticket;
use crate::tui::widgets::sheet::Sheet;

/// The confirmation of a write.
#[derive(Debug)]
pub struct Confirm {
    writes: Vec<(Key, KnobValue)>,
    typed: Field,
    ticket: Option<Ticket>,
    error: Option<String>,
}

/// Whether the console writes to this machine's kernel.
pub fn is_kernel(model: &Model) -> bool {
    model.link.info.kind == TargetKind::Kernel
}

/// The command that writes these knobs. The operator has confirmed it.
pub fn command(model: &Model, writes: Vec<(Key, KnobValue)>) -> Command {
    match is_kernel(model) {
        true => Command::WriteKernel(KernelWrite { writes, until_reboot: true, force: false, persist: false }),
        false => Command::Write(writes),
    }
}

/// Opens the confirmation.
pub fn open(model: &mut Model, writes: Vec<(Key, KnobValue)>) {
    model.open(Confirm { writes, typed: Field::default(), ticket: None, error: None });
}

impl Confirm {
    /// The text that must be typed.
    fn phrase(&self) -> &'static str {
        let disables = self.writes.iter().any(|(key, _)| *key == Key::ModulesDisabled);
        if disables { "no modules until reboot" } else { "write kernel" }
    }
}

impl Dialog for Confirm {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Text, Context::Confirm, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Write to the kernel", &model.theme, columns);
        sheet.say(&format!("to {}:", object(&model.link.info)), model.theme.text);
        for (key, new) in &self.writes {
            let line = match key {
                // A snapshot does not have it.
                Key::ModulesDisabled => format!("{key}: {new}"),
                _ => format!("{key}: {} -> {}", value(&read(&model.snapshot, *key).text()), value(&new.text())),
            };
            sheet.say(&line, model.theme.title);
            let truth = match key {
                Key::ModulesDisabled => "✗ no module can be loaded after it until this machine starts again",
                _ => "! the kernel runs this program as root for every module request",
            };
            sheet.say(truth, model.theme.warn);
        }
        sheet.pinned_field(&format!("type `{}`:", self.phrase()), &self.typed);
        if self.ticket.is_some() {
            sheet.say("writing", model.theme.dim);
        }
        sheet.wrong(self.error.as_ref());
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        if self.ticket.is_some() {
            return After::STAY;
        }
        if self.typed.bytes() != self.phrase().as_bytes() {
            self.error = Some(format!("not done: type `{}` to confirm", self.phrase()));
            return After::STAY;
        }
        self.error = None;
        let keys = self.writes.iter().map(|(key, _)| *key).collect();
        let effect = model.submit(Pending::Set(keys), command(model, self.writes.clone()));
        self.ticket = Some(model.last_ticket());
        After::Stay(vec![effect])
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        Some((&mut self.typed, Some(&mut self.error)))
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    fn refused(&mut self, why: String) {
        (self.ticket, self.error) = (None, Some(why));
    }
}
