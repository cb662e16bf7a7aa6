//! A compact copy of what the terminal shows: a cell of ratatui takes 48 bytes, and a second page of them would be a
//! twentieth of the console's memory.

use ratatui::buffer::{Buffer, Cell};
use ratatui::style::Color;

/// A cell on the terminal, or [`UNKNOWN`]: its character in the upper 32 bits, its colours and modifiers in the lower.
type Known = u64;

/// Differs from every cell, so any cell is painted over it.
const UNKNOWN: Known = 0;

/// The cells of a terminal, row by row.
#[derive(Debug)]
pub(super) struct Shown(Vec<Known>);

impl Shown {
    /// A blank page of this many cells.
    pub(super) fn blank(cells: usize) -> Self {
        Self(vec![known(&Cell::EMPTY); cells])
    }

    /// A page of this many unknown cells.
    pub(super) fn unknown(cells: usize) -> Self {
        Self(vec![UNKNOWN; cells])
    }

    /// The column and row from which each row of `page` has only blanks, if it ends in blanks. They count as shown.
    pub(super) fn erase(&mut self, page: &Buffer) -> Vec<(u16, u16)> {
        let (width, blank) = (usize::from(page.area.width).max(1), known(&Cell::EMPTY));
        let rows = self.0.chunks_mut(width).zip(page.content.chunks(width)).zip(0..page.area.height);
        let mut begins = Vec::new();
        for ((shown, cells), y) in rows {
            let end = cells.iter().rposition(|cell| known(cell) != blank).map_or(0, |last| last + 1);
            shown[end..].fill(blank);
            if end < cells.len() {
                begins.push((u16::try_from(end).unwrap_or(u16::MAX), y));
            }
        }
        begins
    }

    /// The cells to paint so that the terminal shows `page`, which has the same size: column, row, cell. They count as
    /// shown.
    pub(super) fn update<'a>(&mut self, page: &'a Buffer) -> impl Iterator<Item = (u16, u16, &'a Cell)> {
        let places = (0..page.area.height).flat_map(|y| (0..page.area.width).map(move |x| (x, y)));
        self.0.iter_mut().zip(places).zip(&page.content).filter_map(|((shown, (x, y)), cell)| {
            let now = known(cell);
            let differs = now == UNKNOWN || *shown != now;
            *shown = now;
            differs.then_some((x, y, cell))
        })
    }
}

/// [`UNKNOWN`] for what has no short form: more than one character, or a colour beyond the sixteen. No theme has one,
/// and the view gives every character a separate cell.
fn known(cell: &Cell) -> Known {
    let mut chars = cell.symbol().chars();
    let (Some(c), None, Some(fg), Some(bg)) = (chars.next(), chars.next(), colour(cell.fg), colour(cell.bg)) else {
        return UNKNOWN;
    };
    u64::from(u32::from(c)) << 32 | u64::from(fg) << 24 | u64::from(bg) << 16 | u64::from(cell.modifier.bits())
}

fn colour(colour: Color) -> Option<u8> {
    const NAMED: [Color; 17] = [
        Color::Reset,
        Color::Black,
        Color::Red,
        Color::Green,
        Color::Yellow,
        Color::Blue,
        Color::Magenta,
        Color::Cyan,
        Color::Gray,
        Color::DarkGray,
        Color::LightRed,
        Color::LightGreen,
        Color::LightYellow,
        Color::LightBlue,
        Color::LightMagenta,
        Color::LightCyan,
        Color::White,
    ];
    NAMED.iter().zip(0..).find_map(|(named, number)| (*named == colour).then_some(number))
}

#[cfg(test)]
mod tests {
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn painted(shown: &mut Shown, text: &str, style: Style) -> Vec<u16> {
        let mut page = Buffer::empty(Rect::new(0, 0, 5, 1));
        page.set_string(0, 0, text, style);
        shown.update(&page).map(|(x, ..)| x).collect()
    }

    #[test]
    fn only_what_differs_is_painted() {
        let (mut shown, plain) = (Shown::blank(5), Style::new());
        assert_eq!(painted(&mut shown, "ab", plain), [0, 1]);
        assert_eq!(painted(&mut shown, "ab", plain), [0; 0]);
        assert_eq!(painted(&mut shown, "ac", plain), [1]);
        assert_eq!(painted(&mut shown, "ac", plain.fg(Color::Red)), [0, 1]);
        assert_eq!(painted(&mut shown, "", plain), [0, 1]);
    }

    #[test]
    fn what_has_no_short_form_is_painted_each_time() {
        let (mut shown, odd) = (Shown::blank(5), Style::new().fg(Color::Indexed(200)));
        assert_eq!(painted(&mut shown, "x", odd), [0]);
        assert_eq!(painted(&mut shown, "x", odd), [0]);
        assert_eq!(painted(&mut shown, "x", Style::new()), [0]);
        assert_eq!(painted(&mut shown, "x", Style::new()), [0; 0]);
    }
}
