//! Panels of labelled lines, one below the other; what does not fit is named.

use ratatui::style::Style;
use ratatui::text::Line;

use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::lines::line;
use crate::tui::widgets::rule::Rule;

use super::rows::labelled;

/// A panel: its title, a hint for the end of its rule, its lines.
pub struct Section {
    /// The title; the part before the first colon is its name.
    pub title: String,
    /// Shown at the end of its rule.
    pub hint: String,
    /// Its lines.
    pub lines: Vec<Line<'static>>,
}

impl Section {
    fn new(title: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { title: title.into(), hint: hint.into(), lines: Vec::new() }
    }
}

/// Adds labelled lines to a panel.
pub struct Writer<'a> {
    pub model: &'a Model,
    columns: usize,
    pub section: Section,
}

impl<'a> Writer<'a> {
    /// A panel without lines.
    pub fn new(model: &'a Model, columns: usize, title: impl Into<String>, hint: impl Into<String>) -> Self {
        Self { model, columns, section: Section::new(title, hint) }
    }

    /// A label and a value.
    pub fn say(&mut self, label: &str, value: &str, style: Style) {
        self.section.lines.extend(labelled(self.model, label, value, self.columns, style));
    }

    /// The same in the style of ordinary text.
    pub fn tell(&mut self, label: &str, value: &str) {
        self.say(label, value, self.model.theme.text);
    }

    /// A sentence without a label.
    pub fn sentence(&mut self, sentence: &str, style: Style) {
        let rows = text::wrap(sentence, self.columns.saturating_sub(1));
        self.section.lines.extend(rows.into_iter().map(|row| line(format!(" {row}"), style)));
    }
}

/// The panels one below the other, in this many rows.
pub fn fit(model: &Model, sections: Vec<Section>, columns: usize, rows: usize, ruled: bool) -> Vec<Line<'static>> {
    let theme = &model.theme;
    let mut out: Vec<Line<'static>> = Vec::new();
    // The first row of each panel, to name the ones that are hidden.
    let mut starts = Vec::new();
    for section in sections {
        starts.push((out.len(), section.title.split(':').next().unwrap_or_default().to_owned()));
        if ruled {
            out.push(Rule { title: &section.title, hint: &section.hint, focused: false }.line(theme, columns));
        }
        out.extend(section.lines);
    }
    if out.len() <= rows || rows == 0 {
        out.truncate(rows);
        return out;
    }
    // A panel of which only the rule would be left is hidden.
    let mut kept = rows - 1;
    if starts.iter().any(|(start, _)| ruled && kept == start + 1) {
        kept -= 1;
    }
    let hidden: Vec<&str> = starts.iter().filter(|(start, _)| *start >= kept).map(|(_, title)| &**title).collect();
    let key = model.keys.key(Action::Forms);
    let what = match hidden.is_empty() {
        true => crate::abi::counted::counted(out.len() - kept, "more line"),
        false => hidden.join(", "),
    };
    out.truncate(kept);
    out.push(line(text::fit(&format!(" hidden: {what}; {key} shows all"), columns), theme.dim));
    out
}
