//! A text field in one line of a screen: its mark, the text, and a note.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::{Line, Span};

use crate::tui::field::Field;
use crate::tui::text;
use crate::tui::theme::Theme;

use super::lines::put;

/// Shown beside selected text, so that the selection is visible without colour or reverse video.
const SELECTED: [&str; 2] = ["selected: typing replaces it", "selected"];
/// Shown around it if there is no room for words.
const BRACKETS: [&str; 2] = ["[", "]"];

/// The text in `cells` cells, with its style, and the cell of the cursor. Only a field with the focus shows a
/// selection.
pub fn spans(theme: &Theme, field: &Field, room: usize, typed: bool) -> (Vec<Span<'static>>, usize) {
    let (whole, cursor) = field.window(room);
    if !typed || !field.is_selected() {
        let style = if typed { theme.field } else { theme.text };
        return (vec![Span::styled(text::pad(&whole, room), style)], cursor);
    }
    let blank = |cells: usize| Span::styled(" ".repeat(cells), theme.field);
    // The cursor's cell and a blank are between the text and the words.
    let fits = |words: &&str| text::width(&whole) + 2 + words.len() <= room && !whole.starts_with(text::CUT);
    if let Some(words) = SELECTED.into_iter().find(fits) {
        let between = room - text::width(&whole) - words.len();
        let spans = vec![Span::styled(whole, theme.prefilled), blank(between), Span::styled(words, theme.dim)];
        return (spans, cursor);
    }
    let (shown, cursor) = field.window(room.saturating_sub(2));
    let left = room.saturating_sub(text::width(&shown) + 2);
    let [open, close] = BRACKETS.map(|bracket| Span::styled(bracket, theme.dim));
    (vec![open, Span::styled(shown, theme.prefilled), close, blank(left)], cursor + 1)
}

/// Draws it. Returns the cursor's position if the field has the focus.
pub fn draw(
    theme: &Theme,
    area: Rect,
    buf: &mut Buffer,
    (mark, says): (&str, &str),
    field: &Field,
    typed: bool,
) -> Option<Position> {
    let columns = usize::from(area.width);
    let room = columns.saturating_sub(text::width(mark) + text::width(says));
    let (typed_in, cursor) = spans(theme, field, room, typed);
    let mut line = Line::from(Span::styled(mark.to_owned(), theme.title));
    line.spans.extend(typed_in);
    line.push_span(Span::styled(says.to_owned(), theme.dim));
    put(buf, area, &[line]);
    let x = u16::try_from(text::width(mark) + cursor).ok()?;
    let at = Position { x: area.x.checked_add(x)?, y: area.y };
    (typed && area.intersection(buf.area).contains(at)).then_some(at)
}
