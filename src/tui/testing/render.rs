//! Pages for tests: drawn without a terminal, read row by row.

use crossterm::event::{KeyCode, KeyEvent, KeyModifiers};
use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use super::fixtures;
use crate::abi::record::Record;
use crate::control::{Command, Reply};
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Msg};
use crate::tui::update::{shown, update};
use crate::tui::view;

/// The drawn cells.
pub fn page(model: &Model) -> Buffer {
    let mut page = Buffer::empty(Rect::new(0, 0, model.columns, model.rows));
    view::draw(model, &mut page);
    page
}

/// The position of the terminal's cursor, if it is shown.
pub fn cursor(model: &Model) -> Option<Position> {
    view::draw(model, &mut Buffer::empty(Rect::new(0, 0, model.columns, model.rows)))
}

/// The text of a row.
pub fn row(page: &Buffer, y: u16) -> String {
    (0..page.area.width).map(|x| page[(x, y)].symbol()).collect()
}

/// The text of the rows, without trailing blanks.
pub fn rows(page: &Buffer) -> Vec<String> {
    (0..page.area.height).map(|y| row(page, y).trim_end().to_owned()).collect()
}

/// The text of the screen.
pub fn screen(model: &Model) -> String {
    rows(&page(model)).join("\n")
}

/// The rows inside the frame of the dialog on top, without its edges; `None` if it has no frame.
pub fn inside(rows: &[String]) -> Option<Vec<String>> {
    let cells = |row: &String| row.chars().collect::<Vec<_>>();
    let corner = |row: &String, sign: char| row.chars().position(|c| c == sign);
    let top = rows.iter().position(|row| row.contains('╭') && row.contains('╮'))?;
    let (left, right) = (corner(&rows[top], '╭')?, corner(&rows[top], '╮')?);
    let framed = rows[top + 1..].iter().map(cells).take_while(|row| row.get(left) == Some(&'│'));
    let inner: Vec<String> =
        framed.map(|row| row[left + 1..right].iter().collect::<String>().trim().to_owned()).collect();
    // On a screen of few rows the frame is only the title.
    (!inner.is_empty()).then_some(inner)
}

/// Presses one key after another and draws the screen before each; some keys have a symbol.
pub fn keys(model: &mut Model, keys: &str) {
    for c in keys.chars() {
        press(model, c);
    }
}

/// The same, and answers each question for records as the reader does over these. Returns the other effects.
pub fn keys_over(model: &mut Model, records: &[Record], keys: &str) -> Vec<Effect> {
    let mut others = Vec::new();
    for c in keys.chars() {
        let mut effects = press(model, c);
        while let Some(effect) = effects.pop() {
            match effect {
                Effect::Look(question) => {
                    let page = fixtures::read_page(records, &question);
                    effects.extend(update(model, Msg::Looked(Box::new(page))));
                }
                Effect::Submit { ticket, command: Command::Matching { query, newest } } => {
                    let reply = Ok(Reply::Matching(fixtures::read_ids(records, &query, newest)));
                    effects.extend(update(model, Msg::Replied { ticket, reply }));
                }
                other => others.push(other),
            }
        }
    }
    others.reverse();
    others
}

fn press(model: &mut Model, c: char) -> Vec<Effect> {
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
        '⌫' => KeyCode::Backspace,
        c => KeyCode::Char(c),
    };
    page(model);
    shown(model);
    update(model, Msg::Key(KeyEvent::new(code, KeyModifiers::NONE)))
}
