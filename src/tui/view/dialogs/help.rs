//! The help, made from the key table.

use ratatui::text::{Line, Span};

use crate::tui::keymap::{Context, names};
use crate::tui::model::Model;
use crate::tui::model::dialog::Help;
use crate::tui::text;

use super::Sheet;

/// What means something where the help was called comes first, the nearest of all; text fields are the same everywhere.
fn order(from: &[Context]) -> Vec<Context> {
    let here = |text: bool| from.iter().copied().filter(move |context| (*context == Context::Text) == text);
    let rest = Context::ALL.into_iter().filter(|context| !from.contains(context));
    here(false).chain(here(true)).chain(rest).collect()
}

pub(super) fn sheet(model: &Model, help: &Help, columns: usize) -> Sheet {
    let mut sheet = Sheet::new("Keys: type to search", &model.theme, columns);
    sheet.scroll = help.scroll;
    let wanted = text::screen(help.search.bytes()).to_lowercase();
    for context in order(help.from) {
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
        sheet.say("no key does that", model.theme.warn);
    }
    sheet.pinned_field("search", &help.search);
    sheet.wrong(help.error.as_ref());
    sheet
}
