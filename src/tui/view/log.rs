//! The screen Log: the oldest line first, each wrapped to the width of the screen.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line as Row, Span};

use crate::abi::counted::counted;
use crate::abi::event::Level;
use crate::tui::keymap::Action;
use crate::tui::layout::log::{height, parts, wrapped};
use crate::tui::model::Model;
use crate::tui::model::log::level_name;
use crate::tui::text;
use crate::tui::widgets::field;
use crate::tui::widgets::lines::{line, put};

/// Draws it. Returns the cursor's position: in the filter if it has the focus, else on the selected line.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let [head, filter, list, hidden] = parts(model, area);
    let columns = usize::from(area.width);
    put(buf, head, &[line(text::fit(&head_words(model, columns), columns), model.theme.title)]);
    put(buf, list, &lines(model, columns, usize::from(list.height)));
    let whole = format!("hidden: time ({} copies the full line)", model.keys.key(Action::Copy));
    put(buf, hidden, &[line(text::fit(&whole, columns), model.theme.dim)]);
    if filter.is_empty() {
        return chosen(model, list);
    }
    let says = if model.log.typing { String::new() } else { " (/ edits it, esc clears it)".to_owned() };
    let says = text::fit(&says, columns / 2);
    field::draw(&model.theme, filter, buf, ("/ ", &says), &model.log.words, model.log.typing)
        .or_else(|| chosen(model, list))
}

/// The first cell of the line under the cursor, if it is visible.
fn chosen(model: &Model, list: Rect) -> Option<Position> {
    let log = &model.log;
    let index = log.index()?;
    let columns = usize::from(list.width);
    let above: usize = (log.top..index).map(|index| height(log, index, columns)).sum();
    let at = Position { x: list.x, y: list.y.checked_add(u16::try_from(above).ok()?)? };
    (index >= log.top && list.contains(at)).then_some(at)
}

fn head_words(model: &Model, columns: usize) -> String {
    let log = &model.log;
    let mut parts = vec![match log.shown.len() == log.ring.len() {
        true => counted(log.ring.len(), "line"),
        false => format!("{} of {}", log.shown.len(), counted(log.ring.len(), "line")),
    }];
    parts.push(match log.level {
        Level::Info => "every level".to_owned(),
        level => format!("{} and above", level_name(level)),
    });
    parts.push(if log.follow { "following".to_owned() } else { "not following".to_owned() });
    if log.ring.dropped() > 0 {
        parts.push(format!("{} oldest dropped", log.ring.dropped()));
    }
    while parts.len() > 1 && text::width(&parts.join(" · ")) > columns {
        parts.pop();
    }
    parts.join(" · ")
}

fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Row<'static>> {
    let log = &model.log;
    if log.shown.is_empty() {
        let words = if log.ring.is_empty() {
            "the log is empty: it shows refusals, failures, changes of knobs and warnings"
        } else {
            "no line matches: esc shows all"
        };
        return text::wrap(words, columns).into_iter().map(|t| line(t, model.theme.dim)).collect();
    }
    let at = log.index();
    let mut out = Vec::new();
    for (index, number) in log.shown.iter().enumerate().skip(log.top) {
        let Some(one) = log.ring.line(*number) else { continue };
        let under = Some(index) == at;
        let style = |style: Style| if under { model.theme.chosen(style) } else { style };
        let (head, words) = wrapped(one, columns);
        for (row, words) in words.into_iter().enumerate() {
            let head = if row == 0 { head.clone() } else { " ".repeat(text::width(&head)) };
            let mark = if under && row == 0 { '>' } else { ' ' };
            out.push(Row::from(vec![
                Span::styled(format!("{mark}{head}"), style(model.theme.dim)),
                Span::styled(words, style(of_level(model, one.level))),
            ]));
        }
        if out.len() >= rows {
            break;
        }
    }
    out.truncate(rows);
    out
}

fn of_level(model: &Model, level: Level) -> Style {
    match level {
        Level::Info => model.theme.text,
        Level::Warning => model.theme.warn,
        Level::Error => model.theme.bad,
    }
}
