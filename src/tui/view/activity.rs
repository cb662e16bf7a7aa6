//! The screen Activity: rows, newest first, and the record under the cursor if there is room.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::abi::snapshot::Totals;
use crate::control::activity::query::Which;
use crate::tui::layout::activity::{hidden, is_filtered, parts};
use crate::tui::model::Model;
use crate::tui::model::activity::{Activity, Typing};
use crate::tui::panels::detail;
use crate::tui::text;
use crate::tui::widgets::field;
use crate::tui::widgets::lines::{cut, heading, line, put};

use super::activity_rows;

/// Draws it. Returns the cursor's position: in the filter that has the focus, else on the selected row.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let parts = parts(model, area);
    let columns = usize::from(parts.list.width);
    let moods = if model.activity.paused.is_some() { model.theme.warn } else { model.theme.title };
    put(buf, parts.head, &[line(text::fit(&head(model, parts.list, columns), columns), moods)]);
    put(buf, parts.names, &[activity_rows::names(model, columns)]);
    put(buf, parts.list, &list(model, parts.list, columns));
    if let Some(hides) = hidden(columns) {
        put(buf, parts.hidden, &[line(text::fit(hides, columns), model.theme.dim)]);
    }
    record(model, parts.detail, buf);
    filters(model, parts.filters, buf).or_else(|| chosen(&model.activity, parts.list))
}

/// The first cell of the row under the cursor, if it is visible.
fn chosen(activity: &Activity, list: Rect) -> Option<Position> {
    let row = activity.at?.0.checked_sub(activity.top)?;
    let at = Position { x: list.x, y: list.y.checked_add(u16::try_from(row).ok()?)? };
    (list.contains(at) && activity.answer.matched > 0).then_some(at)
}

fn list(model: &Model, area: Rect, columns: usize) -> Vec<Line<'static>> {
    let a = &model.activity;
    if let Some(why) = &a.answer.trouble {
        return text::wrap(&format!("✗ {why}"), columns).into_iter().map(|t| line(t, model.theme.bad)).collect();
    }
    if a.answer.matched == 0 {
        let words = match (model.snapshot.totals.requests, a.filters()) {
            (0, _) if model.options.read_only => "no requests yet".to_owned(),
            (0, _) => "no requests yet: m asks for a module, c calls a helper".to_owned(),
            (_, true) if a.is_current() => {
                format!("none of {} records matches: esc shows all", a.answer.looked)
            }
            _ => "reading".to_owned(),
        };
        return text::wrap(&words, columns).into_iter().map(|t| line(t, model.theme.dim)).collect();
    }
    let rows = (a.top..a.top + usize::from(area.height)).map_while(|index| {
        let row = a.answer.rows.get(index.checked_sub(a.answer.first)?)?;
        Some(activity_rows::row(model, row, columns))
    });
    rows.collect()
}

/// The count, the order and the cursor's mode; the most important first.
fn head(model: &Model, area: Rect, columns: usize) -> String {
    let (a, s) = (&model.activity, &model.snapshot);
    let mut parts = Vec::new();
    if let Some(since) = a.paused {
        parts.push(format!("PAUSED, {} new since", s.totals.requests.saturating_sub(since)));
    }
    if a.which != Which::All {
        parts.push(a.which.name().to_owned());
    }
    let shown = a.answer.in_rows.saturating_sub(a.top).min(usize::from(area.height));
    let of = if a.filters() { format!(" ({} searched)", a.answer.looked) } else { String::new() };
    parts.push(match shown {
        _ if a.answer.trouble.is_some() => "not read".to_owned(),
        _ if !a.is_current() => "reading".to_owned(),
        0 => format!("0 records{of}"),
        _ if a.answer.in_rows < a.answer.matched => {
            format!("{}-{} of {} rows, {} requests{of}", a.top + 1, a.top + shown, a.answer.in_rows, a.answer.matched)
        }
        _ => format!("{}-{} of {}{of}", a.top + 1, a.top + shown, a.answer.matched),
    });
    if !a.marked.is_empty() {
        parts.push(format!("{} marked", a.marked.len()));
    }
    parts.push(a.sort.name(a.reverse).to_owned());
    if a.paused.is_none() {
        parts.push(if a.follow { "following".to_owned() } else { "not following".to_owned() });
    }
    parts.push(sums(&s.totals, s.live_total));
    if text::width(&parts.join(" · ")) > columns {
        parts.pop();
        parts.push(brief_sums(&s.totals));
    }
    while parts.len() > 1 && text::width(&parts.join(" · ")) > columns {
        parts.pop();
    }
    parts.join(" · ")
}

/// The total of requests, and where they are now.
fn sums(totals: &Totals, live: usize) -> String {
    let requests = if totals.requests == 1 { "request" } else { "requests" };
    let mut words = format!("{} {requests} so far, {live} still running", totals.requests);
    if totals.records_dropped > 0 {
        words.push_str(&format!(", {} oldest dropped", totals.records_dropped));
    }
    if totals.records_lost > 0 {
        words.push_str(&format!(", {} lost by the record sink", totals.records_lost));
    }
    words
}

/// The same for small screens.
fn brief_sums(totals: &Totals) -> String {
    match totals.records_dropped {
        0 => format!("{} requests", totals.requests),
        gone => format!("{} requests, {gone} dropped", totals.requests),
    }
}

fn filters(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let a = &model.activity;
    if area.is_empty() || !is_filtered(a) {
        return None;
    }
    let globs = a.typing == Some(Typing::Globs);
    // The filter with the focus; else both, as far as they fit.
    let (mark, shown) = if globs { ("* ", &a.globs) } else { ("/ ", &a.words) };
    let says = match a.wrong() {
        Some(why) => format!(" ✗ {why}"),
        None if a.typing.is_some() && !a.is_current() => " reading".to_owned(),
        None if a.typing.is_some() => format!(" {} of {}", a.answer.matched, a.answer.looked),
        None if !a.globs.is_empty() => format!(" modules {}", text::screen(a.globs.bytes())),
        None => " (/ edits it, esc clears it)".to_owned(),
    };
    let says = text::fit(&says, usize::from(area.width / 2));
    field::draw(&model.theme, area, buf, (mark, &says), shown, a.typing.is_some())
}

/// As much of the record as fits.
fn record(model: &Model, area: Rect, buf: &mut Buffer) {
    if area.is_empty() {
        return;
    }
    let columns = usize::from(area.width);
    let lines = match (model.activity.detail(), model.activity.at) {
        (Some(record), _) => {
            let mut lines = vec![heading(&model.theme, &detail::title(record), columns)];
            lines.extend(detail::lines(model, record, columns));
            lines
        }
        (None, Some((_, id))) => {
            vec![heading(&model.theme, &format!("#{id}"), columns), line("reading", model.theme.dim)]
        }
        (None, None) => vec![heading(&model.theme, "Record", columns), line("none", model.theme.dim)],
    };
    let total = lines.len();
    put(buf, area, &cut(lines, total, (columns, usize::from(area.height)), "lines: enter shows all", model.theme.dim));
}

#[cfg(test)]
mod tests;
