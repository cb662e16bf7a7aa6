//! Copies the draft in one of its text forms.

use crate::tui::keymap::Context;
use crate::tui::model::{After, Dialog, Model, mask_forms};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// The index of the selected form.
#[derive(Debug)]
pub struct CopyDraft(usize);

/// Opens it.
pub(super) fn open(model: &mut Model) {
    model.open(CopyDraft(0));
}

impl Dialog for CopyDraft {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Choices, Context::Anywhere]
    }

    /// Lists each form of both drafts, cut to one line; the copy is complete.
    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Copy the draft as", &model.theme, columns);
        for (at, form) in mask_forms::draft(model).iter().enumerate() {
            let words = format!("{:<19} {}", form.title().replace(" as ", " "), form.text.replace('\t', " "));
            sheet.choice(&text::fit(&words, columns.saturating_sub(2)), at == self.0);
        }
        sheet.pinned.push(line(text::fit("enter copies all of it, by OSC 52", columns), model.theme.dim));
        sheet
    }

    fn accept(&mut self, model: &mut Model) -> After {
        let Some(form) = mask_forms::draft(model).into_iter().nth(self.0) else { return After::CLOSE };
        After::Close(model.copy(&form.title(), form.text.into_bytes()))
    }

    fn choice(&mut self, model: &Model) -> Option<(&mut usize, usize)> {
        Some((&mut self.0, mask_forms::draft(model).len()))
    }
}
