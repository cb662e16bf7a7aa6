//! The contents of a dialog: its lines, the pinned lines, and the cursor.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::field::Field;
use crate::tui::text;
use crate::tui::theme::Theme;

use super::field;
use super::lines::line;
use super::rule::Rule;

/// The width of a label and the blanks after it.
const LABEL: usize = 12;
/// With fewer columns than this, a label stands before its value without an indent.
const LABELLED: usize = 56;

/// The contents of a dialog.
pub struct Sheet {
    pub title: String,
    /// Shown at the end of the rule of a dialog without a frame.
    pub hint: String,
    pub lines: Vec<Line<'static>>,
    /// Pinned lines, always visible below the others: errors.
    pub pinned: Vec<Line<'static>>,
    /// The lines that must be visible.
    pub focus: Option<Focus>,
    /// The error of the field with the focus, shown below it.
    pub error: Option<String>,
    /// The pinned line and the cell of the cursor.
    pub pinned_cursor: Option<(usize, usize)>,
    pub scroll: usize,
    /// The clickable lines, in order: fields and choices.
    pub targets: Vec<usize>,
    /// The last line stands for this many more.
    pub stands_for: usize,
    /// The width of all lines.
    pub columns: usize,
    /// The styles.
    pub theme: Theme,
}

impl Sheet {
    pub fn new(title: impl Into<String>, theme: &Theme, columns: usize) -> Self {
        Self {
            title: title.into(),
            hint: String::new(),
            lines: Vec::new(),
            pinned: Vec::new(),
            focus: None,
            error: None,
            pinned_cursor: None,
            scroll: 0,
            targets: Vec::new(),
            stands_for: 0,
            columns,
            theme: *theme,
        }
    }

    /// Adds a sentence, on as many lines as needed.
    pub fn say(&mut self, sentence: &str, style: Style) {
        self.lines.extend(text::wrap(sentence, self.columns).into_iter().map(|text| line(text, style)));
    }

    /// The same, but every blank is kept, as in an argument.
    pub fn say_whole(&mut self, sentence: &str, style: Style) {
        self.lines.extend(text::fold(sentence, self.columns).into_iter().map(|text| line(text, style)));
    }

    /// Adds a label and a value, with a hanging indent where there is room for one.
    pub fn labelled(&mut self, label: &str, value: &str, style: Style) {
        if self.columns < LABELLED {
            let label = if label.is_empty() { String::new() } else { format!("{label} ") };
            return self.say(&format!("{label}{value}"), style);
        }
        let indent = LABEL.max(text::width(label) + 1);
        let parts = text::wrap(value, self.columns.saturating_sub(indent + 1));
        for (at, part) in parts.into_iter().enumerate() {
            let label = if at == 0 { label } else { "" };
            let label = Span::styled(format!(" {}", text::pad(label, indent)), self.theme.dim);
            self.lines.push(Line::from(vec![label, Span::styled(part, style)]));
        }
    }

    /// Adds a rule with a title.
    pub fn rule(&mut self, title: &str, hint: &str) {
        self.lines.push(Rule { title, hint, focused: false }.line(&self.theme, self.columns));
    }

    /// Adds an error, where it is always visible.
    pub fn wrong(&mut self, error: Option<&String>) {
        if let Some(error) = error {
            let marked = format!("✗ {error}");
            let lines = marked.lines().flat_map(|line| text::wrap(line, self.columns));
            self.pinned.extend(lines.map(|text| line(text, self.theme.bad)));
        }
    }

    /// Adds a text field with its name; the cursor is in it if it has the focus.
    pub fn field(&mut self, name: &str, field: &Field, focused: bool) {
        let (line, cursor) = self.field_line(name, field, focused);
        self.targets.push(self.lines.len());
        if focused {
            self.focus = Some(Focus { row: self.lines.len(), rows: 1, cell: Some(cursor) });
        }
        self.lines.push(line);
        if focused {
            self.wrong_here();
        }
    }

    /// Adds a sentence directly below the line with the focus.
    pub fn below(&mut self, sentence: &str, style: Style) {
        let before = self.lines.len();
        self.say(sentence, style);
        if let Some(focus) = self.focus.as_mut().filter(|focus| focus.row + focus.rows == before) {
            focus.rows += self.lines.len() - before;
        }
    }

    /// Adds a line directly below the line with the focus, from this column on.
    pub fn below_at(&mut self, column: usize, words: &str, style: Style) {
        let before = self.lines.len();
        self.lines.push(Line::from(vec![Span::raw(" ".repeat(column)), Span::styled(words.to_owned(), style)]));
        if let Some(focus) = self.focus.as_mut().filter(|focus| focus.row + focus.rows == before) {
            focus.rows += 1;
        }
    }

