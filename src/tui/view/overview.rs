//! The Overview: the state at a glance, in panels.

use ratatui::buffer::Buffer;
use ratatui::layout::{Position, Rect};
use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::depth::Depth;
use crate::abi::record::Outcome;
use crate::control::text::outcome::{Severity, ended_in_words};
use crate::tui::layout::overview::{Kind, Panel, Plan, plan};
use crate::tui::model::Model;
use crate::tui::panels::knobs;
use crate::tui::panels::rows::PanelRow;
use crate::tui::panels::watch;
use crate::tui::text;
use crate::tui::widgets::lines::put;

/// Draws it. Returns the cursor's position.
pub(super) fn draw(model: &Model, area: Rect, buf: &mut Buffer) -> Option<Position> {
    let plan = plan(model, area);
    put(buf, plan.strip, &[strip(model, usize::from(plan.strip.width))]);
    for panel in &plan.panels {
        draw_panel(model, panel, &plan, buf);
    }
    for divider in &plan.dividers {
        join(model, *divider, buf);
    }
    plan.cursor()
}

fn draw_panel(model: &Model, panel: &Panel, plan: &Plan, buf: &mut Buffer) {
    let columns = usize::from(panel.area.width);
    let mut rows = panel.area;
    if panel.kind != Kind::Small {
        let focused = panel.rows.iter().any(|row| row.item.is_some() && row.item == plan.at);
        put(buf, Rect { height: 1, ..panel.area }, &[rule(model, panel, columns, focused)]);
        (rows.y, rows.height) = (rows.y + 1, rows.height.saturating_sub(1));
    }
    let line = |row: &PanelRow| match row.item {
        Some(item) if plan.at == Some(item) => selected(model, &row.line, columns),
        _ => row.line.clone(),
    };
    let lines: Vec<Line<'static>> = panel.rows.iter().map(line).collect();
    put(buf, rows, &lines);
}

/// A rule with a title, and a hint at its right end if there is room.
fn rule(model: &Model, panel: &Panel, columns: usize, focused: bool) -> Line<'static> {
    let theme = &model.theme;
    let (sign, border, title_style) =
        if focused { ("━", theme.frame, theme.focus) } else { ("─", theme.dim, theme.title) };
    let title = text::fit(&panel.title, columns.saturating_sub(4));
    let left = columns.saturating_sub(text::width(&title) + 3);
    // All of the hint, or its first part.
    let hints = [panel.hint.as_str(), panel.hint.split(';').next().unwrap_or_default()];
    let hint = hints.into_iter().find(|hint| text::width(hint) + 5 <= left).filter(|hint| !hint.is_empty());
    let hint = hint.map(|hint| format!(" {hint} ")).unwrap_or_default();
    let end = usize::from(!hint.is_empty());
    Line::from(vec![
        Span::styled(sign, border),
        Span::styled(" ", theme.text),
        Span::styled(title, title_style),
        Span::styled(" ", theme.text),
        Span::styled(sign.repeat(left.saturating_sub(text::width(&hint) + end)), border),
        Span::styled(hint, theme.dim),
        Span::styled(sign.repeat(end), border),
    ])
}

/// The row under the cursor, up to the edge of its panel.
fn selected(model: &Model, line: &Line<'static>, columns: usize) -> Line<'static> {
    let mut spans: Vec<Span<'static>> =
        line.spans.iter().map(|span| Span::styled(span.content.clone(), model.theme.chosen(span.style))).collect();
    let used: usize = spans.iter().map(|span| text::width(&span.content)).sum();
    spans.push(Span::styled(" ".repeat(columns.saturating_sub(used)), model.theme.selected));
    Line::from(spans)
}

/// Draws the line between two columns, joined with the rules at its sides.
fn join(model: &Model, divider: Rect, buf: &mut Buffer) {
    for y in divider.top()..divider.bottom() {
        let is_rule = |x: Option<u16>| x.is_some_and(|x| x < buf.area.right() && "─━".contains(buf[(x, y)].symbol()));
        let sides = (is_rule(divider.x.checked_sub(1)), is_rule(divider.x.checked_add(1)));
        let sign = match sides {
            (true, true) if y == divider.top() => '┬',
            (true, true) => '┼',
            (true, false) => '┤',
            (false, true) => '├',
            (false, false) => '│',
        };
        buf[(divider.x, y)].set_char(sign).set_style(model.theme.dim);
    }
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
