//! Draws the screen from the model; changes nothing.

mod activity;
mod activity_rows;
mod filter_line;
mod header;
mod log;
mod mask_table;
mod masks;
mod matched;
mod overview;
mod rules;
#[cfg(test)]
mod tests;

use ratatui::buffer::Buffer;
use ratatui::layout::Position;

use super::ascii;
use super::dialogs::frame;
use super::layout::Areas;
use super::model::{Model, Tab};
use super::panels::{tabs, target, tour};
use super::widgets::lines::{line, mute, put};

/// Draws the whole screen. Returns the cursor's position, if the cursor is shown.
pub fn draw(model: &Model, buf: &mut Buffer) -> Option<Position> {
    let _ascii = ascii::only(model.ascii);
    let area = buf.area;
    if area.is_empty() {
        return None;
    }
    let areas = Areas::of(model, area);
    put(buf, areas.target, &[target::line(model, area.width)]);
    put(buf, areas.tabs, &[tabs::line(model, area.width)]);
    let mut cursor = None;
    match model.tab {
        // Until the first answer, every number would be made up.
        Tab::Overview | Tab::Masks if !model.link.seen => {
            put(buf, areas.body, &[line("its state is not known yet", model.theme.dim)]);
        }
        Tab::Overview => cursor = overview::draw(model, areas.body, buf),
        Tab::Masks => cursor = masks::draw(model, areas.body, buf),
        Tab::Activity => cursor = activity::draw(model, areas.body, buf),
        Tab::Log => cursor = log::draw(model, areas.body, buf),
        Tab::Rules => cursor = rules::draw(model, areas.body, buf),
    }
    if model.link.info.lost().is_some() && model.link.seen {
        // The last state of the target, which may have changed.
        mute(model.theme.dim, areas.body, buf, true);
    }
    put(buf, areas.status, &header::status(model, area.width, areas.status.height));
    put(buf, areas.tour, &tour::lines(model, area.width, areas.tour.height));
    let dialog = frame::placed(model, areas.front);
    let scrolls = dialog.as_ref().is_some_and(|dialog| dialog.sight.most > 0);
    put(buf, areas.footer, &[header::footer(model, area.width, scrolls)]);
    if let Some(dialog) = dialog {
        cursor = frame::draw(model, dialog, areas.front, buf);
    }
    part(buf);
    if model.ascii {
        ascii::pass(buf);
    }
    // Where nothing is chosen, a reader begins with the screen's first row.
    cursor.or_else(|| (!areas.body.is_empty()).then(|| areas.body.as_position()))
}

/// Gives every character a separate cell. If one cell held two joined characters (a consonant and its vowel sign, both
/// one column wide), the second would stay on the terminal when the cell is overwritten.
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