    fn wrong_here(&mut self) {
        if let Some(error) = self.error.take() {
            self.below(&format!("✗ {error}"), self.theme.bad);
        }
    }

    /// Adds a pinned text field for a text that must be typed; that text is never cut.
    pub fn type_out(&mut self, phrase: &str, typed: &Field) {
        let label = format!("type `{phrase}`:");
        if self.columns < 2 * label.len() {
            let rows = text::wrap(&label, self.columns).into_iter().map(|row| line(row, self.theme.warn));
            self.pinned.extend(rows);
            self.pinned_field("", typed);
        } else {
            self.pinned_field(&label, typed);
        }
    }

    /// Adds a pinned text field.
    pub fn pinned_field(&mut self, name: &str, field: &Field) {
        let (line, cursor) = self.field_line(name, field, true);
        self.pinned_cursor = Some((self.pinned.len(), cursor));
        self.pinned.push(line);
    }

    fn field_line(&self, name: &str, field: &Field, focused: bool) -> (Line<'static>, usize) {
        let mark = if focused { '>' } else { ' ' };
        let name = text::fit(&format!("{mark} {name} "), self.columns);
        let room = self.columns.saturating_sub(text::width(&name) + 1);
        let of_name = if focused { self.theme.title } else { self.theme.text };
        let (spans, cursor) = field::spans(&self.theme, field, room, focused);
        let cursor = text::width(&name) + cursor;
        (Line::from_iter(std::iter::once(Span::styled(name, of_name)).chain(spans)), cursor)
    }

    /// Adds a field with a list of values; the value is not cut while the field has the focus.
    pub fn pick(&mut self, name: &str, value: &str, focused: bool) {
        let mark = if focused { '>' } else { ' ' };
        let (name_style, style) =
            if focused { (self.theme.title, self.theme.selected) } else { (self.theme.text, self.theme.text) };
        let name = format!("{mark} {name} ");
        let room = self.columns.saturating_sub(text::width(&name));
        let value = format!("< {value} >");
        let parts = if focused { text::wrap(&value, room) } else { vec![text::fit(&value, room)] };
        self.targets.push(self.lines.len());
        if focused {
            self.focus = Some(Focus { row: self.lines.len(), rows: parts.len(), cell: None });
        }
        for (at, part) in parts.into_iter().enumerate() {
            let name = if at == 0 { name.clone() } else { " ".repeat(text::width(&name)) };
            self.lines.push(Line::from(vec![Span::styled(name, name_style), Span::styled(part, style)]));
        }
        if focused {
            self.wrong_here();
        }
    }

    /// Adds a row of a list; the selected row is not cut.
    pub fn choice(&mut self, words: &str, chosen: bool) {
        self.targets.push(self.lines.len());
        let room = self.columns.saturating_sub(2);
        if !chosen {
            return self.lines.push(line(text::fit(&format!("  {words}"), self.columns), self.theme.text));
        }
        let parts = text::wrap(words, room);
        self.focus = Some(Focus { row: self.lines.len(), rows: parts.len(), cell: None });
        for (at, part) in parts.into_iter().enumerate() {
            let mark = if at == 0 { '>' } else { ' ' };
            let row = text::pad(&format!("{mark} {part}"), self.columns);
            self.lines.push(line(row, self.theme.selected));
        }
    }

    /// Adds a list with one selected row.
    pub fn choices(&mut self, rows: &[&str], chosen: usize) {
        for (at, row) in rows.iter().enumerate() {
            self.choice(row, at == chosen);
        }
    }

    /// Cuts the pinned lines to this number; if more were cut, the last line says so.
    pub fn cut_pinned(&mut self, rows: usize) {
        if self.pinned.len() <= rows {
            return;
        }
        self.pinned.truncate(rows);
        if let Some(last) = self.pinned.last_mut().filter(|_| self.pinned_cursor.is_none_or(|(row, _)| row + 1 < rows))
        {
            let style = last.spans.first().map(|span| span.style).unwrap_or_default();
            let words = text::fit(&format!("{last} {}", text::CUT), self.columns);
            *last = line(words, style);
        }
    }
}

/// The lines that must be visible.
pub struct Focus {
    /// The index of the first.
    pub row: usize,
    /// Their number.
    pub rows: usize,
    /// The cell of the cursor in the first line.
    pub cell: Option<usize>,
}
