//! Where things stand on the screen Log, and how its lines are broken into rows.

use ratatui::layout::{Position, Rect};

use crate::abi::event::Level;
use crate::tui::model::Model;
use crate::tui::model::log::{Line, Log, level_name};
use crate::tui::text;

use super::areas::Areas;

/// Fewer columns than these have no room for the time.
const TIMED: u16 = 50;

/// Where things are: what is shown, the filter, the lines, what is hidden.
pub fn parts(model: &Model, area: Rect) -> [Rect; 4] {
    let head = u16::from(area.height >= 2);
    let filter = u16::from(area.height >= 3 && (model.log.typing || !model.log.words.is_empty()));
    let hidden = u16::from(area.height >= 6 && area.width < TIMED && !model.log.shown.is_empty());
    let list = area.height - head - filter - hidden;
    let at = |y: u16, height: u16| Rect { y: area.y + y, height, ..area };
    [at(0, head), at(head, filter), at(head + filter, list), at(head + filter + list, hidden)]
}

fn list(model: &Model) -> Rect {
    let [_, _, list, _] = parts(model, Areas::now(model).body);
    list
}

/// How many rows there are for lines.
pub fn rows(model: &Model) -> usize {
    usize::from(list(model).height)
}

/// The line at the top: where it was, if the one under the cursor is in sight then, and no row is wasted.
pub fn top(model: &Model) -> usize {
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
pub fn hit(model: &Model, at: Position) -> Option<usize> {
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

/// How many rows the line takes, one of those that are shown.
pub fn height(log: &Log, index: usize, columns: usize) -> usize {
    log.shown.get(index).and_then(|number| log.ring.line(*number)).map_or(0, |line| wrapped(line, columns).1.len())
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
pub fn wrapped(one: &Line, columns: usize) -> (String, Vec<String>) {
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
