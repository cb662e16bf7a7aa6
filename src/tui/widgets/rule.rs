//! The rule on top of a panel, the line between two columns of panels, and the row under the cursor.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::{Line, Span};

use crate::tui::text;
use crate::tui::theme::Theme;

/// The rule on top of a panel.
pub struct Rule<'a> {
    /// The title of the panel.
    pub title: &'a str,
    /// Shown at the right end if there is room: all of it, or its part before the first semicolon.
    pub hint: &'a str,
    /// The panel has the cursor.
    pub focused: bool,
}

impl Rule<'_> {
    /// The rule, `columns` wide.
    pub fn line(&self, theme: &Theme, columns: usize) -> Line<'static> {
        let (sign, border, title_style) =
            if self.focused { ("━", theme.frame, theme.focus) } else { ("─", theme.dim, theme.title) };
        let title = text::fit(self.title, columns.saturating_sub(4));
        let left = columns.saturating_sub(text::width(&title) + 3);
        let hints = [self.hint, self.hint.split(';').next().unwrap_or_default()];
        let hint = hints.into_iter().find(|hint| text::width(hint) + 5 <= left).filter(|hint| !hint.is_empty());
        let hint = hint.map(|hint| format!(" {hint} ")).unwrap_or_default();
        let end = usize::from(!hint.is_empty());
        Line::from(vec![
            Span::styled(sign, border),
            Span::styled(" ", theme.text),
            Span::styled(title, title_style),
            Span::styled(" ", theme.text),
            Span::styled(sign.repeat(left.saturating_sub(text::width(&hint) + end)), border),
            Span::styled(hint, theme.dim),
            Span::styled(sign.repeat(end), border),
        ])
    }
}

/// The row under the cursor, up to the edge of its panel.
pub fn selected(theme: &Theme, line: &Line<'static>, columns: usize) -> Line<'static> {
    let mut spans: Vec<Span<'static>> =
        line.spans.iter().map(|span| Span::styled(span.content.clone(), theme.chosen(span.style))).collect();
    let used: usize = spans.iter().map(|span| text::width(&span.content)).sum();
    spans.push(Span::styled(" ".repeat(columns.saturating_sub(used)), theme.selected));
    Line::from(spans)
}

/// Draws the line between two columns, joined with the rules at its sides.
pub fn join(theme: &Theme, divider: Rect, buf: &mut Buffer) {
    for y in divider.top()..divider.bottom() {
        let is_rule = |x: Option<u16>| x.is_some_and(|x| x < buf.area.right() && "─━".contains(buf[(x, y)].symbol()));
        let sides = (is_rule(divider.x.checked_sub(1)), is_rule(divider.x.checked_add(1)));
        let sign = match sides {
            (true, true) if y == divider.top() => '┬',
            (true, true) => '┼',
            (true, false) => '┤',
            (false, true) => '├',
            (false, false) => '│',
        };
        buf[(divider.x, y)].set_char(sign).set_style(theme.dim);
    }
}
