//! Rows of a panel, each with what it stands for.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::model::Model;
use crate::tui::model::overview::Item;
use crate::tui::text;

/// A row of a panel.
#[derive(Debug)]
pub struct PanelRow {
    /// What it stands for; `None` if the cursor passes it over.
    pub item: Option<Item>,
    /// How many requests it stands for.
    pub stands_for: usize,
    /// Its text.
    pub line: Line<'static>,
}

impl PanelRow {
    /// A row that stands for nothing.
    pub fn plain(line: Line<'static>) -> Self {
        Self { item: None, stands_for: 1, line }
    }

    /// A row in one style that stands for nothing, cut to `columns`.
    pub fn words(words: &str, columns: usize, style: Style) -> Self {
        Self::plain(Line::from(Span::styled(text::fit(&format!(" {words}"), columns), style)))
    }
}

/// The width of a label and the blank after it.
pub const LABEL: usize = 13;

/// A label and a value, wrapped with a hanging indent.
pub fn labelled(model: &Model, label: &str, value: &str, columns: usize, style: Style) -> Vec<Line<'static>> {
    let room = columns.saturating_sub(LABEL + 1).max(8);
    let parts = text::wrap(value, room).into_iter().enumerate().map(|(at, part)| {
        let label = if at == 0 { label } else { "" };
        Line::from(vec![
            Span::styled(format!(" {}", text::pad(label, LABEL)), model.theme.dim),
            Span::styled(part, style),
        ])
    });
    parts.collect()
}

/// The columns of a list of requests: a sign, the number or the count, the name, the state, a time.
pub struct Columns {
    number: usize,
    name: usize,
    state: usize,
    time: usize,
}

/// The cells of one row of such a list.
pub struct Cells<'a> {
    pub sign: char,
    pub number: String,
    pub name: &'a str,
    pub state: String,
    pub time: String,
}

impl Columns {
    /// For this width; `newest` is the highest number of a request, `time` the width of the last column.
    pub fn new(columns: usize, newest: u64, time: usize) -> Self {
        let number = (2 + newest.checked_ilog10().unwrap_or(0) as usize).max(5);
        let time = if columns < 50 { 0 } else { time };
        let left = columns.saturating_sub(number + 4 + if time > 0 { time + 1 } else { 0 });
        let state = (left * 58 / 100).clamp(19, 34).min(left.saturating_sub(5));
        Self { number, name: left.saturating_sub(state + 1), state, time }
    }

    /// The room for the state.
    pub fn state(&self) -> usize {
        self.state
    }

    /// A row, with the styles of the sign and of the state.
    pub fn line(&self, model: &Model, cells: &Cells<'_>, [of_sign, of_state]: [Style; 2]) -> Line<'static> {
        let theme = &model.theme;
        let number = text::fit(&cells.number, self.number);
        let number = " ".repeat(self.number - text::width(&number).min(self.number)) + &number;
        let time = text::fit(&cells.time, self.time);
        let time = " ".repeat(self.time.saturating_sub(text::width(&time))) + &time;
        let state = text::fit(&cells.state, self.state);
        let after = self.state.saturating_sub(text::width(&state)) + usize::from(self.time > 0);
        Line::from(vec![
            Span::styled(format!(" {} ", cells.sign), of_sign),
            Span::styled(format!("{number} "), theme.dim),
            Span::styled(format!("{} ", text::pad(cells.name, self.name)), theme.title),
            Span::styled(state, of_state),
            Span::styled(format!("{}{time}", " ".repeat(after)), theme.dim),
        ])
    }
}
