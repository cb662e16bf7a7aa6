//! The unfinished requests with their elapsed time.

use crate::abi::snapshot::Live;
use crate::control::text::outcome::took;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::model::overview::{Item, RunFold, running, standing};
use crate::tui::text;

use super::rows::{Cells, Columns, PanelRow};

/// `Running 50, in 1 row`.
pub fn heading(model: &Model, rows: usize) -> String {
    let s = &model.snapshot;
    let shown = s.running.len();
    let in_rows = if rows == 1 { "in 1 row".to_owned() } else { format!("in {rows} rows") };
    match rows {
        _ if s.live_total > shown => format!("Running {}: the oldest {shown} {in_rows}", s.live_total),
        _ if rows < shown => format!("Running {shown}, {in_rows}"),
        _ => format!("Running {}", s.live_total),
    }
}

/// A row for each unfinished request, or for equal ones together, the oldest first.
pub fn rows(model: &Model, columns: usize) -> Vec<PanelRow> {
    let s = &model.snapshot;
    if s.running.is_empty() {
        let how = format!(": {} asks for a module", model.keys.key(Action::Module));
        let how = if model.options.read_only { "" } else { &how };
        return vec![PanelRow::words(&format!("nothing runs{how}"), columns, model.theme.dim)];
    }
    let newest = s.running.iter().map(|live| live.id).max().unwrap_or_default();
    let places = Columns::new(columns, newest, 8);
    let row = |fold: RunFold<'_>| {
        let (sign, state) = standing(fold.oldest);
        let name = text::screen(&fold.oldest.title);
        let cells = Cells {
            sign,
            number: if fold.times > 1 { format!("×{}", fold.times) } else { format!("#{}", fold.oldest.id) },
            name: &name,
            state: match (fold.oldest.pid, fold.newest.pid) {
                // The older request may have the younger process.
                (Some(one), Some(other)) if fold.times > 1 => {
                    state.replacen(&one.to_string(), &format!("{}…{}", one.min(other), one.max(other)), 1)
                }
                _ => state,
            },
            time: took(model.now.saturating_sub(fold.oldest.at)),
        };
        let style = if fold.oldest.abandoned { model.theme.warn } else { model.theme.text };
        let line = places.line(model, &cells, [model.theme.key, style]);
        PanelRow { item: Some(Item::Running(fold.oldest.id)), stands_for: fold.times, line }
    };
    running(model).into_iter().map(row).collect()
}

/// One request for a list without columns: number, name, state, elapsed time.
pub fn row(model: &Model, live: &Live, columns: usize) -> String {
    let (sign, state) = standing(live);
    let end = format!("{sign} {state} · {}", took(model.now.saturating_sub(live.at)));
    let room = columns.saturating_sub(text::width(&end) + 1);
    format!("{} {end}", text::pad(&format!("#{} {}", live.id, text::screen(&live.title)), room.min(44)))
}

#[cfg(test)]
mod tests {
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::screen;

    #[test]
    fn processes_of_one_row_are_shown_from_the_lowest_on() {
        let mut s = fixtures::busy(2);
        (s.running[0].pid, s.running[1].pid) = (Some(5002), Some(5001));
        let text = screen(&fixtures::model(s, 80, 24));
        assert!(text.contains("pid 5001…5002"), "{text}");
    }
}
