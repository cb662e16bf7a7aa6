//! One row per request, or for equal ones together; fewer columns on small screens.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::record::State;
use crate::control::activity::query::Sort;
use crate::control::text::outcome::took;
use crate::sys::local_time::Local;
use crate::tui::model::Model;
use crate::tui::model::record_row::Row;
use crate::tui::text;

use super::matched::Matched;

/// How wide each column is; 0: it is not shown.
#[derive(Default)]
struct Widths {
    id: usize,
    time: usize,
    title: usize,
    who: usize,
    unit: usize,
    ending: usize,
    times: usize,
    took: usize,
    /// What the rows are sorted by. Without room for it, the last column shows it in place of the time it took.
    sort: usize,
    /// The time has the date.
    dated: bool,
}

/// From this width on, the value by which the rows are sorted has a column of its own.
const SORTED: usize = 110;

fn widths(model: &Model, columns: usize) -> Widths {
    let a = &model.activity;
    let dated = dated(model);
    let when = if dated { 14 } else { 8 };
    let mut w = match columns {
        100.. => Widths { id: 6, time: when, who: 22, took: 8, ..Widths::default() },
        76.. if dated => Widths { id: 4, time: 14, who: 14, took: 8, ..Widths::default() },
        76.. => Widths { id: 4, time: 8, who: 18, took: 8, ..Widths::default() },
        50.. => Widths { id: 5, time: if dated { 11 } else { 8 }, took: 8, ..Widths::default() },
        _ => Widths { id: 5, took: if a.tree { 0 } else { 8 }, ..Widths::default() },
    };
    w.dated = dated;
    if columns >= 100 && a.answer.rows.iter().any(|row| !row.unit.is_empty()) {
        w.unit = 17;
    }
    if columns >= 76 && (a.answer.in_rows < a.answer.matched || !a.apart.is_empty()) {
        w.times = 5;
    }
    if columns >= SORTED && is_extra(a.sort) {
        w.sort = 10;
    }
    // Numbers are never cut.
    w.id = w.id.max(1 + digits(a.answer.newest));
    let fixed: usize =
        [w.id, w.time, w.who, w.unit, w.times, w.took, w.sort].iter().filter(|w| **w > 0).map(|w| w + 1).sum();
    // A mark, and a blank between title and ending.
    let left = columns.saturating_sub(fixed + 2);
    w.ending = match columns {
        // As long as `∞ refused: limit (ENOMEM)`.
        100.. => (left * 3 / 5).clamp(25, 40),
        50.. => left * 3 / 5,
        _ => left.saturating_sub(7),
    };
    w.ending = w.ending.min(left * 3 / 4);
    if a.tree {
        w.ending = w.ending.min((left * 2 / 5).max(16));
    }
    w.title = left - w.ending;
    w
}

/// How many digits a number has.
fn digits(n: u64) -> usize {
    1 + n.checked_ilog10().unwrap_or(0) as usize
}

/// Whether some of the rows that were read are not of today.
fn dated(model: &Model) -> bool {
    let today = Local::of(model.snapshot.wall).map(|local| local.date()).unwrap_or_default();
    model.activity.answer.rows.iter().any(|row| !row.day.is_empty() && row.day != today)
}

/// Whether the rows are sorted by a value that has no column otherwise.
const fn is_extra(sort: Sort) -> bool {
    matches!(sort, Sort::Cpu | Sort::Memory)
}

/// The names of the columns. A sign stands behind the one by which the rows are sorted: `↓` if the largest comes first.
pub(super) fn names(model: &Model, columns: usize) -> Line<'static> {
    let (w, a) = (widths(model, columns), &model.activity);
    let sign = if a.sort.falls() != a.reverse { '↓' } else { '↑' };
    let named = |name: &str, sort: Option<Sort>| match sort {
        Some(sort) if sort == a.sort => format!("{name} {sign}"),
        _ => name.to_owned(),
    };
    let extra = named(if a.sort == Sort::Cpu { "CPU" } else { "memory" }, Some(a.sort));
    let took = if is_extra(a.sort) && w.sort == 0 { extra.clone() } else { named("took", Some(Sort::Took)) };
    let title = named(if w.title < 16 { "module/path" } else { "module or path" }, Some(Sort::Name));
    let time = if w.time > 0 { named("time", Some(Sort::Newest)) } else { String::new() };
    let id = if w.time > 0 { "id".to_owned() } else { named("id", Some(Sort::Newest)) };
    let ending = named("state, exit", Some(Sort::Outcome));
    let cells = cells(&w, [&id, &time, &title, "requester", "unit or container", &ending, "", &extra, &took]);
    Line::from(cells.into_iter().map(|text| Span::styled(text, model.theme.title)).collect::<Vec<_>>())
}

