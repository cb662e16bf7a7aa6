//! Encodes cells as bytes: position, style, character. Only sequences that every terminal since the VT100 understands
//! are sent: the cursor's position, and SGR with the 16 ANSI colours in their short forms (30 to 37, 40 to 47, 90 to
//! 97, 100 to 107). ratatui's own backend sends the 256-colour form for the same colours, which terminals of 8 or 16
//! colours do not understand.

use std::io::Write as _;

use ratatui::buffer::Cell;
use ratatui::layout::Position;
use ratatui::style::{Color, Modifier};

use crate::tui::terminal_type::Colours;

/// Makes the cursor invisible.
const HIDE: &[u8] = b"\x1b[?25l";
const SHOW: &[u8] = b"\x1b[?25h";

/// The attributes that themes use, with their SGR codes.
const ATTRIBUTES: [(Modifier, u8); 4] =
    [(Modifier::BOLD, 1), (Modifier::DIM, 2), (Modifier::UNDERLINED, 4), (Modifier::REVERSED, 7)];

/// Appends the bytes that paint `cells` (column, row, cell; counted from 0) and place the cursor. The cursor is hidden
/// meanwhile: a terminal without synchronized updates would show it at each cell.
pub(super) fn frame<'a>(
    out: &mut Vec<u8>,
    cells: impl Iterator<Item = (u16, u16, &'a Cell)>,
    cursor: Option<Position>,
    colours: Colours,
) {
    out.extend_from_slice(HIDE);
    let (mut look, mut next) = (Look::PLAIN, None);
    for (x, y, cell) in cells {
        if next != Some((x, y)) {
            position(out, x, y);
        }
        let wanted = Look::of(cell, colours);
        if wanted != look {
            wanted.write(out);
            look = wanted;
        }
        out.extend_from_slice(cell.symbol().as_bytes());
        // After the last column the cursor's position depends on the terminal, so the next row sets it again.
        next = Some((x.saturating_add(1), y));
    }
    if look != Look::PLAIN {
        Look::PLAIN.write(out);
    }
    if let Some(Position { x, y }) = cursor {
        position(out, x, y);
        out.extend_from_slice(SHOW);
    }
}

/// CUP counts from 1.
fn position(out: &mut Vec<u8>, x: u16, y: u16) {
    // Writing to a Vec cannot fail.
    let _ = write!(out, "\x1b[{};{}H", u32::from(y) + 1, u32::from(x) + 1);
}

/// Colours and attributes of a cell, limited to what the terminal has.
#[derive(Clone, Copy, PartialEq, Eq)]
struct Look {
    /// 0 to 15; `None` is the terminal's default.
    fg: Option<u8>,
    bg: Option<u8>,
    modifier: Modifier,
}

impl Look {
    const PLAIN: Self = Self { fg: None, bg: None, modifier: Modifier::empty() };

    fn of(cell: &Cell, colours: Colours) -> Self {
        let (fg, bg, modifier) = (ansi(cell.fg), ansi(cell.bg), cell.modifier);
        match colours {
            Colours::Sixteen => Self { fg, bg, modifier },
            // On such a terminal a bright colour is shown as bold, and a bright background as the plain one; bold black
            // would be grey.
            Colours::Eight => {
                let modifier = match fg {
                    Some(0) => modifier.difference(Modifier::DIM | Modifier::BOLD),
                    Some(8..) => modifier.difference(Modifier::DIM) | Modifier::BOLD,
                    _ => modifier.difference(Modifier::DIM),
                };
                Self { fg: fg.map(|fg| fg % 8), bg: bg.map(|bg| bg % 8), modifier }
            }
            Colours::None => Self { fg: None, bg: None, modifier: modifier.difference(Modifier::DIM) },
        }
    }

    /// One sequence that sets the style independently of the earlier one.
    fn write(self, out: &mut Vec<u8>) {
        out.extend_from_slice(b"\x1b[0");
        let attributes = ATTRIBUTES.into_iter().filter(|(modifier, _)| self.modifier.contains(*modifier));
        let colour = |normal: u8, number: u8| if number < 8 { normal + number } else { normal + 60 + number - 8 };
        let codes = attributes
            .map(|(_, code)| code)
            .chain(self.fg.map(|number| colour(30, number)))
            .chain(self.bg.map(|number| colour(40, number)));
        for code in codes {
            // Writing to a Vec cannot fail.
            let _ = write!(out, ";{code}");
        }
        out.push(b'm');
    }
}

