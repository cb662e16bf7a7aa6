//! Saves records to a file.

use std::sync::Arc;

use crate::abi::record::Record;
use crate::control::export::{Existing, Overwrite, Save, Saved, Unsaved, What};
use crate::control::text::outcome::Severity;
use crate::tui::field::Field;
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model, TextField};
use crate::tui::msg::{Effect, Ticket};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

use super::detail::Detail;

/// The default file name.
const FILE: &[u8] = b"khelper-records.jsonl";

/// The stages of saving.
#[derive(Debug)]
pub enum Saving {
    /// The operator types the path.
    Typing,
    /// The file is being written.
    Writing(Ticket),
    /// The file exists: the dialog asks whether to replace it.
    Asking(Existing),
}

/// The dialog.
#[derive(Debug)]
pub struct SaveForm {
    /// The field with the focus: 0 path, 1 records.
    pub focus: usize,
    /// The path of the file.
    pub path: Field,
    /// Save all records that match; otherwise the one under the cursor.
    pub all: bool,
    /// The record that was under the cursor when the dialog opened.
    pub record: Option<Arc<Record>>,
    /// The stage.
    pub stage: Saving,
    /// The error.
    pub error: Option<String>,
}

impl SaveForm {
    /// The number of fields.
    const FIELDS: usize = 2;

    /// The operator has confirmed what the dialog shows.
    fn confirm(&self) -> Option<Overwrite> {
        match &self.stage {
            Saving::Asking(existing) => Some(existing.clone().confirmed()),
            _ => None,
        }
    }
}

/// Opens the dialog.
pub(super) fn open(model: &mut Model) {
    if model.refuses("saving to a file") {
        return;
    }
    let record = model.activity.detail().map(|detail| detail.record.clone());
    let on_page = model.top::<Detail>().is_some();
    let form = SaveForm {
        focus: 0,
        path: Field::prefilled(FILE),
        all: !on_page || record.is_none(),
        record,
        stage: Saving::Typing,
        error: None,
    };
    model.open(form);
}

/// Handles the answer to a save, even if its dialog was closed.
pub fn saved(model: &mut Model, ticket: Ticket, result: Result<Saved, Unsaved>) {
    let at = model.waiting(ticket);
    let form = at.and_then(|at| model.dialogs.get_mut(at)?.get_mut::<SaveForm>());
    let text = match (result, form) {
        (Ok(saved), _) => {
            if let Some(at) = at {
                model.dialogs.remove(at);
            }
            let records = if saved.records == 1 { "1 record".to_owned() } else { format!("{} records", saved.records) };
            return model.say(Severity::Good, format!("saved {records}, {} bytes: {}", saved.bytes, saved.path));
        }
        (Err(Unsaved::Exists(existing)), Some(form)) => return form.stage = Saving::Asking(existing),
        (Err(Unsaved::Failed(why)), Some(form)) => return form.refused(format!("nothing was saved: {why}")),
        (Err(Unsaved::Exists(_)), None) => "the file exists".to_owned(),
        (Err(Unsaved::Failed(why)), None) => why,
    };
    model.say(Severity::Bad, format!("nothing was saved: {text}"));
}

impl Dialog for SaveForm {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        match self.stage {
            Saving::Asking(_) => &[Context::Confirm, Context::Anywhere],
            _ if self.focus == 1 => &[Context::Pick, Context::Form, Context::Anywhere],
            _ => &[Context::Text, Context::Form, Context::Anywhere],
        }
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Save records, as JSON lines", &model.theme, columns);
        if let Saving::Asking(existing) = &self.stage {
            sheet.title = "Replace the file?".to_owned();
            sheet.say(&format!("{} bytes would be lost in the existing file", existing.bytes), model.theme.bad);
            sheet.say(&format!("`{}`", text::screen(self.path.bytes())), model.theme.title);
            sheet.pinned.push(line(text::fit("enter replaces it, esc goes back", columns), model.theme.text));
            return sheet;
        }
        sheet.error.clone_from(&self.error);
        sheet.field("file ", &self.path, self.focus == 0 && !matches!(self.stage, Saving::Writing(_)));
        let matched = model.activity.answer.matched;
        let what = match &self.record {
            Some(record) if !self.all => format!("only #{}", record.id),
            _ => format!("all that match ({matched})"),
        };
        sheet.pick("what ", &what, self.focus == 1);
        match self.stage {
            Saving::Writing(_) => sheet.say("writing", model.theme.dim),
            _ => {
                sheet.say("one object per line, as `--json` prints them; readable only by you (0600)", model.theme.dim)
            }
        }
        sheet
    }

    /// Writes the file, or replaces the existing one after confirmation; the dialog stays open until the answer.
    fn accept(&mut self, model: &mut Model) -> After {
        let query = model.activity.query();
        let newest = model.activity.paused.map(|_| model.activity.answer.newest);
        let ticket = model.next_ticket();
        if matches!(self.stage, Saving::Writing(_)) {
            return After::STAY;
        }
        if self.path.is_empty() || self.path.bytes().contains(&0) {
            self.error = Some("the path must not be empty or contain a NUL byte".into());
            return After::STAY;
        }
        let over = self.confirm();
        let what = match (&self.record, self.all) {
            (Some(record), false) => What::One(record.clone()),
            _ => What::All(query, newest),
        };
        let path = self.path.bytes().to_vec();
        (self.stage, self.error) = (Saving::Writing(ticket), None);
        After::Stay(vec![Effect::Save { ticket, save: Box::new(Save { path, what, over }) }])
    }

    /// Goes back from the question to the path, and from the path to the screen.
    fn dismiss(&mut self, _: &mut Model) -> After {
        if matches!(self.stage, Saving::Asking(_)) {
            self.stage = Saving::Typing;
            return After::STAY;
        }
        After::CLOSE
    }

    fn fields(&self, _: &Model) -> usize {
        Self::FIELDS
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        let typed = self.focus == 0 && matches!(self.stage, Saving::Typing);
        typed.then_some((&mut self.path, Some(&mut self.error)))
    }

    fn focus<'a>(&'a mut self, _: &'a mut Model) -> Option<(&'a mut usize, &'a mut Option<String>)> {
        Some((&mut self.focus, &mut self.error))
    }

    fn pick(&mut self, _: &mut Model, _: bool) {
        if self.focus == 1 {
            self.all = !self.all || self.record.is_none();
        }
    }

    fn awaits(&self, ticket: Ticket) -> bool {
        matches!(self.stage, Saving::Writing(writing) if writing == ticket)
    }

    fn refused(&mut self, why: String) {
        (self.stage, self.error) = (Saving::Typing, Some(why));
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_yes_is_to_one_file_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "1").unwrap();
        let asked = Existing::new(&std::fs::metadata(&path).unwrap());
        let form = SaveForm {
            focus: 0,
            path: Field::default(),
            all: true,
            record: None,
            stage: Saving::Asking(asked.clone()),
            error: None,
        };
        let yes = form.confirm().unwrap();
        assert!(yes.allows(&asked));
        std::fs::write(&path, "12").unwrap();
        assert!(!yes.allows(&Existing::new(&std::fs::metadata(&path).unwrap())));
        assert!(SaveForm { stage: Saving::Typing, ..form }.confirm().is_none());
    }
}