/// One row.
pub(super) fn row(model: &Model, row: &Row, columns: usize) -> Line<'static> {
    let (w, a) = (widths(model, columns), &model.activity);
    let under = a.at.is_some_and(|(_, id)| row.has(id));
    let lasts = match row.took {
        Some(us) => took(us),
        None if row.state == State::Ended => String::new(),
        None => took(model.now.saturating_sub(row.since())),
    };
    let time = match (w.dated, row.day.get(5..)) {
        (true, Some(day)) => format!("{day} {}", text::head(&row.time, 8)),
        _ => row.time.clone(),
    };
    let extra = match a.sort {
        Sort::Cpu => took(row.cpu_us),
        _ => format!("{} KiB", row.rss_kib),
    };
    let last = if is_extra(a.sort) && w.sort == 0 { &extra } else { &lasts };
    let times = match row.apart {
        Some(apart) if apart.at == 0 && apart.of > 1 => format!("/{}", apart.of),
        _ if row.times() > 1 => format!("×{}", row.times()),
        _ => String::new(),
    };
    let id = format!("#{}", row.id);
    let room = w.title.saturating_sub(if w.times == 0 && !times.is_empty() { 1 + text::width(&times) } else { 0 });
    let title = in_tree(row, room);
    let title = if w.times == 0 && !times.is_empty() { format!("{title} {times}") } else { title };
    let ending = format!("{} {}", row.ending.symbol, row.short_ending(w.ending.saturating_sub(2)));
    let (time, who) = (text::head(&time, w.time), who(&row.who, w.who));
    let cells = cells(&w, [&id, time, &title, &who, &row.unit, &ending, &times, &extra, last]);
    let mark = match (a.marks(row), under) {
        (marks, _) if marks == row.times() => "*",
        (1.., _) => "-",
        (_, true) => ">",
        _ => " ",
    };
    let style = |style: Style| if under { model.theme.chosen(style) } else { style };
    let ending_at = [w.id, w.time, w.title, w.who, w.unit].iter().filter(|w| **w > 0).count();
    let matched = Matched::of(model);
    let spans = cells.into_iter().enumerate().flat_map(|(at, text)| match at {
        0 => matched.spans(format!("{mark}{}", &text[1..]), style(model.theme.text), false),
        _ if at == ending_at => matched.spans(text, style(model.theme.mood(row.ending.mood)), false),
        // The time, and what follows the outcome, are not looked through.
        _ if at == usize::from(w.time > 0) || at > ending_at => vec![Span::styled(text, style(model.theme.text))],
        _ => matched.spans(text, style(model.theme.text), true),
    });
    Line::from(spans.collect::<Vec<_>>())
}

/// Deeper requests are not indented further: a number tells how deep they are.
const DEEPEST: u32 = 4;

/// The name in at most `columns` cells. In a tree, it stands below the request whose helper asked for it.
fn in_tree(row: &Row, columns: usize) -> String {
    // The rest of an unfolded row stands below its first.
    if let Some(apart) = row.apart.filter(|apart| apart.at > 0) {
        let turn = if apart.at + 1 == apart.of { "└ " } else { "├ " };
        return format!("{turn}{}", name(&row.title, columns.saturating_sub(2)));
    }
    let Some(branch) = row.branch.filter(|branch| branch.depth > 0 || branch.is_loop) else {
        return name(&row.title, columns);
    };
    let indent = " ".repeat(branch.depth.clamp(1, DEEPEST) as usize - 1);
    let deep = if branch.depth > DEEPEST { branch.depth.to_string() } else { String::new() };
    // Requests between the two are not shown: a filter hides them.
    let line = if branch.skips { "…" } else { "─" };
    let turn = if branch.depth > 0 { format!("{indent}└{deep}{line}") } else { String::new() };
    let repeats = if branch.is_loop { "↻ " } else { "" };
    let before = format!("{turn}{repeats}");
    format!("{before}{}", name(&row.title, columns.saturating_sub(text::width(&before))))
}

/// A name loses its middle, a path its beginning.
fn name(title: &str, columns: usize) -> String {
    let width = text::width(title);
    if width <= columns || columns < 8 {
        return text::fit(title, columns);
    }
    let end = if title.starts_with('/') { columns - 1 } else { (columns - 1) / 2 };
    format!("{}{}{}", text::head(title, columns - 1 - end), text::CUT, text::tail(title, end))
}

/// `khelper 4121 u0`; if it does not fit, first the user leaves, then the name is cut, never a number.
fn who(who: &str, columns: usize) -> String {
    if text::width(who) <= columns {
        return who.to_owned();
    }
    let process = who.rsplit_once(" u").map_or(who, |(process, _)| process);
    match process.rfind(' ') {
        Some(at) if text::width(process) > columns => {
            let (name, pid) = process.split_at(at);
            text::fit(name, columns.saturating_sub(text::width(pid))) + pid
        }
        _ => process.to_owned(),
    }
}

/// The cells of a row, each as wide as its column and the blank after it; the first begins with a blank for the mark,
/// the last three are aligned to the right.
fn cells(w: &Widths, texts: [&str; 9]) -> Vec<String> {
    let all = [w.id, w.time, w.title, w.who, w.unit, w.ending, w.times, w.sort, w.took];
    let cell = |(at, (width, text)): (usize, (&usize, &str))| {
        if at < 6 {
            return text::pad(text, *width) + " ";
        }
        let text = text::fit(text, *width);
        let after = if at == 8 { "" } else { " " };
        " ".repeat(width.saturating_sub(text::width(&text))) + &text + after
    };
    let mut cells: Vec<String> =
        all.iter().zip(texts).enumerate().filter(|(_, (width, _))| **width > 0).map(cell).collect();
    if let Some(first) = cells.first_mut() {
        first.insert(0, ' ');
    }
    cells
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_name_loses_its_middle_and_a_path_its_beginning() {
        assert_eq!(name("nf_conntrack_helper", 13), "nf_con…helper");
        assert_eq!(name("/usr/lib/cifs/cifs.upcall", 13), "…/cifs.upcall");
        assert_eq!((name("short", 13), name("longer-than", 5)), ("short".to_owned(), "long…".to_owned()));
    }

    #[test]
    fn the_number_of_a_process_is_never_cut() {
        assert_eq!(who("request-key 15801 u1000", 23), "request-key 15801 u1000");
        assert_eq!(who("request-key 15801 u1000", 18), "request-key 15801");
        assert_eq!(who("request-key 15801 u1000", 14), "request… 15801");
        assert_eq!(who("not known", 18), "not known");
    }
}
