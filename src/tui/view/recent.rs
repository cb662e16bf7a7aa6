//! The last ended requests.

use ratatui::text::{Line, Span};

use crate::abi::record::Record;
use crate::control::text::outcome::{self, ended_in_words, ended_with_time};
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::lines::{cut, heading, line};

/// A heading and a line for each of the last ended requests, newest first.
pub(super) fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let s = &model.snapshot;
    let mut lines = vec![heading(&model.theme, "Last ended", columns)];
    let rows = rows.saturating_sub(1);
    if s.last.is_empty() {
        lines.push(line(text::fit("nothing has ended yet", columns), model.theme.dim));
        return lines;
    }
    let shown = s.last.iter().take(rows).map(|record| row(model, record, columns)).collect();
    lines.extend(cut(shown, over(model), (columns, rows), "ended", model.theme.dim));
    lines
}

/// The number of ended requests; the snapshot contains only the last ones.
pub(super) fn over(model: &Model) -> usize {
    let s = &model.snapshot;
    usize::try_from(s.totals.over()).unwrap_or(usize::MAX).max(s.last.len())
}

/// One ended request: number, name, outcome.
pub(super) fn row(model: &Model, record: &Record, columns: usize) -> Line<'static> {
    let ending = ended_with_time(record);
    let style = model.theme.mood(ended_in_words(record).mood);
    let title = format!("#{} {}", record.id, outcome::title(record));
    let least = if columns < 60 { text::width(&title).min(14) } else { 16 };
    let room = columns.saturating_sub(text::width(&ending) + 1).clamp(least.min(columns), 44);
    Line::from(vec![
        Span::styled(format!("{} ", text::pad(&title, room)), model.theme.text),
        Span::styled(text::fit(&ending, columns.saturating_sub(room + 1)), style),
    ])
}
