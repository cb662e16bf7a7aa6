//! The requests that ended last.

use crate::control::text::outcome::{Severity, title};
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
    let newest = s.last.iter().map(|record| record.id).max().unwrap_or_default();
    let places = Columns::new(columns, newest, 8);
    let row = |fold: EndFold<'_>| {
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
        let line = places.line(model, &cells, [of_sign, of_state]);
        PanelRow { item: Some(Item::Ended(record.id)), stands_for: fold.times, line }
    };
    ended(model).into_iter().map(row).collect()
}
