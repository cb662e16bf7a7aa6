//! The unfinished requests with their elapsed time.

use ratatui::text::Line;

use crate::abi::record::State;
use crate::abi::snapshot::Live;
use crate::control::text::outcome::took;
use crate::tui::keymap::Action;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::lines::{cut, heading, line};

/// A heading and a line for each unfinished request, oldest first.
pub fn lines(model: &Model, columns: usize, rows: usize) -> Vec<Line<'static>> {
    let s = &model.snapshot;
    let mut lines = vec![heading(&model.theme, &format!("Running ({})", s.live_total), columns)];
    let rows = rows.saturating_sub(1);
    if s.running.is_empty() {
        let how = format!(": {} asks for a module", model.keys.key(Action::Module));
        let how = if model.options.read_only { "" } else { &how };
        lines.push(line(text::fit(&format!("nothing runs{how}"), columns), model.theme.dim));
        return lines;
    }
    let shown = s.running.iter().take(rows).map(|live| line(row(model, live, columns), model.theme.text)).collect();
    lines.extend(cut(shown, s.live_total, (columns, rows), "running", model.theme.dim));
    lines
}

/// One request: number, name, pid, elapsed time.
pub fn row(model: &Model, live: &Live, columns: usize) -> String {
    let state = match (live.state, live.pid) {
        (State::Waiting, _) => "◷ waits for a slot".to_owned(),
        (State::Queued, _) => "▹ queued".to_owned(),
        (State::Running, Some(pid)) => format!("▸ pid {pid}"),
        (State::Running, None) => "▸ runs".to_owned(),
        (State::Ended, _) => "▪ ending".to_owned(),
    };
    let gone = if live.abandoned { " ↷ caller gone" } else { "" };
    let elapsed = took(model.now.saturating_sub(live.at));
    let end = format!("{state}{gone} · {elapsed}");
    let room = columns.saturating_sub(text::width(&end) + 1);
    format!("{} {end}", text::pad(&format!("#{} {}", live.id, text::screen(&live.title)), room.min(44)))
}
