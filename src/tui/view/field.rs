//! A field of text in one line of a screen: its mark, what is typed, and what is said of it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::tui::model::Model;
use crate::tui::model::field::Field;
use crate::tui::text;

use super::put;

/// Draws it; where the cursor is, if it is typed in.
pub(super) fn draw(
    model: &Model,
    area: Rect,
    buf: &mut Buffer,
    (mark, says): (&str, &str),
    field: &Field,
    typed: bool,
) -> Option<Position> {
    let columns = usize::from(area.width);
    let room = columns.saturating_sub(text::width(mark) + text::width(says));
    let (shown, cursor) = field.window(room);
    let style = if typed { model.theme.selected } else { model.theme.text };
    let line = Line::from(vec![
        Span::styled(mark.to_owned(), model.theme.title),
        Span::styled(text::pad(&shown, room), style),
        Span::styled(says.to_owned(), model.theme.dim),
    ]);
    put(buf, area, &[line]);
    let x = u16::try_from(text::width(mark) + cursor).ok()?;
    let at = Position { x: area.x.checked_add(x)?, y: area.y };
    (typed && area.intersection(buf.area).contains(at)).then_some(at)
}
