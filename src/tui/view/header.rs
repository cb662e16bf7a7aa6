//! The lines at the bottom of every screen: the last message and the keys.

use ratatui::text::{Line, Span};

use crate::control::text::outcome::Severity;
use crate::tui::keymap::{Action, Context, name};
use crate::tui::model::Model;
use crate::tui::text;

use crate::tui::widgets::lines::line;

/// The last message.
pub fn status(model: &Model, columns: u16, rows: u16) -> Vec<Line<'static>> {
    let Some((mood, text)) = model.message() else { return Vec::new() };
    let style = match mood {
        Severity::Quiet => model.theme.text,
        mood => model.theme.mood(mood),
    };
    let (columns, rows) = (usize::from(columns), usize::from(rows));
    let mut lines = text::wrap(&text, columns);
    if lines.len() > rows && rows > 0 {
        let rest = lines.split_off(rows - 1).join(" ");
        lines.push(text::fit(&rest, columns));
    }
    lines.into_iter().map(|text| line(text, style)).collect()
}

/// The most keys that the footer shows; the help has them all.
const KEYS: usize = 9;

/// The keys of this place, the most used first, and the help's key at the right edge. Keys that do not fit are dropped
/// whole.
pub fn footer(model: &Model, columns: u16, scrolls: bool) -> Line<'static> {
    let columns = usize::from(columns);
    let mut keys: Vec<_> = offered(model, scrolls);
    let help = if model.chain().contains(&Context::Help) { String::new() } else { help_key(model) };
    let more = if help.is_empty() { "" } else { " keys" };
    let room = columns.saturating_sub(text::width(&help) + more.len());
    // Two blanks follow each key, also the last one, before the help's.
    let cells = |key: &str, label: &str| text::width(key) + text::width(label) + 3;
    let fits = |keys: &[(String, &str)]| keys.iter().map(|(key, label)| cells(key, label)).sum::<usize>() <= room;
    if !fits(&keys) && model.dialogs.last().is_some() {
        // Operators guess this key most easily, so it goes first.
        keys.retain(|(_, label)| *label != "next");
    }
    keys.truncate(KEYS);
    while !fits(&keys) {
        keys.pop();
    }
    let mut spans = Vec::new();
    for (key, label) in keys {
        spans.push(Span::styled(key, model.theme.key));
        spans.push(Span::styled(format!(" {label}  "), model.theme.text));
    }
    let blank = room.saturating_sub(spans.iter().map(|span| text::width(&span.content)).sum());
    spans.push(Span::styled(" ".repeat(blank), model.theme.text));
    spans.push(Span::styled(help, model.theme.key));
    spans.push(Span::styled(more, model.theme.text));
    Line::from(spans)
}

/// The keys that have an effect now, with their labels.
fn offered(model: &Model, scrolls: bool) -> Vec<(String, &'static str)> {
    let offers = |action| model.dialogs.last().is_none_or(|dialog| dialog.offers(model, action));
    let rows =
        model.keys.footer(model.chain(), model.options.read_only).into_iter().filter(|(row, _)| match row.action {
            _ if row.label == "scroll" => scrolls,
            // It has its own place.
            Action::Help => false,
            Action::Next => model.fields() > 1,
            action => offers(action),
        });
    rows.map(|(row, key)| match row.action {
        Action::Change => (format!("{}/{key}", model.keys.key(Action::ChangeBack)), row.label),
        _ => (key, row.label),
    })
    .collect()
}

/// The help's key that works now: a character does not while text is typed.
fn help_key(model: &Model) -> String {
    let chain = model.chain();
    let help = model.keys.rows().filter(|(row, _)| row.action == Action::Help);
    let here = help.filter(|(row, _)| chain.contains(&row.context)).flat_map(|(_, keys)| keys);
    here.map(|key| name(*key)).next().unwrap_or_default()
}
