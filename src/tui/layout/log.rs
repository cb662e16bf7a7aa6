//! The layout of the screen Log, and how its lines are wrapped.

use ratatui::layout::{Position, Rect};

use crate::abi::event::Level;
use crate::tui::model::Model;
use crate::tui::model::log::{Line, Log, level_name};
use crate::tui::text;

use super::areas::Areas;

/// With fewer columns than this, the time is not shown.
const TIMED: u16 = 50;

/// The areas: the count, the filter, the lines, the hidden part.
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

/// The number of rows for lines.
pub fn rows(model: &Model) -> usize {
    usize::from(list(model).height)
}

/// The line at the top: unchanged, if the line under the cursor is then visible and no row is wasted.
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

/// The line in this cell, as an index of the lines shown.
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

/// How many rows one of the lines shown takes.
pub fn height(log: &Log, index: usize, columns: usize) -> usize {
    log.shown.get(index).and_then(|number| log.ring.line(*number)).map_or(0, |line| wrapped(line, columns).1.len())
}

/// The level in short, for small screens; no word is cut.
const fn short(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warn",
        Level::Error => "err",
    }
}

/// Time and level, and the text wrapped into rows; on small screens the level comes first.
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
