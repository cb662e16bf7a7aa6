//! One row per request; fewer columns on small screens.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::record::State;
use crate::control::activity::query::Sort;
use crate::control::text::outcome::took;
use crate::sys::local_time::Local;
use crate::tui::model::Model;
use crate::tui::model::record_row::Row;
use crate::tui::text;

/// How wide each column is; 0: it is not shown.
struct Widths {
    id: usize,
    time: usize,
    title: usize,
    wait: usize,
    who: usize,
    ending: usize,
    took: usize,
    /// What the rows are sorted by.
    sort: usize,
    /// The time has the date.
    dated: bool,
}

/// With this many columns, the value by which the rows are sorted has a column.
const SORTED: usize = 110;

fn widths(model: &Model, columns: usize) -> Widths {
    let dated = dated(model);
    let (id, time, wait, who, took, least) = match columns {
        100.. => (7, if dated { 14 } else { 12 }, 4, 22, 10, 0),
        // `khelper` with the number of a process.
        76.. if dated => (4, 14, 0, 16, 8, 0),
        76.. => (4, 8, 4, 16, 8, 0),
        50.. => (6, if dated { 11 } else { 8 }, 0, 0, 8, 0),
        _ => (5, 0, 0, 0, 8, 7),
    };
    let sort = if columns >= SORTED && sorted_by(model).is_some() { 10 } else { 0 };
    // Numbers are never cut.
    let id = id.max(1 + digits(model.activity.answer.newest));
    let fixed: usize = [id, time, wait, who, took, sort].iter().filter(|w| **w > 0).map(|w| w + 1).sum();
    // A mark, and a blank between title and ending.
    let left = columns.saturating_sub(fixed + 3);
    let title = (left * 2 / 5).max(least).min(left);
    Widths { id, time, title, wait, who, ending: left - title, took, sort, dated }
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

/// The name of the column by which the rows are sorted, if it is not shown anyway.
const fn sorted_by(model: &Model) -> Option<&'static str> {
    match model.activity.sort {
        Sort::Cpu => Some("CPU"),
        Sort::Memory => Some("memory"),
        Sort::Newest | Sort::Took | Sort::Name | Sort::Outcome => None,
    }
}

/// The names of the columns.
pub(super) fn names(model: &Model, columns: usize) -> Line<'static> {
    let w = widths(model, columns);
    let title = if w.title < 14 { "module/path" } else { "module or path" };
    let sort = sorted_by(model).unwrap_or_default();
    let cells = cells(&w, ["id", "time", title, "wait", "requester", "state, exit", sort, "took"]);
    Line::from(cells.into_iter().map(|text| Span::styled(text, model.theme.title)).collect::<Vec<_>>())
}

/// One request.
pub(super) fn row(model: &Model, row: &Row, columns: usize) -> Line<'static> {
    let w = widths(model, columns);
    let under = model.activity.at.is_some_and(|(_, id)| row.has(id));
    let lasts = match row.took {
        Some(us) => took(us),
        None if row.state == State::Ended => String::new(),
        None => took(model.now.saturating_sub(row.since())),
    };
    let time = match (w.dated, row.day.get(5..)) {
        (true, Some(day)) => format!("{day} {}", text::head(&row.time, 8)),
        _ => row.time.clone(),
    };
    let sort = match model.activity.sort {
        Sort::Cpu => took(row.cpu_us),
        _ => format!("{} KiB", row.rss_kib),
    };
    let (id, ending) = (format!("#{}", row.id), row.ending.text());
    let time = text::head(&time, w.time);
    let title = match row.times() {
        1 => row.title.clone(),
        times => format!("{} ×{times}", text::fit(&row.title, w.title.saturating_sub(2 + digits(times)))),
    };
    let cells = cells(&w, [&id, time, &title, row.wait, &who(&row.who, w.who), &ending, &sort, &lasts]);
    let mark = match (model.activity.marks(row), under) {
        (marks, _) if marks == row.times() => "*",
        (1.., _) => "-",
        (_, true) => ">",
        _ => " ",
    };
    let style = |style: Style| if under { model.theme.chosen(style) } else { style };
    let ending_at = cells.len() - if w.sort > 0 { 3 } else { 2 };
    let spans = cells.into_iter().enumerate().map(|(at, text)| match at {
        0 => Span::styled(format!("{mark}{}", &text[1..]), style(model.theme.text)),
        _ if at == ending_at => Span::styled(text, style(model.theme.mood(row.ending.mood))),
        _ => Span::styled(text, style(model.theme.text)),
    });
    Line::from(spans.collect::<Vec<_>>())
}

/// `khelper (4121)`; if it does not fit, the name is cut, never the number.
fn who(who: &str, columns: usize) -> String {
    match who.rfind(" (") {
        Some(at) if text::width(who) > columns => {
            let (name, pid) = who.split_at(at);
            text::fit(name, columns.saturating_sub(text::width(pid))) + pid
        }
        _ => who.to_owned(),
    }
}

/// The cells of a row, each as wide as its column and the blank after it; the first begins with a blank for the mark,
/// the last is aligned to the right.
fn cells(w: &Widths, texts: [&str; 8]) -> Vec<String> {
    let all = [w.id, w.time, w.title, w.wait, w.who, w.ending, w.sort, w.took];
    let mut cells: Vec<String> = all
        .iter()
        .zip(texts)
        .filter(|(width, _)| **width > 0)
        .map(|(width, text)| text::pad(text, *width) + " ")
        .collect();
    if let Some(first) = cells.first_mut() {
        first.insert(0, ' ');
    }
    if let Some(last) = cells.last_mut() {
        let text = text::fit(texts[7], w.took);
        *last = " ".repeat(w.took.saturating_sub(text::width(&text))) + &text;
    }
    cells
}
