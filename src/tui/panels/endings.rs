//! How all requests ended, as bars.

use ratatui::text::{Line, Span};

use crate::abi::record::Outcome;
use crate::tui::model::Model;
use crate::tui::text;

/// The outcomes with their signs and words.
const OUTCOMES: [(char, &str, Outcome); 7] = [
    ('▪', "exited", Outcome::Exited),
    ('†', "killed", Outcome::Killed),
    ('!', "cannot exec", Outcome::ExecFailed),
    ('∞', "refused", Outcome::Refused),
    ('↷', "abandoned", Outcome::Abandoned),
    ('∅', "no-op", Outcome::Noop),
    ('?', "lost", Outcome::Lost),
];

/// A line for each outcome: its count, and a bar in proportion to the largest.
pub fn lines(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let totals = &model.snapshot.totals;
    let most = OUTCOMES.iter().map(|(.., outcome)| totals.of(*outcome)).max().unwrap_or(0).max(1);
    let room = columns.saturating_sub(25) as u64;
    let line = |(sign, words, outcome): (char, &str, Outcome)| {
        let n = totals.of(outcome);
        let bar = usize::try_from((n * room).div_ceil(most)).unwrap_or(0);
        let style = if n == 0 { model.theme.dim } else { model.theme.text };
        Line::from(vec![
            Span::styled(text::fit(&format!(" {sign} {words:<12}{n:>8} "), columns), style),
            Span::styled("━".repeat(bar), model.theme.graph),
        ])
    };
    OUTCOMES.into_iter().map(line).collect()
}
