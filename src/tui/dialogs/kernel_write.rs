//! Confirms a write to knobs of this machine's kernel that are no masks: a phrase must be typed.

use crate::control::target::TargetKind;
use crate::control::text::outcome::value;
use crate::control::text::target::object;
use crate::control::{Command, KernelWrite, Key, KnobValue, read};
use crate::tui::field::Field;
use crate::tui::keymap::Context;
use crate::tui::model::read::Read;
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::msg::Ticket;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

use super::frame;

/// The confirmation of a write.
#[derive(Debug)]
pub struct Confirm {
    writes: Vec<(Key, KnobValue)>,
    typed: Field,
    ticket: Option<Ticket>,
    error: Option<String>,
    /// The error is the answer to the write: it stays while the list is scrolled.
    answered: bool,
    scroll: usize,
    /// Which of its lines have been on the screen.
    read: Read,
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
    let (typed, read) = (Field::default(), Read::default());
    model.open(Confirm { writes, typed, ticket: None, error: None, answered: false, scroll: 0, read });
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
        let theme = &model.theme;
        let mut sheet = Sheet::new(format!("Write to {}", object(&model.link.info)), theme, columns);
        sheet.scroll = self.scroll;
        for (key, new) in &self.writes {
            sheet.labelled("writes", key.name(), theme.title);
            let disables = *key == Key::ModulesDisabled;
            if !disables {
                // A snapshot does not have the other one.
                sheet.labelled("from", &value(&read(&model.snapshot, *key).text()), theme.text);
            }
            sheet.labelled("to", &value(&new.text()), theme.title);
            let (then, undo, style) = if disables {
                let undo = "✗ not before this machine starts again";
                ("no module can be loaded or unloaded any more", undo, theme.bad)
            } else {
                let then = "the kernel runs this program as root for every module request";
                (then, "a write of the earlier path; it lasts until this machine starts again", theme.text)
            };
            sheet.labelled("then", then, theme.warn);
            sheet.labelled("undo", undo, style);
        }
        sheet.type_out(self.phrase(), &self.typed);
        if self.ticket.is_some() {
            sheet.pinned.push(line("writing", theme.dim));
        }
        sheet.wrong(self.error.as_ref());
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        if self.ticket.is_some() {
            return After::STAY;
        }
        (self.error, self.answered) = (None, false);
        if self.read.missing(&frame::lines_of(self, model).0).is_some() {
            self.error = Some("not done: read the whole list first".to_owned());
            return After::STAY;
        }
        if self.typed.bytes() != self.phrase().as_bytes() {
            self.error = Some(format!("not done: type `{}` to confirm", self.phrase()));
            return After::STAY;
        }
        let keys = self.writes.iter().map(|(key, _)| *key).collect();
        let effect = model.submit(Pending::Set(keys), command(model, self.writes.clone()));
        self.ticket = Some(model.last_ticket());
        After::Stay(vec![effect])
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        Some((&mut self.typed, Some(&mut self.error)))
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }

    fn read_on(&mut self) {
        self.error.take_if(|_| !self.answered);
    }

    fn read(&mut self) -> Option<&mut Read> {
        Some(&mut self.read)
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    fn refused(&mut self, why: String) {
        (self.ticket, self.error, self.answered) = (None, Some(why), true);
    }
}
