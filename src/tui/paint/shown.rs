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
        let width = page.area.width.max(1);
        let (mut x, mut y) = (0, 0);
        self.0.iter_mut().zip(&page.content).filter_map(move |(shown, cell)| {
            let place = (x, y);
            (x, y) = if x + 1 == width { (0, y + 1) } else { (x + 1, y) };
            let now = known(cell);
            let differs = now == UNKNOWN || *shown != now;
            *shown = now;
            differs.then_some((place.0, place.1, cell))
        })
    }
}

/// [`UNKNOWN`] for what has no short form: more than one character, or a colour beyond the sixteen. No theme has one,
/// and the view gives every character a separate cell. Called for every cell of every frame.
fn known(cell: &Cell) -> Known {
    let symbol = cell.symbol();
    let c = match symbol.as_bytes() {
        [ascii] => u32::from(*ascii),
        _ => {
            let mut chars = symbol.chars();
            let (Some(c), None) = (chars.next(), chars.next()) else { return UNKNOWN };
            u32::from(c)
        }
    };
    let (Some(fg), Some(bg)) = (colour(cell.fg), colour(cell.bg)) else { return UNKNOWN };
    u64::from(c) << 32 | u64::from(fg) << 24 | u64::from(bg) << 16 | u64::from(cell.modifier.bits())
}

/// A number for each named colour. A match and not a search, because it is made twice for every cell.
const fn colour(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Reset => 0,
        Color::Black => 1,
        Color::Red => 2,
        Color::Green => 3,
        Color::Yellow => 4,
        Color::Blue => 5,
        Color::Magenta => 6,
        Color::Cyan => 7,
        Color::Gray => 8,
        Color::DarkGray => 9,
        Color::LightRed => 10,
        Color::LightGreen => 11,
        Color::LightYellow => 12,
        Color::LightBlue => 13,
        Color::LightMagenta => 14,
        Color::LightCyan => 15,
        Color::White => 16,
        Color::Rgb(..) | Color::Indexed(_) => return None,
    })
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
