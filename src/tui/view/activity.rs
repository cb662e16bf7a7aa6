//! The screen Activity: rows, newest first, and the record under the cursor if there is room.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::text::Line;

use crate::abi::counted::counted;
use crate::abi::snapshot::Totals;
use crate::tui::layout::activity::{hidden, parts};
use crate::tui::model::Model;
use crate::tui::model::activity::Activity;
use crate::tui::model::record_row::Row;
use crate::tui::panels::detail;
use crate::tui::text;
use crate::tui::widgets::lines::{line, put};
use crate::tui::widgets::rule::Rule;

use super::{activity_rows, filter_line};

/// Draws it. Returns the cursor's position: in the filter that has the focus, else on the selected row.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let parts = parts(model, area);
    let columns = usize::from(parts.list.width);
    let moods = if model.activity.paused.is_some() { model.theme.warn } else { model.theme.title };
    put(buf, parts.head, &[line(text::fit(&head(model, parts.list, columns), columns), moods)]);
    put(buf, parts.names, &[activity_rows::names(model, columns)]);
    put(buf, parts.list, &list(model, parts.list, columns));
    if let Some(hides) = hidden(model, columns, parts.detail.is_empty()) {
        put(buf, parts.hidden, &[line(text::fit(&hides, columns), model.theme.dim)]);
    }
    if parts.detail.x > parts.list.right() {
        let divider = Rect { x: parts.detail.x - 1, width: 1, ..parts.detail };
        put(buf, divider, &vec![line("│", model.theme.dim); usize::from(divider.height)]);
    }
    let reads = record(model, parts.detail, buf);
    filter_line::draw(model, parts.filters, buf).or(reads).or_else(|| chosen(&model.activity, parts.list))
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
                format!("none of {} matches: esc shows all", counted(a.answer.looked, "record"))
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
    let shown = a.answer.in_rows.saturating_sub(a.top).min(usize::from(area.height));
    let of = if a.filters() { format!(" ({} searched)", a.answer.looked) } else { String::new() };
    parts.push(match shown {
        _ if a.answer.trouble.is_some() => "not read".to_owned(),
        _ if !a.is_current() => "reading".to_owned(),
        0 => format!("0 records{of}"),
        _ if a.answer.in_rows < a.answer.matched => {
            format!("{}-{} of {} rows of {}{of}", a.top + 1, a.top + shown, a.answer.in_rows, a.answer.matched)
        }
        _ => format!("{}-{} of {}{of}", a.top + 1, a.top + shown, a.answer.matched),
    });
    if !a.marked.is_empty() {
        parts.push(format!("{} marked", a.marked.len()));
    }
    parts.extend(a.older_words());
    let tree = if a.tree { "tree, " } else { "" };
    parts.push(format!("{tree}{}", a.sort.name(a.reverse)));
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
    let mut words = format!("{} so far, {live} still running", counted(totals.requests, "request"));
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
        0 => counted(totals.requests, "request"),
        gone => format!("{gone} of {} dropped", totals.requests),
    }
}

/// Other rows among those that were read, in so many lines: first those of that name, then those that ended alike.
fn others(model: &Model, columns: usize, room: usize) -> Vec<Line<'static>> {
    let a = &model.activity;
    let Some(row) = a.row() else { return Vec::new() };
    let one = |other: &Row| {
        let times = if other.times() > 1 { format!(" ×{}", other.times()) } else { String::new() };
        let before = format!("{} #{} {}{times}  ", text::head(&other.time, 8), other.id, other.title);
        let ending = other.short_ending(columns.saturating_sub(text::width(&before) + 2));
        line(text::fit(&format!("{before}{} {ending}", other.ending.symbol), columns), model.theme.text)
    };
    let others = || a.answer.rows.iter().filter(|other| other.id != row.id);
    let named: Vec<&Row> = others().filter(|other| other.title == row.title).collect();
    let alike = others().filter(|other| other.title != row.title && other.ending.symbol == row.ending.symbol).collect();
    let mut lines = Vec::new();
    for (title, rows) in [("Same name", named), ("Ended alike", alike)] {
        if !rows.is_empty() && lines.len() + 2 <= room {
            lines.push(Rule { title, hint: "", focused: false }.line(&model.theme, columns));
            lines.extend(rows.into_iter().map(one).take(room - lines.len()));
        }
    }
    lines
}

/// The record under the cursor, as far as it is scrolled. Returns where it begins, if the keys scroll it.
fn record(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    if area.is_empty() {
        return None;
    }
    let a = &model.activity;
    let columns = usize::from(area.width);
    let mut lines = match (a.detail(), a.at) {
        (Some(record), _) => detail::lines(model, record, columns),
        (None, Some(_)) => vec![line("reading", model.theme.dim)],
        (None, None) => vec![line("none", model.theme.dim)],
    };
    let title = match (a.detail(), a.at) {
        (Some(record), _) => detail::title(record),
        (None, Some((_, id))) => format!("#{id}"),
        (None, None) => "Record".to_owned(),
    };
    let times = a.row().map_or(1, Row::times);
    let title = if times > 1 { format!("{title}, one of {times}") } else { title };
    let (total, room) = (lines.len(), usize::from(area.height).saturating_sub(1));
    let from = a.scrolled().min(total.saturating_sub(room));
    let to = (from + room).min(total);
    let hint = match (a.reading, total > room) {
        (true, true) => format!("{}-{to} of {total} lines; left goes back", from + 1),
        (true, false) => "left goes back; all is shown".to_owned(),
        (false, true) => {
            let left = total - to + from;
            format!("{left} more line{}: right reads; enter opens", if left == 1 { "" } else { "s" })
        }
        (false, false) => String::new(),
    };
    let rule = Rule { title: &title, hint: &hint, focused: a.reading };
    put(buf, Rect { height: 1, ..area }, &[rule.line(&model.theme, columns)]);
    let below = Rect { y: area.y + 1, height: area.height - 1, ..area };
    let mut shown: Vec<_> = lines.drain(from..to).collect();
    if room > total + 2 {
        shown.extend(others(model, columns, room - total));
    }
    put(buf, below, &shown);
    (a.reading && a.detail().is_some() && !below.is_empty()).then_some(Position { x: below.x, y: below.y })
}

#[cfg(test)]
mod tests;
