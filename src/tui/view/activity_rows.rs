//! One row per request; fewer columns on small screens.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::record::State;
use crate::control::text::outcome::took;
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
}

fn widths(model: &Model, columns: usize) -> Widths {
    let (id, time, wait, who, took, least) = match columns {
        100.. => (7, 12, 4, 22, 10, 0),
        // `khelper` with the number of a process.
        76.. => (4, 8, 4, 16, 8, 0),
        50.. => (6, 8, 0, 0, 8, 0),
        _ => (5, 0, 0, 0, 8, 7),
    };
    // Numbers are never cut.
    let id = id.max(2 + model.activity.answer.newest.checked_ilog10().unwrap_or(0) as usize);
    let fixed: usize = [id, time, wait, who, took].iter().filter(|w| **w > 0).map(|w| w + 1).sum();
    // A mark, and a blank between title and ending.
    let left = columns.saturating_sub(fixed + 3);
    let title = (left * 2 / 5).max(least).min(left);
    Widths { id, time, title, wait, who, ending: left - title, took }
}

/// The names of the columns.
pub(super) fn names(model: &Model, columns: usize) -> Line<'static> {
    let w = widths(model, columns);
    let title = if w.title < 14 { "module/path" } else { "module or path" };
    let cells = cells(&w, ["id", "time", title, "wait", "requester", "state, exit", "took"]);
    Line::from(cells.into_iter().map(|text| Span::styled(text, model.theme.title)).collect::<Vec<_>>())
}

/// One request.
pub(super) fn row(model: &Model, row: &Row, columns: usize) -> Line<'static> {
    let w = widths(model, columns);
    let under = model.activity.at.is_some_and(|(_, id)| id == row.id);
    let lasts = match row.took {
        Some(us) => took(us),
        None if row.state == State::Ended => String::new(),
        None => took(model.now.saturating_sub(row.at)),
    };
    let time = if w.time < 12 { text::head(&row.time, w.time) } else { &row.time };
    let (id, ending) = (format!("#{}", row.id), row.ending.text());
    let cells = cells(&w, [&id, time, &row.title, row.wait, &who(&row.who, w.who), &ending, &lasts]);
    let mark = if under { ">" } else { " " };
    let style = |style: Style| if under { model.theme.chosen(style) } else { style };
    let ending_at = cells.len() - 2;
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
fn cells(w: &Widths, texts: [&str; 7]) -> Vec<String> {
    let all = [w.id, w.time, w.title, w.wait, w.who, w.ending, w.took];
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
        let text = text::fit(texts[6], w.took);
        *last = " ".repeat(w.took.saturating_sub(text::width(&text))) + &text;
    }
    cells
}