/// The number of one of the 16 colours. Themes use no others.
const fn ansi(colour: Color) -> Option<u8> {
    Some(match colour {
        Color::Black => 0,
        Color::Red => 1,
        Color::Green => 2,
        Color::Yellow => 3,
        Color::Blue => 4,
        Color::Magenta => 5,
        Color::Cyan => 6,
        Color::Gray => 7,
        Color::DarkGray => 8,
        Color::LightRed => 9,
        Color::LightGreen => 10,
        Color::LightYellow => 11,
        Color::LightBlue => 12,
        Color::LightMagenta => 13,
        Color::LightCyan => 14,
        Color::White => 15,
        _ => return None,
    })
}

#[cfg(test)]
mod tests {
    use ratatui::buffer::Buffer;
    use ratatui::layout::Rect;
    use ratatui::style::Style;

    use super::*;

    fn sent(style: Style, colours: Colours) -> String {
        let mut page = Buffer::empty(Rect::new(0, 0, 3, 1));
        page.set_string(1, 0, "ab", style);
        let cells = (1..3).map(|x| (x, 0, &page.content[usize::from(x)]));
        let mut out = Vec::new();
        frame(&mut out, cells, None, colours);
        String::from_utf8(out).unwrap()
    }

    #[test]
    fn the_sixteen_colours_are_sent_in_their_short_forms() {
        let all = [Color::Black, Color::Red, Color::Green, Color::Yellow, Color::Blue, Color::Magenta, Color::Cyan];
        for (number, colour) in all.into_iter().chain([Color::Gray]).enumerate() {
            let style = Style::new().fg(colour).bg(colour);
            let codes = format!("\x1b[?25l\x1b[1;2H\x1b[0;{};{}mab\x1b[0m", 30 + number, 40 + number);
            for colours in [Colours::Sixteen, Colours::Eight] {
                assert_eq!(sent(style, colours), codes);
            }
            assert_eq!(sent(style, Colours::None), "\x1b[?25l\x1b[1;2Hab");
        }
        let bright = [Color::DarkGray, Color::LightRed, Color::LightGreen, Color::LightYellow, Color::LightBlue];
        for (number, colour) in
            bright.into_iter().chain([Color::LightMagenta, Color::LightCyan, Color::White]).enumerate()
        {
            let style = Style::new().fg(colour).bg(colour);
            let sixteen = format!("\x1b[?25l\x1b[1;2H\x1b[0;{};{}mab\x1b[0m", 90 + number, 100 + number);
            let eight = format!("\x1b[?25l\x1b[1;2H\x1b[0;1;{};{}mab\x1b[0m", 30 + number, 40 + number);
            assert_eq!((sent(style, Colours::Sixteen), sent(style, Colours::Eight)), (sixteen, eight));
        }
    }

    #[test]
    fn attributes_are_what_is_left_without_colours() {
        let all = Style::new()
            .fg(Color::Red)
            .add_modifier(Modifier::BOLD | Modifier::DIM | Modifier::UNDERLINED | Modifier::REVERSED);
        assert_eq!(sent(all, Colours::Sixteen), "\x1b[?25l\x1b[1;2H\x1b[0;1;2;4;7;31mab\x1b[0m");
        assert_eq!(sent(all, Colours::Eight), "\x1b[?25l\x1b[1;2H\x1b[0;1;4;7;31mab\x1b[0m");
        assert_eq!(sent(all, Colours::None), "\x1b[?25l\x1b[1;2H\x1b[0;1;4;7mab\x1b[0m");
    }

    #[test]
    fn words_are_never_grey_where_bold_is_bright() {
        let chosen = Style::new().fg(Color::Black).bg(Color::White).add_modifier(Modifier::BOLD);
        assert_eq!(sent(chosen, Colours::Sixteen), "\x1b[?25l\x1b[1;2H\x1b[0;1;30;107mab\x1b[0m");
        assert_eq!(sent(chosen, Colours::Eight), "\x1b[?25l\x1b[1;2H\x1b[0;30;47mab\x1b[0m");
    }

    #[test]
    fn the_cursor_is_shown_after_the_cells_where_it_belongs() {
        let mut out = Vec::new();
        frame(&mut out, std::iter::empty(), Some(Position { x: 4, y: 9 }), Colours::Sixteen);
        assert_eq!(out, b"\x1b[?25l\x1b[10;5H\x1b[?25h");
    }
}
