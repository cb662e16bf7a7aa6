//! The Overview on a small screen: the first warning, the numbers, the newest rows, and what is hidden.

use ratatui::text::Line;

use crate::tui::model::Model;
use crate::tui::panels::rows::PanelRow;
use crate::tui::panels::{finished, knobs, no_modprobe, requests, running, warnings, watch};
use crate::tui::text;
use crate::tui::widgets::lines::line;

/// All rows of the screen.
pub(super) fn small(model: &Model, columns: usize, rows: usize) -> Vec<PanelRow> {
    let s = &model.snapshot;
    let mut lines = warnings::rows(model, columns, if rows < 9 { 1 } else { 3 });
    lines.extend(no_modprobe::rows(model, columns, true));
    let plain = |lines: Vec<Line<'static>>| lines.into_iter().map(PanelRow::plain).collect::<Vec<_>>();
    let watched = watch::state(model);
    match watched {
        Some(_) => lines.extend(watch::rows(model, columns).into_iter().take(1)),
        None => lines.extend(plain(requests::lines(model, columns, true))),
    }
    if rows > lines.len() + 4 && watched.is_none() {
        let gate = format!("gate {} · modprobe {}", knobs::gate(model), knobs::modprobe(model));
        lines.push(PanelRow::plain(line(text::fit(&gate, columns), model.theme.text)));
    }
    let room = rows.saturating_sub(lines.len() + 1);
    let items = |rows: Vec<PanelRow>| rows.into_iter().filter(|row| row.item.is_some()).collect::<Vec<_>>();
    let (running, ended) = (items(running::rows(model, columns)), items(finished::rows(model, columns)));
    // Half and half; a single line goes to the running requests, the oldest first, as on a larger screen.
    let runs = running.len().min(room.saturating_sub(ended.len().min(room / 2)));
    let ends = ended.len().min(room - runs);
    let brief = knobs::brief(model);
    let shown = brief.len().min(room - runs - ends);
    lines.extend(
        brief[..shown]
            .iter()
            .map(|words| PanelRow::plain(line(text::fit(&format!(" {words}"), columns), model.theme.text))),
    );
    let stand_for = |rows: &[PanelRow]| rows.iter().map(|row| row.stands_for).sum::<usize>();
    let hidden = (
        s.live_total.saturating_sub(stand_for(&running[..runs])),
        finished::over(model).saturating_sub(stand_for(&ended[..ends])),
    );
    lines.extend(running.into_iter().take(runs));
    lines.extend(ended.into_iter().take(ends));
    let some = if shown < brief.len() { "knobs, " } else { "" };
    let says = format!("hidden: {some}{} running, {} ended", hidden.0, hidden.1);
    if shown < brief.len() || hidden != (0, 0) {
        lines.truncate(rows.saturating_sub(1));
        lines.push(PanelRow::plain(line(text::fit(&says, columns), model.theme.dim)));
    }
    lines
}
