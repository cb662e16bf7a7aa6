//! Copies a record as JSON, or its command line.

use std::sync::Arc;

use crate::abi::argv_text;
use crate::abi::record::Record;
use crate::control::record_json::{Entry, Source};
use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// The choice of the form in which a record is copied.
#[derive(Debug)]
pub struct CopyRecord {
    /// The record.
    pub record: Arc<Record>,
    /// The form: an index of [`Self::FORMS`].
    pub choice: usize,
}

impl CopyRecord {
    /// The forms.
    const FORMS: [&str; 2] = ["the record, as JSON", "its command line, quoted for a shell"];
}

/// Asks in which form.
pub(super) fn open(model: &mut Model) {
    if let Some(record) = model.record_at_cursor() {
        model.open(CopyRecord { record, choice: 0 });
    }
}

impl Dialog for CopyRecord {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Choices, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new(format!("Copy #{} as", self.record.id), &model.theme, columns);
        for (at, form) in Self::FORMS.into_iter().enumerate() {
            sheet.choice(form, self.choice == at);
        }
        sheet.pinned.push(line(text::fit("enter copies it, by OSC 52", columns), model.theme.dim));
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        let record = &self.record;
        let text = match self.choice {
            // A record is plain data: writing it as JSON cannot fail.
            0 => serde_json::to_string(&Entry::of(record, &Source::of(&model.link.info))).unwrap_or_default(),
            _ => argv_text::join(record.argv()),
        };
        let what = format!("#{} ({})", record.id, Self::FORMS[self.choice.min(1)]);
        After::Close(model.copy(&what, text.into_bytes()))
    }

    fn choice(&mut self, _: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.choice, Self::FORMS.len()))
    }
}
