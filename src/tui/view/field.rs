//! A field of text in one line of a screen: its mark, what is typed, and what is said of it.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::tui::model::Model;
use crate::tui::model::field::Field;
use crate::tui::text;

use super::put;

/// Beside a selected text, so that it does not take a colour, nor reverse video, to see that it is.
const SELECTED: &str = "selected: typing replaces it";
const SELECTED_BRIEF: &str = "selected";

/// What is typed in so many cells, with its style, and the cell of the cursor. Of a field that is not typed in nothing is
/// selected.
pub(super) fn spans(model: &Model, field: &Field, room: usize, typed: bool) -> (Vec<Span<'static>>, usize) {
    let theme = &model.theme;
    if !typed || !field.is_selected() {
        let (shown, cursor) = field.window(room);
        let style = if typed { theme.field } else { theme.text };
        return (vec![Span::styled(text::pad(&shown, room), style)], cursor);
    }
    // The words give way to each other and to a blank field, never to the text alone.
    let brief = SELECTED_BRIEF.len() + 2;
    let (whole, _) = field.window(room);
    let says = if text::width(&whole) + SELECTED.len() + 3 <= room { SELECTED } else { SELECTED_BRIEF };
    let for_text = if room > 2 * brief { room - (says.len() + 2) } else { room };
    let (shown, cursor) = field.window(for_text);
    let mut spans = vec![Span::styled(shown.clone(), theme.prefilled)];
    let left = room.saturating_sub(text::width(&shown));
    if for_text < room {
        spans.push(Span::styled(" ".repeat(left - says.len()), theme.field));
        spans.push(Span::styled(says, theme.dim));
    } else {
        spans.push(Span::styled(" ".repeat(left), theme.field));
    }
    (spans, cursor)
}

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
    let (typed_in, cursor) = spans(model, field, room, typed);
    let mut line = Line::from(Span::styled(mark.to_owned(), model.theme.title));
    line.spans.extend(typed_in);
    line.push_span(Span::styled(says.to_owned(), model.theme.dim));
    put(buf, area, &[line]);
    let x = u16::try_from(text::width(mark) + cursor).ok()?;
    let at = Position { x: area.x.checked_add(x)?, y: area.y };
    (typed && area.intersection(buf.area).contains(at)).then_some(at)
}
