//! The screen Log: the oldest line first, the newest last, each as whole as the screen is wide.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line as Row, Span};

use crate::abi::event::Level;
use crate::tui::keymap::Action;
use crate::tui::layout::Areas;
use crate::tui::model::Model;
use crate::tui::model::log::{Line, Log, level_name};
use crate::tui::text;
use crate::tui::widgets::field;
use crate::tui::widgets::lines::{line, put};

/// Fewer columns than these have no room for the time.
const TIMED: u16 = 50;

/// Where things are: what is shown, the filter, the lines, what is hidden.
fn parts(model: &Model, area: Rect) -> [Rect; 4] {
    let head = u16::from(area.height >= 2);
    let filter = u16::from(area.height >= 3 && (model.log.typing || !model.log.words.is_empty()));
    let hidden = u16::from(area.height >= 6 && area.width < TIMED && !model.log.shown.is_empty());
    let list = area.height - head - filter - hidden;
    let at = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    [at(0, head), at(head, filter), at(head + filter, list), at(head + filter + list, hidden)]
}

fn list(model: &Model) -> Rect {
    let [_, _, list, _] = parts(model, Areas::of(model, Rect::new(0, 0, model.columns, model.rows)).body);
    list
}

/// How many rows there are for lines.
pub(in crate::tui) fn rows(model: &Model) -> usize {
    usize::from(list(model).height)
}

/// The line at the top: where it was, if the one under the cursor is in sight then, and no row is wasted.
pub(in crate::tui) fn top(model: &Model) -> usize {
    let (list, log) = (list(model), &model.log);
    let (columns, rows) = (usize::from(list.width), usize::from(list.height).max(1));
    let Some(index) = log.index() else { return 0 };
    let height = |index: usize| height(log, index, columns);
    // The first line of a screen that ends with this one.
    let first_before = |end: usize| {
        let (mut first, mut used) = (end, height(end));
        while first > 0 && used + height(first - 1) <= rows {
            first -= 1;
            used += height(first);
        }
        first
    };
    let least = first_before(index);
    log.top.clamp(least, index).min(first_before(log.shown.len() - 1))
}

/// The line in that cell, among those that are shown.
pub(super) fn hit(model: &Model, at: Position) -> Option<usize> {
    let (list, log) = (list(model), &model.log);
    let mut rows = usize::from(at.y.checked_sub(list.y)?);
    if !list.contains(at) {
        return None;
    }
    (log.top..log.shown.len()).find(|index| {
        let height = height(log, *index, usize::from(list.width));
        let is_it = rows < height;
        rows = rows.saturating_sub(height);
        is_it
    })
}

/// Draws it; where the cursor is: in the filter while that is typed, else on the chosen line.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let [head, filter, list, hidden] = parts(model, area);
    let columns = usize::from(area.width);
    put(buf, head, &[line(text::fit(&head_words(model, columns), columns), model.theme.title)]);
    put(buf, list, &lines(model, columns, usize::from(list.height)));
    let whole = format!("hidden: time ({} copies the line whole)", model.keys.key(Action::Copy));
    put(buf, hidden, &[line(text::fit(&whole, columns), model.theme.dim)]);
    if filter.is_empty() {
        return chosen(model, list);
    }
    let says = if model.log.typing { String::new() } else { " (/ changes it, esc ends it)".to_owned() };
    let says = text::fit(&says, columns / 2);
    field::draw(&model.theme, filter, buf, ("/ ", &says), &model.log.words, model.log.typing)
        .or_else(|| chosen(model, list))
}

/// The first cell of the line under the cursor, if it is in sight.
fn chosen(model: &Model, list: Rect) -> Option<Position> {
    let log = &model.log;
    let index = log.index()?;
    let columns = usize::from(list.width);
    let above: usize = (log.top..index).map(|index| height(log, index, columns)).sum();
    let at = Position { x: list.x, y: list.y.checked_add(u16::try_from(above).ok()?)? };
    (index >= log.top && list.contains(at)).then_some(at)
}

/// How many rows the line takes, one of those that are shown.
fn height(log: &Log, index: usize, columns: usize) -> usize {
    log.shown.get(index).and_then(|number| log.ring.line(*number)).map_or(0, |line| wrapped(line, columns).1.len())
}

fn head_words(model: &Model, columns: usize) -> String {
    let log = &model.log;
    let mut parts = vec![match log.shown.len() == log.ring.len() {
        true if log.ring.len() == 1 => "1 line".to_owned(),
        true => format!("{} lines", log.ring.len()),
        false => format!("{} of {} lines", log.shown.len(), log.ring.len()),
    }];
    parts.push(match log.level {
        Level::Info => "every level".to_owned(),
        level => format!("{} and above", level_name(level)),
    });
    parts.push(if log.follow { "following".to_owned() } else { "not following".to_owned() });
    if log.ring.let_go() > 0 {
        parts.push(format!("{} older ones let go", log.ring.let_go()));
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
            "nothing has been logged: refusals, failures, changes of knobs and warnings will stand here"
        } else {
            "no line is like that: esc shows all again"
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

/// The level where there is little room: no word is broken off.
const fn short(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warn",
        Level::Error => "err",
    }
}

/// Time and level, and the words broken into rows; where there is little room the level comes first.
fn wrapped(one: &Line, columns: usize) -> (String, Vec<String>) {
    let level = level_name(one.level);
    let head = match columns {
        76.. => format!("{} {} ", one.time, text::pad(level, 7)),
        50.. => format!("{} {} ", text::head(&one.time, 8), text::pad(level, 7)),
        12.. => format!("{} ", text::pad(short(one.level), 4)),
        _ => String::new(),
    };
    let room = columns.saturating_sub(text::width(&head) + 1);
    (head, text::wrap(&one.words(), room))
}
