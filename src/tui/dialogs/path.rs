//! Edit the modprobe path.

use std::sync::Arc;

use crate::abi::argv_text;
use crate::abi::module::modprobe_argv;
use crate::abi::path::parse_modprobe;
use crate::control::text::outcome::{Severity, value};
use crate::control::text::target::object;
use crate::control::{Command, Key, KnobValue};
use crate::tui::field::Field;
use crate::tui::keymap::{Action, Context};
use crate::tui::model::forms::say;
use crate::tui::model::{After, Dialog, Model, Pending, TextField};
use crate::tui::msg::Ticket;
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

use super::{frame, kernel_write};

/// Edit the modprobe path.
#[derive(Debug)]
pub struct PathForm {
    /// The path.
    pub path: Field,
    /// The question: the live path and the new one, once the new one is typed.
    pub asking: Option<[Arc<[u8]>; 2]>,
    /// The ticket of the write in progress.
    pub ticket: Option<Ticket>,
    /// The error: an invalid path, or why the write was refused.
    pub error: Option<String>,
}

impl PathForm {
    /// Starts with the live path, selected.
    fn new(live: &[u8]) -> Self {
        Self { path: Field::prefilled(live), asking: None, ticket: None, error: None }
    }

    /// The question before a write.
    fn question(&self, model: &Model, columns: usize, from: &[u8], to: &[u8]) -> Sheet {
        let theme = &model.theme;
        let mut sheet = Sheet::new("Change kernel.modprobe?", theme, columns);
        sheet.say(&format!("to {}:", object(&model.link.info)), theme.text);
        sheet.say(&format!("from  {}", value(&text::screen(from))), theme.text);
        sheet.say(&format!("to    {}", value(&text::screen(to))), theme.title);
        if to.is_empty() {
            sheet.say("! with an empty path a request ends at once and runs nothing", theme.warn);
        } else {
            let argv = argv_text::join(modprobe_argv(to, b"NAME"));
            sheet.say_whole(&format!("every request then runs {argv}"), theme.text);
        }
        let ask = match self.ticket {
            Some(_) => "writing".to_owned(),
            None => format!("enter changes it ({} undoes it), esc goes back", model.keys.key(Action::UndoKnob)),
        };
        // On a small screen an error needs the room; the footer shows the keys.
        if self.error.is_none() || model.rows >= frame::TALL {
            sheet.pinned.extend(text::wrap(&ask, columns).into_iter().map(|ask| line(ask, theme.text)));
        }
        sheet.wrong(self.error.as_ref());
        sheet
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
        match self.asking {
            Some(_) => &[Context::Confirm, Context::Anywhere],
            None => &[Context::Text, Context::Form, Context::Anywhere],
        }
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        if let Some([from, to]) = &self.asking {
            return self.question(model, columns, from, to);
        }
        let mut sheet = Sheet::new("Edit kernel.modprobe", &model.theme, columns);
        sheet.error.clone_from(&self.error);
        sheet.field("path ", &self.path, true);
        let live = value(&text::screen(&model.snapshot.knobs.modprobe));
        sheet.say(&format!("live: {live}; an empty path turns autoload off"), model.theme.text);
        sheet
    }

    /// Asks first, with the old path and the new one; then writes the path. The dialog stays open until the answer.
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
        let live = &model.snapshot.knobs.modprobe;
        if self.asking.as_ref().is_none_or(|[from, _]| from != live) {
            let again = self.asking.is_some();
            self.error = again.then(|| "not done: another writer changed the path: read the question again".to_owned());
            if path == *live {
                model.say(
                    Severity::Quiet,
                    format!("{} is {} already", Key::Modprobe.name(), value(&text::screen(&path))),
                );
                return After::CLOSE;
            }
            self.asking = Some([live.clone(), path]);
            return After::STAY;
        }
        let effect = model.submit(Pending::Path, Command::Write(vec![(Key::Modprobe, KnobValue::Path(path))]));
        (self.ticket, self.error) = (Some(model.last_ticket()), None);
        After::Stay(vec![effect])
    }

    /// Goes back from the question to the path, and from the path to the screen.
    fn dismiss(&mut self, _: &mut Model) -> After {
        match self.asking.take() {
            Some(_) if self.ticket.is_none() => {
                self.error = None;
                After::STAY
            }
            _ => After::CLOSE,
        }
    }

    fn fields(&self, _: &Model) -> usize {
        1
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        self.asking.is_none().then_some((&mut self.path, Some(&mut self.error)))
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        self.ticket == Some(ticket)
    }

    fn refused(&mut self, why: String) {
        (self.ticket, self.error) = (None, Some(why));
    }
}
