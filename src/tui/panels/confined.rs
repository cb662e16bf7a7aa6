//! How the last helpers were confined, beside the masks.

use crate::abi::launch_spec::Enforcement;
use crate::abi::record::Record;
use crate::control::text::outcome::{ended_in_words, title};
use crate::tui::model::Model;

use super::rows::{Cells, Columns};
use super::runs;
use super::section::{Section, Writer};

/// The last helpers that were launched, the newest first, as many as there is room for; `None` if there is room for
/// less than three.
pub(super) fn confined(model: &Model, columns: usize, rows: usize) -> Option<Section> {
    let last = &model.snapshot.last;
    let newest = last.iter().map(|record| record.id).max().filter(|_| rows >= 4)?;
    let places = Columns::new(columns, newest, 0);
    let row = |record: &Record| {
        let enforced = record.enforced?;
        let ending = ended_in_words(record);
        let cells = Cells {
            sign: ending.symbol,
            number: format!("#{}", record.id),
            name: &title(record),
            state: runs::confined(record),
            time: String::new(),
        };
        let of_state = if enforced == Enforcement::Masks { model.theme.text } else { model.theme.warn };
        Some(places.line(model, &cells, [model.theme.mood(ending.mood), of_state]))
    };
    let mut out = Writer::new(model, columns, "How the last helpers were confined", "3 Activity");
    out.section.lines = last.iter().filter_map(|record| row(record)).take(rows - 1).collect();
    Some(out.section)
}
