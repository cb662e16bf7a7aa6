//! The help: the keys, made from the key table.

use ratatui::text::{Line, Span};

use crate::tui::field::Field;
use crate::tui::keymap::{Context, names};
use crate::tui::model::{Dialog, Model, TextField};
use crate::tui::text;
use crate::tui::widgets::sheet::Sheet;

/// The help.
#[derive(Debug, Default)]
pub struct Help {
    /// The contexts in which it was opened: their keys come first.
    pub from: &'static [Context],
    /// The search field.
    pub search: Field,
    /// The error.
    pub error: Option<String>,
    /// How far it is scrolled.
    pub scroll: usize,
}

/// Opens it, unless it is on top already.
pub(super) fn open(model: &mut Model) {
    if model.top::<Help>().is_none() {
        let from = model.chain();
        model.open(Help { from, ..Help::default() });
    }
}

/// The contexts in which the help was opened come first, the nearest on top; text fields are the same everywhere.
fn order(from: &[Context]) -> Vec<Context> {
    let here = |text: bool| from.iter().copied().filter(move |context| (*context == Context::Text) == text);
    let rest = Context::ALL.into_iter().filter(|context| !from.contains(context));
    here(false).chain(here(true)).chain(rest).collect()
}

impl Dialog for Help {
    fn contexts(&self, _: &Model) -> &'static [Context] {
        &[Context::Text, Context::Help, Context::Anywhere]
    }

    fn sheet(&self, model: &Model, columns: usize) -> Sheet {
        let mut sheet = Sheet::new("Keys: type to search", &model.theme, columns);
        sheet.scroll = self.scroll;
        let wanted = text::screen(self.search.bytes()).to_lowercase();
        for context in order(self.from) {
            let rows: Vec<_> = model
                .keys
                .rows()
                .filter(|(row, _)| row.context == context)
                .filter(|(row, keys)| {
                    let all = format!("{} {} {}", names(keys), row.help, context.title()).to_lowercase();
                    all.contains(&wanted)
                })
                .collect();
            if rows.is_empty() {
                continue;
            }
            sheet.say(context.title(), model.theme.title);
            for (row, keys) in rows {
                let keys = text::pad(&format!("  {}", names(keys)), 20.min(columns / 2));
                let room = columns.saturating_sub(text::width(&keys) + 1);
                for (at, words) in text::wrap(row.help, room).into_iter().enumerate() {
                    let keys = if at == 0 { keys.clone() } else { " ".repeat(text::width(&keys)) };
                    sheet.lines.push(Line::from(vec![
                        Span::styled(keys + " ", model.theme.key),
                        Span::styled(words, model.theme.text),
                    ]));
                }
            }
        }
        if sheet.lines.is_empty() {
            sheet.say("no key matches", model.theme.warn);
        }
        sheet.pinned_field("search", &self.search);
        sheet.wrong(self.error.as_ref());
        sheet
    }

    fn field<'a>(&'a mut self, _: &'a mut Model) -> Option<TextField<'a>> {
        self.scroll = 0;
        Some((&mut self.search, Some(&mut self.error)))
    }

    fn scroll(&mut self) -> Option<&mut usize> {
        Some(&mut self.scroll)
    }
}
