//! Two columns of text in one list of lines, with a line between them.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::text;
use crate::tui::theme::Theme;

use super::rule::Rule;

/// The width of a label, with the mark before it and a blank after it.
const LABEL: usize = 14;

/// Both columns.
pub struct Beside<'a> {
    theme: &'a Theme,
    widths: [usize; 2],
}

impl<'a> Beside<'a> {
    /// Two columns in this width.
    pub const fn new(theme: &'a Theme, columns: usize) -> Self {
        let left = columns / 2;
        Self { theme, widths: [left, columns.saturating_sub(left + 1)] }
    }

    /// A rule on top of each column, joined by this sign.
    pub fn rules(&self, titles: [&str; 2], hints: [&str; 2], sign: char) -> Line<'static> {
        let rule = |at: usize| {
            Rule { title: titles[at], hint: hints[at], focused: false }.line(self.theme, self.widths[at]).spans
        };
        let mut spans = rule(0);
        spans.push(Span::styled(sign.to_string(), self.theme.dim));
        spans.extend(rule(1));
        Line::from(spans)
    }

    /// The same label in both columns, with a value each, wrapped with a hanging indent.
    pub fn values(&self, label: &str, values: [(&str, Style); 2]) -> Vec<Line<'static>> {
        let room = |at: usize| self.widths[at].saturating_sub(LABEL + 2).max(8);
        let parts = [text::wrap(values[0].0, room(0)), text::wrap(values[1].0, room(1))];
        let rows = parts[0].len().max(parts[1].len());
        let cells = |row: usize| {
            [0, 1].map(|at| {
                let label = if row == 0 { label } else { "" };
                let part = parts[at].get(row).cloned().unwrap_or_default();
                let label = Span::styled(format!(" {}", text::pad(label, LABEL)), self.theme.dim);
                vec![label, Span::styled(part, values[at].1)]
            })
        };
        (0..rows).map(|row| self.row(cells(row))).collect()
    }

    /// A list of lines in each column, wrapped.
    pub fn texts(&self, columns: [Vec<String>; 2], style: Style) -> Vec<Line<'static>> {
        let room = |at: usize| self.widths[at].saturating_sub(2);
        let wrapped = |at: usize| columns[at].iter().flat_map(|row| text::fold(row, room(at))).collect::<Vec<_>>();
        let columns = [wrapped(0), wrapped(1)];
        let rows = columns[0].len().max(columns[1].len());
        let cell = |at: usize, row: usize| {
            let words = columns[at].get(row).map(String::as_str).unwrap_or_default();
            vec![Span::styled(text::fit(&format!(" {words}"), self.widths[at].saturating_sub(1)), style)]
        };
        (0..rows).map(|row| self.row([cell(0, row), cell(1, row)])).collect()
    }

    fn row(&self, [left, right]: [Vec<Span<'static>>; 2]) -> Line<'static> {
        let used: usize = left.iter().map(|span| text::width(&span.content)).sum();
        let mut spans = left;
        spans.push(Span::raw(" ".repeat(self.widths[0].saturating_sub(used))));
        spans.push(Span::styled("│", self.theme.dim));
        spans.extend(right);
        Line::from(spans)
    }
}
