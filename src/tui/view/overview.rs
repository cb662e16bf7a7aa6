//! The Overview: the state at a glance.

use ratatui::buffer::Buffer;
use ratatui::layout::Rect;
use ratatui::text::Line;

use crate::tui::model::Model;
use crate::tui::panels::{knobs, running};
use crate::tui::text;
use crate::tui::widgets::lines::{heading, line, put};

use super::{recent, slots, warnings};

/// With fewer rows or columns than this, only the numbers and the newest lines are shown.
const SMALL: (u16, u16) = (slots::NARROW, 15);
/// With this many columns, running and ended requests are side by side.
const WIDE: u16 = 110;

/// Draws it.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) {
    let lines = if area.width < SMALL.0 || area.height < SMALL.1 { small(model, area) } else { whole(model, area) };
    put(buf, area, &lines);
    let used = u16::try_from(lines.len()).unwrap_or(u16::MAX);
    if area.width >= SMALL.0 && area.height >= SMALL.1 {
        lists(model, Rect { y: area.y + used, height: area.height.saturating_sub(used), ..area }, buf);
    }
}

fn whole(model: &Model, area: Rect) -> Vec<Line<'static>> {
    let columns = usize::from(area.width);
    let mut lines = warnings::lines(model, columns, usize::from(area.height / 6).clamp(2, 6));
    lines.push(heading(&model.theme, "Knobs", columns));
    lines.extend(knobs::lines(model, columns));
    lines.push(heading(&model.theme, "Slots of module requests", columns));
    lines.extend(slots::lines(model, columns));
    lines
}

/// Running and ended requests share the remaining rows.
fn lists(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.width >= WIDE {
        let half = area.width / 2;
        let left = Rect { width: half - 3, ..area };
        let right = Rect { x: area.x + half, width: area.width - half, ..area };
        let rows = usize::from(area.height);
        put(buf, left, &running::lines(model, usize::from(left.width), rows));
        put(buf, right, &recent::lines(model, usize::from(right.width), rows));
        return;
    }
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    let wanted = |n: usize| n.max(1) + 1;
    let (first, second) = (wanted(model.snapshot.live_total), wanted(model.snapshot.last.len()));
    let above = first.min(rows - second.min(rows / 2));
    let mut lines = running::lines(model, columns, above);
    lines.extend(recent::lines(model, columns, rows - above.min(rows)));
    put(buf, area, &lines);
}

/// For small screens: the first warning, the numbers, the newest lines, and the count of hidden ones.
fn small(model: &Model, area: Rect) -> Vec<Line<'static>> {
    let (columns, rows) = (usize::from(area.width), usize::from(area.height));
    let s = &model.snapshot;
    let mut lines = warnings::lines(model, columns, if rows < 9 { 1 } else { 3 });
    lines.push(slots::gauge(model, columns));
    lines.push(slots::numbers(model, columns));
    if rows > lines.len() + 4 {
        let gate = format!("gate {} · modprobe {}", knobs::gate(model), knobs::modprobe(model));
        lines.push(line(text::fit(&gate, columns), model.theme.text));
    }
    let room = rows.saturating_sub(lines.len() + 1);
    // Half and half; a single line goes to the running requests, the oldest first, as on a larger screen.
    let runs = s.running.len().min(room.saturating_sub(s.last.len().min(room / 2)));
    let ends = s.last.len().min(room - runs);
    let hidden = (s.live_total - runs.min(s.live_total), recent::over(model) - ends);
    let knobs = knobs::brief(model);
    let shown = knobs.len().min(room - runs - ends);
    lines.extend(knobs[..shown].iter().map(|words| line(text::fit(words, columns), model.theme.text)));
    let running = s.running.iter().take(runs).map(|live| running::row(model, live, columns));
    lines.extend(running.map(|text| line(text::fit(&text, columns), model.theme.text)));
    lines.extend(s.last.iter().take(ends).map(|record| recent::row(model, record, columns)));
    let some = if shown < knobs.len() { "knobs, " } else { "" };
    let says = format!("hidden: {some}{} running, {} ended", hidden.0, hidden.1);
    if shown < knobs.len() || hidden != (0, 0) {
        lines.truncate(rows.saturating_sub(1));
        lines.push(line(text::fit(&says, columns), model.theme.dim));
    }
    lines
}
