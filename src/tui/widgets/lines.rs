//! Lines of text: in one style, as headings, cut to an area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::text;
use crate::tui::theme::Theme;

/// Draws lines into an area, from its top; lines that do not fit are not drawn.
pub fn put(buf: &mut Buffer, area: Rect, lines: &[Line<'_>]) {
    let area = area.intersection(buf.area);
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        buf.set_line(area.x, y, line, area.width);
    }
}

/// A line in one style.
pub fn line(text: impl Into<String>, style: Style) -> Line<'static> {
    Line::from(Span::styled(text.into(), style))
}

/// A heading with a rule up to the edge.
pub fn heading(theme: &Theme, title: &str, columns: usize) -> Line<'static> {
    let title = text::fit(title, columns.saturating_sub(2));
    let rule = "─".repeat(columns.saturating_sub(text::width(&title) + 2));
    Line::from(vec![Span::styled(format!("{title} "), theme.title), Span::styled(rule, theme.dim)])
}

/// Lines cut to `rows`; the last one says how many are hidden.
pub fn cut(
    mut lines: Vec<Line<'static>>,
    total: usize,
    (columns, rows): (usize, usize),
    what: &str,
    style: Style,
) -> Vec<Line<'static>> {
    if total > rows && rows > 0 {
        lines.truncate(rows - 1);
        let hidden = total - lines.len();
        lines.push(line(text::fit(&format!("{} {hidden} more {what}", text::CUT), columns), style));
    }
    lines.truncate(rows);
    lines
}
