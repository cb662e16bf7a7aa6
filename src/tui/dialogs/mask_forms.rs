//! Both masks in every text form.

use crate::tui::keymap::Context;
use crate::tui::model::{Dialog, Model};
use crate::tui::panels::mask_detail;
use crate::tui::widgets::sheet::Sheet;

/// How far it is scrolled.
#[derive(Debug)]
pub struct MaskForms(usize);

/// Opens it.
pub(super) fn open(model: &mut Model) {
    model.open(MaskForms(0));
}

impl Dialog for MaskForms {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Page, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Both masks, in every form", &model.theme, columns);
        sheet.lines = mask_detail::whole(model, columns);
        sheet.scroll = self.0;
        sheet
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.0)
    }
}
