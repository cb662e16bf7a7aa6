//! The screen, drawn from the model; it changes nothing.

pub mod activity;
mod activity_rows;
mod detail;
pub mod dialogs;
mod header;
mod knobs;
pub mod log;
mod mask_detail;
mod mask_table;
mod masks;
mod overview;
mod recent;
mod running;
mod slots;
#[cfg(test)]
mod tests;
mod warnings;

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};

use crate::abi::cap::Capability;
use crate::control::MaskKnob;

use super::ascii;
use super::layout::Areas;
use super::model::{Model, Tab};
use super::widgets::lines::put;

/// Draws the whole screen; where its cursor is, if it shows one.
pub fn draw(model: &Model, buf: &mut Buffer) -> Option<Position> {
    let _ascii = ascii::only(model.ascii);
    let area = buf.area;
    if area.is_empty() {
        return None;
    }
    let areas = Areas::of(model, area);
    put(buf, areas.target, &[header::target(model, area.width)]);
    put(buf, areas.tabs, &[header::tabs(model, area.width)]);
    let mut cursor = None;
    match model.tab {
        Tab::Overview => overview::draw(model, areas.body, buf),
        Tab::Masks => cursor = masks::draw(model, areas.body, buf),
        Tab::Activity => cursor = activity::draw(model, areas.body, buf),
        Tab::Log => cursor = log::draw(model, areas.body, buf),
    }
    put(buf, areas.status, &header::status(model, area.width, areas.status.height));
    let dialog = dialogs::placed(model, areas.front);
    put(buf, areas.footer, &[header::footer(model, area.width, dialog.as_ref().map(|dialog| dialog.sight))]);
    if let Some(dialog) = dialog {
        cursor = dialogs::draw(model, dialog, areas.front, buf);
    }
    part(buf);
    if model.ascii {
        ascii::pass(buf);
    }
    cursor
}

/// What is in a cell of the screen and can be clicked.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Hit {
    /// The name of a screen.
    Tab(Tab),
    /// A row of the masks, or the box of one mask in it.
    Capability(Capability, Option<MaskKnob>),
    /// A row of Activity or Log, counted from 0.
    Row(usize),
    /// A field or choice of the dialog on top, counted from 0.
    Target(usize),
}

/// What is in that cell; nothing behind a dialog.
pub fn hit(model: &Model, x: u16, y: u16) -> Option<Hit> {
    if !model.dialogs.is_empty() {
        return dialogs::hit(model, x, y).map(Hit::Target);
    }
    let areas = Areas::of(model, Rect::new(0, 0, model.columns, model.rows));
    let at = Position { x, y };
    if areas.tabs.contains(at) {
        return header::tab_at(model, model.columns, x).map(Hit::Tab);
    }
    if !areas.body.contains(at) {
        return None;
    }
    match model.tab {
        Tab::Overview => None,
        Tab::Masks => masks::hit(model, areas.body, x, y).map(|(cap, knob)| Hit::Capability(cap, knob)),
        Tab::Activity => activity::hit(model, at).map(Hit::Row),
        Tab::Log => log::hit(model, at).map(Hit::Row),
    }
}

/// Gives every character a cell of its own: of two that are joined in one (a consonant and its vowel sign, both of them
/// with a column) the second would stay on the terminal when their cell is overwritten.
fn part(buf: &mut Buffer) {
    for at in 0..buf.content.len() {
        let symbol = buf.content[at].symbol();
        if symbol.len() > 2 && symbol.chars().nth(1).is_some() {
            let joined = buf.content[at].clone();
            for (c, cell) in joined.symbol().chars().zip(&mut buf.content[at..]) {
                cell.set_char(c).set_style(joined.style());
            }
        }
    }
}

/// How many rows of the masks' table there are.
pub(super) fn mask_rows(model: &Model) -> usize {
    masks::rows(model, Areas::of(model, Rect::new(0, 0, model.columns, model.rows)).body)
}
