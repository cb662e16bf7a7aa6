//! The slots of module requests: the count, the holders, the refusals; the last minute.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::abi::depth::Depth;
use crate::tui::model::Model;
use crate::tui::text;
use crate::tui::widgets::lines::line;

/// With fewer columns than this, the numbers are short.
pub(super) const NARROW: u16 = 60;

/// The gauge, the numbers, the holders, the last minute.
pub(super) fn lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    vec![gauge(model, columns), numbers(model, columns), holders(model, columns), minute(model, columns)]
}

/// How many slots are used; "full" is also a word.
pub(super) fn gauge(model: &Model, columns: usize) -> Line<'static> {
    let slots = &model.snapshot.slots;
    let full = slots.concurrent >= slots.limit;
    let words = if columns < NARROW.into() {
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
    let style = if full { model.theme.bad } else { model.theme.good };
    Line::from(vec![
        Span::styled("[", model.theme.text),
        Span::styled("█".repeat(filled), style),
        Span::styled("·".repeat(cells - filled), model.theme.dim),
        Span::styled("]", model.theme.text),
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
pub(super) fn numbers(model: &Model, columns: usize) -> Line<'static> {
    let s = &model.snapshot;
    let whole = format!(
        "calls in flight {} · live helpers {} · queued {} · waiting for a slot {}",
        s.running_helpers, s.live, s.queued, s.slots.waiting
    );
    if text::width(&whole) <= columns {
        return plain(&whole, columns, model.theme.text);
    }
    // While the gate is open, the number of requests that wait for a slot matters more than the gate.
    let last = match s.slots.waiting {
        waiting if waiting > 0 && s.gate == Depth::Enabled => format!("waiting {waiting}"),
        _ => format!("gate {}", s.gate.name()),
    };
    let short = format!("calls {} live {} queued {} {last}", s.running_helpers, s.live, s.queued);
    plain(&short, columns, model.theme.text)
}

fn holders(model: &Model, columns: usize) -> Line<'static> {
    let s = &model.snapshot;
    if s.slots.holders.is_empty() {
        return plain("no holders", columns, model.theme.dim);
    }
    let mut shown = "held by".to_owned();
    for (at, id) in s.slots.holders.iter().enumerate() {
        let title =
            s.running.iter().find(|live| live.id == *id).map(|live| text::screen(&live.title)).unwrap_or_default();
        let next = format!(" #{id} {}", text::fit(&title, 16));
        let left = s.slots.holders.len() - at;
        let more = format!(" {} {left} more", text::CUT);
        let last = left == 1;
        if text::width(&shown) + text::width(&next) + if last { 0 } else { text::width(&more) } > columns {
            shown.push_str(&more);
            break;
        }
        shown.push_str(next.trim_end());
    }
    plain(&shown, columns, model.theme.text)
}

fn minute(model: &Model, columns: usize) -> Line<'static> {
    let words = format!("  {} launched", model.spark.sum());
    let bars = model.spark.bars(columns.saturating_sub(12 + text::width(&words)));
    Line::from(vec![
        Span::styled("last minute ", model.theme.text),
        Span::styled(bars, model.theme.key),
        Span::styled(text::fit(&words, columns.saturating_sub(12)), model.theme.text),
    ])
}

fn plain(text: &str, columns: usize, style: Style) -> Line<'static> {
    line(text::fit(text, columns), style)
}

#[cfg(test)]
mod tests {
    use super::*;
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
                [
                    "calls in flight 21 · live helpers 22 · queued 23 · waiting for a slot 32",
                    " 31 of 47, peak 33, refused 64",
                    "Running (24)",
                ],
            ),
            (
                80,
                24,
                [
                    "calls in flight 21 · live helpers 22 · queued 23 · waiting for a slot 32",
                    " 31 of 47, peak 33, refused 64",
                    "Running (24)",
                ],
            ),
            (40, 10, ["calls 21 live 22 queued 23 waiting 32", " 31/47 peak 33 refused 64", "hidden: "]),
        ] {
            let screen = screen(&fixtures::model(s.clone(), columns, rows));
            for text in wanted {
                assert!(screen.contains(text), "{columns} columns: {text}\n{screen}");
            }
        }
    }

    /// A requester chooses the name freely.
    #[test]
    fn the_names_of_those_who_hold_a_slot_are_escaped() {
        let mut s = fixtures::busy(2);
        s.running[0].title = b"a\x1b[2Jb"[..].into();
        s.running[1].title = "c\u{202e}d".as_bytes().into();
        for columns in [80, 120] {
            let model = fixtures::model(s.clone(), columns, 24);
            let line = holders(&model, columns.into()).to_string();
            assert_eq!(line.trim_end(), "held by #1 a\\x1b[2Jb #2 c\\xe2\\x80\\xaed");
            assert!(screen(&model).contains(line.trim_end()));
        }
    }
}
