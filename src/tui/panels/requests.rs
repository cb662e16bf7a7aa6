//! The slots of module requests: the count and the refusals.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::depth::Depth;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::lines::line;

/// With fewer columns than this, the numbers are short.
pub const NARROW: u16 = 60;

/// The gauge and the numbers.
pub fn lines(model: &Model, columns: usize, small: bool) -> Vec<Line<'static>> {
    let mut lines = vec![gauge(model, columns, small)];
    lines.extend(numbers(model, columns, small));
    lines
}

/// `580 asked, 50 launched; peak at 14:05:19`.
pub fn hint(model: &Model) -> String {
    let totals = &model.snapshot.totals;
    let peak = model.history.peak_at().map(|at| format!("; peak at {}", model.clock(at)));
    format!("{} asked, {} launched{}", totals.requests, totals.launched, peak.unwrap_or_default())
}

/// How many slots are used; "full" is also a word.
fn gauge(model: &Model, columns: usize, small: bool) -> Line<'static> {
    let slots = &model.snapshot.slots;
    let full = slots.concurrent >= slots.limit;
    let words = if small {
        let full = if full { " FULL" } else { "" };
        let refused = model.snapshot.totals.refused();
        format!(" {}/{}{full} peak {} refused {refused}", slots.concurrent, slots.limit, slots.peak)
    } else {
        whole_words(model, full)
    };
    let cells = columns.saturating_sub(text::width(&words) + 2).min(50);
    let filled = match usize::try_from(slots.limit.max(1)) {
        Ok(limit) => (slots.concurrent as usize).saturating_mul(cells).div_ceil(limit).min(cells),
        Err(_) => 0,
    };
    let style = if full { model.theme.bad } else { model.theme.graph };
    Line::from(vec![
        Span::styled(" ", model.theme.text),
        Span::styled("■".repeat(filled), style),
        Span::styled("·".repeat(cells - filled), model.theme.dim),
        Span::styled(text::fit(&words, columns), if full { model.theme.bad } else { model.theme.text }),
    ])
}

fn whole_words(model: &Model, full: bool) -> String {
    let slots = &model.snapshot.slots;
    let full = if full { ", FULL" } else { "" };
    let refused = model.snapshot.totals.refused();
    format!(" {} of {}{full}, peak {}, refused {refused}", slots.concurrent, slots.limit, slots.peak)
}

/// Calls, live helpers and queued calls are three different numbers (GATE-3).
fn numbers(model: &Model, columns: usize, small: bool) -> Vec<Line<'static>> {
    let s = &model.snapshot;
    let line = |text: &str| plain(text, columns, model.theme.text);
    let calls = format!(" calls in flight {} · live helpers {}", s.running_helpers, s.live);
    let queued = format!("queued {} · waiting for a slot {}", s.queued, s.slots.waiting);
    match text::width(&calls) + text::width(&queued) + 3 <= columns {
        true => return vec![line(&format!("{calls} · {queued}"))],
        false if !small => return vec![line(&calls), line(&format!(" {queued}"))],
        false => {}
    }
    // While the gate is open, the number of requests that wait for a slot matters more than the gate.
    let last = match s.slots.waiting {
        waiting if waiting > 0 && s.gate == Depth::Enabled => format!("waiting {waiting}"),
        _ => format!("gate {}", s.gate.name()),
    };
    vec![line(&format!("calls {} live {} queued {} {last}", s.running_helpers, s.live, s.queued))]
}

fn plain(text: &str, columns: usize, style: Style) -> Line<'static> {
    line(text::fit(text, columns), style)
}

#[cfg(test)]
mod tests {
    use crate::abi::record::Outcome;
    use crate::tui::testing::fixtures;
    use crate::tui::testing::render::screen;

    /// Each counter is shown beside its name, at every width.
    #[test]
    fn gate_3_calls_helpers_and_queued_are_shown_under_their_own_names() {
        let s = fixtures::distinct();
        let refused = s.totals.by_outcome[Outcome::Refused as usize];
        assert_eq!(refused, 64);
        for (columns, rows, wanted) in [
            (
                120,
                40,
                &[
                    "calls in flight 21 · live helpers 22",
                    "queued 23 · waiting for a slot 32",
                    " 31 of 47, peak 33, refused 64",
                    "Running 24",
                ][..],
            ),
            (
                80,
                24,
                &[
                    "calls in flight 21 · live helpers 22 · queued 23 · waiting for a slot 32",
                    " 31 of 47, peak 33, refused 64",
                    "Running 24",
                ],
            ),
            (40, 10, &["calls 21 live 22 queued 23 waiting 32", " 31/47 peak 33 refused 64", "hidden: "]),
        ] {
            let screen = screen(&fixtures::model(s.clone(), columns, rows));
            for text in wanted {
                assert!(screen.contains(*text), "{columns} columns: {text}\n{screen}");
            }
        }
    }
}
