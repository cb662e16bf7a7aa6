//! Edit the modprobe path.

use std::sync::Arc;

use crate::abi::path::parse_modprobe;
use crate::control::{Command, Key, KnobValue};
use crate::tui::field::Field;
use crate::tui::keymap::Context;
use crate::tui::model::forms::say;
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::msg::Ticket;
use crate::tui::text;
use crate::tui::widgets::sheet::Sheet;

use super::kernel_write;

/// Edit the modprobe path.
#[derive(Debug)]
pub struct PathForm {
    /// The path.
    pub path: Field,
    /// The ticket of the write in progress.
    pub ticket: Option<Ticket>,
    /// The error: an invalid path, or why the write was refused.
    pub error: Option<String>,
}

impl PathForm {
    /// Starts with the live path, selected.
    fn new(live: &[u8]) -> Self {
        Self { path: Field::prefilled(live), ticket: None, error: None }
    }

    /// The path, if it is valid (SYS-6).
    fn check(&self) -> Result<Arc<[u8]>, String> {
        parse_modprobe(self.path.bytes()).map_err(|e| say(&e))
    }
}

/// Opens it with the live path.
pub(super) fn open(model: &mut Model) {
    if !model.refuses("editing kernel.modprobe") {
        model.open(PathForm::new(&model.snapshot.knobs.modprobe));
    }
}

impl Dialog for PathForm {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Text, Context::Form, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Edit kernel.modprobe", &model.theme, columns);
        sheet.error.clone_from(&self.error);
        sheet.field("path ", &self.path, true);
        let live = text::screen(&model.snapshot.knobs.modprobe);
        let live = if live.is_empty() { "(empty)".to_owned() } else { format!("`{live}`") };
        sheet.say(&format!("live: {live}; an empty path turns autoload off"), model.theme.text);
        if self.ticket.is_some() {
            sheet.say("writing", model.theme.dim);
        }
        sheet
    }

    /// Writes the path; the dialog stays open until the answer.
    fn accept(&mut self, model: &mut Model) -> After {
        if self.ticket.is_some() {
            return After::STAY;
        }
        let path = match self.check() {
            Ok(path) => path,
            Err(why) => {
                self.error = Some(why);
                return After::STAY;
            }
        };
        if kernel_write::is_kernel(model) {
            kernel_write::open(model, vec![(Key::Modprobe, KnobValue::Path(path))]);
            return After::CLOSE;
        }
        let effect = model.submit(Pending::Path, Command::Write(vec![(Key::Modprobe, KnobValue::Path(path))]));
        (self.ticket, self.error) = (Some(model.last_ticket()), None);
        After::Stay(vec![effect])
    }

    fn fields(&self, _: &Model) -> usize {
        1
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        Some((&mut self.path, Some(&mut self.error)))
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    fn refused(&mut self, why: String) {
        (self.ticket, self.error) = (None, Some(why));
    }
}
