//! Pages as a test sees them: drawn without a terminal, read row by row.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::tui::model::Model;
use crate::tui::msg::Msg;
use crate::tui::update::{shown, update};
use crate::tui::view;

/// The cells that are drawn.
pub fn page(model: &Model) -> Buffer {
    let mut page = Buffer::empty(Rect::new(0, 0, model.columns, model.rows));
    view::draw(model, &mut page);
    page
}

/// Where the terminal's cursor stands, if it is shown.
pub fn cursor(model: &Model) -> Option<Position> {
    view::draw(model, &mut Buffer::empty(Rect::new(0, 0, model.columns, model.rows)))
}

/// What a row says.
pub fn row(page: &Buffer, y: u16) -> String {
    (0..page.area.width).map(|x| page[(x, y)].symbol()).collect()
}

/// What the rows say, without the blanks at their ends.
pub fn rows(page: &Buffer) -> Vec<String> {
    (0..page.area.height).map(|y| row(page, y).trim_end().to_owned()).collect()
}

/// What the screen says.
pub fn screen(model: &Model) -> String {
    rows(&page(model)).join("\n")
}

/// Presses one key after another, each with the screen before one's eyes; some have a sign of their own.
pub fn keys(model: &mut Model, keys: &str) {
    for c in keys.chars() {
        let code = match c {
            '\n' => KeyCode::Enter,
            '\t' => KeyCode::Tab,
            '→' => KeyCode::Right,
            '↓' => KeyCode::Down,
            '⇟' => KeyCode::PageDown,
            '⇞' => KeyCode::PageUp,
            '⇱' => KeyCode::Home,
            '⇲' => KeyCode::End,
            '⎋' => KeyCode::Esc,
            '←' => KeyCode::Left,
            '↑' => KeyCode::Up,
            c => KeyCode::Char(c),
        };
        page(model);
        shown(model);
        update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)));
    }
}
