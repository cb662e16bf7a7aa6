//! Lines of text, drawn into an area.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::style::{Color, Modifier, Style};
use ratatui::text::{Line, Span};

/// Draws lines into an area, from its top; lines that do not fit are not drawn.
pub fn put(buf: &mut Buffer, area: Rect, lines: &[Line<'_>]) {
    let area = area.intersection(buf.area);
    for (y, line) in (area.top()..area.bottom()).zip(lines) {
        let mut x = area.x;
        for span in &line.spans {
            x = put_span(buf, (x, y), span, line.style, area.right());
        }
    }
}

/// Draws one span up to the column `end`, and returns the column after it. ratatui would divide the text into graphemes
/// first; plain ASCII needs no such search, and most text of the console is plain ASCII.
fn put_span(buf: &mut Buffer, (x, y): (u16, u16), span: &Span<'_>, of_line: Style, end: u16) -> u16 {
    let style = of_line.patch(span.style);
    if !span.content.bytes().all(|byte| matches!(byte, b' '..=b'~')) {
        return buf.set_stringn(x, y, &span.content, usize::from(end.saturating_sub(x)), style).0;
    }
    let columns = x..end;
    let after = columns.start + u16::try_from(span.content.len().min(columns.len())).unwrap_or(0);
    for (x, byte) in columns.zip(span.content.bytes()) {
        buf[(x, y)].set_char(char::from(byte)).set_style(style);
    }
    after
}

/// Mutes an area, or all of it but the row under the cursor. A theme without colours has no style for that: there the
/// area stays as it is.
pub fn mute(style: Style, area: Rect, buf: &mut Buffer, but_cursor: bool) {
    if style == Style::new() {
        return;
    }
    let ground = style.bg.unwrap_or(Color::Reset);
    let area = area.intersection(buf.area);
    for (x, y) in (area.top()..area.bottom()).flat_map(|y| (area.left()..area.right()).map(move |x| (x, y))) {
        let cell = &mut buf[(x, y)];
        let chosen =
            cell.modifier.contains(Modifier::REVERSED) || !matches!(cell.bg, Color::Reset) && cell.bg != ground;
        if !(but_cursor && chosen) {
            cell.set_style(Style::reset()).set_style(style);
        }
    }
}

/// A line in one style.
pub fn line(text: impl Into<String>, style: Style) -> Line<'static> {
    Line::from(Span::styled(text.into(), style))
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;

    use super::*;

    fn span() -> impl Strategy<Value = Span<'static>> {
        let text = prop_oneof!["[ -~]{0,9}", "[ -~é漢\u{301}\u{7f}\n]{0,5}"];
        let style = prop_oneof![
            Just(Style::new()),
            Just(Style::new().fg(Color::Red).add_modifier(Modifier::BOLD)),
            Just(Style::new().bg(Color::Blue).remove_modifier(Modifier::DIM)),
        ];
        (text, style).prop_map(|(text, style)| Span::styled(text, style))
    }

    proptest! {
        #[test]
        fn lines_are_drawn_as_ratatui_draws_them(
            lines in prop::collection::vec(prop::collection::vec(span(), 0..4), 0..4),
            (x, y, width, height) in (0u16..4, 0u16..3, 0u16..14, 0u16..4),
        ) {
            let style = Style::new().fg(Color::Green).add_modifier(Modifier::DIM);
            let lines: Vec<_> = lines.into_iter().map(|spans| Line::from(spans).style(style)).collect();
            let page = Rect::new(0, 0, 12, 4);
            let (mut ours, mut theirs) = (Buffer::empty(page), Buffer::empty(page));
            let area = Rect::new(x, y, width, height);
            put(&mut ours, area, &lines);
            let area = area.intersection(page);
            for (y, line) in (area.top()..area.bottom()).zip(&lines) {
                theirs.set_line(area.x, y, line, area.width);
            }
            prop_assert_eq!(ours, theirs);
        }
    }
}
