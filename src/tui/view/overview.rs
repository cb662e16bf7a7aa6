//! The Overview: the state at a glance, in panels.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::depth::Depth;
use crate::abi::record::Outcome;
use crate::control::text::outcome::{Severity, ended_in_words};
use crate::tui::layout::Areas;
use crate::tui::layout::overview::{Kind, Panel, Plan, plan};
use crate::tui::model::Model;
use crate::tui::panels::knobs;
use crate::tui::panels::rows::PanelRow;
use crate::tui::panels::watch;
use crate::tui::text;
use crate::tui::widgets::lines::put;
use crate::tui::widgets::rule::{Rule, join, selected};

/// Draws it. Returns the cursor's position.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let plan = plan(model, area);
    put(buf, plan.strip, &[strip(model, usize::from(plan.strip.width))]);
    for panel in &plan.panels {
        draw_panel(model, panel, &plan, buf);
    }
    for divider in &plan.dividers {
        join(&model.theme, *divider, buf);
    }
    let cursor = plan.cursor();
    // Another page than the screen has other places.
    if area == Areas::now(model).body {
        model.overview.drawn.replace(Some(plan.into()));
    }
    cursor
}

fn draw_panel(model: &Model, panel: &Panel, plan: &Plan, buf: &mut Buffer) {
    let columns = usize::from(panel.area.width);
    let mut rows = panel.area;
    if panel.kind != Kind::Small {
        let focused = panel.rows.iter().any(|row| row.item.is_some() && row.item == plan.at);
        let rule = Rule { title: &panel.title, hint: &panel.hint, focused };
        put(buf, Rect { height: 1, ..panel.area }, &[rule.line(&model.theme, columns)]);
        (rows.y, rows.height) = (rows.y + 1, rows.height.saturating_sub(1));
    }
    let line = |row: &PanelRow| match row.item {
        Some(item) if plan.at == Some(item) => selected(&model.theme, &row.line, columns),
        _ => row.line.clone(),
    };
    let lines: Vec<Line<'static>> = panel.rows.iter().map(line).collect();
    put(buf, rows, &lines);
}

/// Four answers in four places: the gate, what runs, what was refused, what failed; of the kernel the watch, what runs,
/// what is lost, what failed.
fn strip(model: &Model, columns: usize) -> Line<'static> {
    let (s, theme) = (&model.snapshot, &model.theme);
    let slots = &s.slots;
    let full = slots.limit > 0 && slots.concurrent >= slots.limit;
    let gate = match s.gate {
        Depth::Enabled => (format!("● gate {}", knobs::gate(model)), theme.good),
        _ => (format!("‖ gate {}", knobs::gate(model)), theme.bad),
    };
    let place = columns / 4;
    let n = s.live_total;
    let running = match full {
        true => [format!("▸ {n} running, no slot free"), format!("▸ {n} running, no slot"), format!("▸ {n}, no slot")]
            .into_iter()
            .find(|words| text::width(words) < place)
            .unwrap_or_else(|| format!("▸ {n}, full")),
        false => format!("▸ {n} running"),
    };
    let of = |n: u64, style: Style| if n > 0 { style } else { theme.text };
    let refused = s.totals.refused();
    let failed = s.last.iter().filter(|record| ended_in_words(record).mood == Severity::Bad).count();
    // The totals do not tell exit 0 from other codes; they do tell what never ran or was killed.
    let counted = s.totals.of(Outcome::Killed) + s.totals.of(Outcome::ExecFailed) + s.totals.of(Outcome::Lost);
    let last = s.last.len();
    let failed = if s.totals.over() > last as u64 {
        (format!("✗ {failed} of the last {last} failed"), of(counted.max(failed as u64), theme.bad))
    } else {
        (format!("✗ {failed} failed"), of(failed as u64, theme.bad))
    };
    let refused = (format!("∞ {refused} refused"), of(refused, theme.bad));
    let running = (running, if full { theme.bad } else { theme.text });
    let parts = match watch::state(model) {
        Some(watch) => [watch::brief(model, watch), running, watch::losses(model, watch), failed],
        None => [gate, running, refused, failed],
    };
    let mut spans = vec![Span::styled(" ", theme.text)];
    for (at, (words, style)) in parts.into_iter().enumerate() {
        let room = if at == 3 { columns.saturating_sub(place * 3 + 1) } else { place };
        let words = text::fit(&words, room.saturating_sub(1));
        let blank = " ".repeat(room.saturating_sub(text::width(&words)));
        spans.extend([Span::styled(words, style), Span::styled(blank, theme.text)]);
    }
    Line::from(spans)
}
