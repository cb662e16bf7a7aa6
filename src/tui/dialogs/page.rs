//! A page to read.

use crate::tui::keymap::Context;
use crate::tui::model::{Dialog, Model};
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::sheet::Sheet;

/// A page to read.
#[derive(Debug)]
pub struct Page {
    /// The title.
    pub title: String,
    /// Its lines, escaped.
    pub lines: Vec<String>,
    /// How far it is scrolled.
    pub scroll: usize,
}

/// Opens a page. Every line is escaped.
pub fn open(model: &mut Model, title: &str, lines: Vec<String>) {
    model.open(Page { title: title.to_owned(), lines, scroll: 0 });
}

impl Dialog for Page {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Page, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new(self.title.clone(), &model.theme, columns);
        sheet.scroll = self.scroll;
        for row in &self.lines {
            // A wrapped line keeps its indent.
            let (indent, words) = row.split_at(row.len() - row.trim_start_matches(' ').len());
            let indent = text::fit(indent, columns / 2);
            let wrapped = text::wrap(words, columns - indent.len());
            sheet.lines.extend(wrapped.into_iter().map(|text| line(format!("{indent}{text}"), model.theme.text)));
        }
        sheet
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }
}
