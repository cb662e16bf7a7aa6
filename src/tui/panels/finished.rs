//! The requests that ended last.

use ratatui::text::Line;

use crate::control::text::outcome::{Severity, ended_in_words, title};
use crate::tui::model::Model;
use crate::tui::model::ending::short_ending;
use crate::tui::model::overview::{EndFold, Item, ended};

use super::rows::{Cells, Columns, PanelRow};

/// The number of ended requests; the snapshot contains only the last ones.
pub fn over(model: &Model) -> usize {
    let s = &model.snapshot;
    usize::try_from(s.totals.over()).unwrap_or(usize::MAX).max(s.last.len())
}

/// `Recently finished 946: the last 64 in 29 rows`.
pub fn heading(model: &Model, rows: usize) -> String {
    let (all, last) = (over(model), model.snapshot.last.len());
    let in_rows = if rows == 1 { "in 1 row".to_owned() } else { format!("in {rows} rows") };
    match last {
        _ if all > last => format!("Recently finished {all}: the last {last} {in_rows}"),
        _ if rows < last => format!("Recently finished {all}, {in_rows}"),
        _ => format!("Recently finished {all}"),
    }
}

/// A row for each of the last ended requests, or for equal ones together: failures first, then the newest.
pub fn rows(model: &Model, columns: usize) -> Vec<PanelRow> {
    let s = &model.snapshot;
    if s.last.is_empty() {
        return vec![PanelRow::words("nothing has ended yet", columns, model.theme.dim)];
    }
    let places = places(model, columns);
    let row = |fold: EndFold<'_>| {
        let item = Some(Item::Ended(fold.newest.id));
        PanelRow { item, stands_for: fold.times, line: line(model, &places, &fold) }
    };
    ended(model).into_iter().map(row).collect()
}

/// Each of the last ended requests in a row of its own, the newest first. The cursor passes these rows over: each has
/// its place among [`rows`]. None while those rows are one for each request already.
pub fn newest(model: &Model, columns: usize) -> Vec<PanelRow> {
    if ended(model).len() == model.snapshot.last.len() {
        return Vec::new();
    }
    let places = places(model, columns);
    let one = |newest| EndFold { newest, ending: ended_in_words(newest), times: 1 };
    model.snapshot.last.iter().map(|record| PanelRow::plain(line(model, &places, &one(record)))).collect()
}

fn places(model: &Model, columns: usize) -> Columns {
    let newest = model.snapshot.last.iter().map(|record| record.id).max().unwrap_or_default();
    Columns::new(columns, newest, 8)
}

fn line(model: &Model, places: &Columns, fold: &EndFold<'_>) -> Line<'static> {
    let record = fold.newest;
    let name = title(record);
    let cells = Cells {
        sign: fold.ending.symbol,
        number: if fold.times > 1 { format!("×{}", fold.times) } else { format!("#{}", record.id) },
        name: &name,
        state: short_ending(&fold.ending.words, record.errno.is_some(), places.state()),
        time: model.clock(record.at + record.ended_us.unwrap_or(0)),
    };
    // A success is told by its sign alone.
    let of_sign = model.theme.mood(fold.ending.mood);
    let of_state = if fold.ending.mood == Severity::Good { model.theme.text } else { of_sign };
    places.line(model, &cells, [of_sign, of_state])
}
