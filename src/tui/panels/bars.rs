//! Counts as bars: how all requests ended, how long helpers ran, and what was asked for most.

use ratatui::text::{Line, Span};

use crate::abi::histogram::{BOUNDS, Histogram};
use crate::abi::record::Outcome;
use crate::abi::sort::sort_by_key;
use crate::tui::model::Model;
use crate::tui::text;

/// The width of a name and of a count.
const NAME: usize = 14;
const COUNT: usize = 7;

/// The outcomes with their signs and words.
const OUTCOMES: [(&str, Outcome); 7] = [
    ("▪ exited", Outcome::Exited),
    ("† killed", Outcome::Killed),
    ("! cannot exec", Outcome::ExecFailed),
    ("∞ refused", Outcome::Refused),
    ("↷ abandoned", Outcome::Abandoned),
    ("∅ no-op", Outcome::Noop),
    ("? lost", Outcome::Lost),
];

/// The bounds of a histogram of times.
const LENGTHS: [&str; BOUNDS.len()] = [
    "100 µs", "250 µs", "500 µs", "1 ms", "2.5 ms", "5 ms", "10 ms", "25 ms", "50 ms", "100 ms", "250 ms", "500 ms",
    "1 s", "5 s", "30 s", "5 min",
];

/// A line for each outcome.
pub fn endings(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let of = |(name, outcome): (&str, Outcome)| (name.to_owned(), model.snapshot.totals.of(outcome));
    lines(model, columns, NAME, &OUTCOMES.map(of))
}

/// A line for each length of time, from the shortest to the longest that was counted; empty if none was.
pub fn times(model: &Model, times: &Histogram, columns: usize) -> Vec<Line<'static>> {
    let counts = &times.buckets;
    let counted = |at: &usize| counts[*at] > 0;
    let (Some(first), Some(last)) = ((0..counts.len()).find(counted), (0..counts.len()).rev().find(counted)) else {
        return Vec::new();
    };
    let name = |at: usize| match LENGTHS.get(at) {
        Some(length) => format!("to {length}"),
        None => format!("over {}", LENGTHS[LENGTHS.len() - 1]),
    };
    let rows: Vec<(String, u64)> = (first..=last).map(|at| (name(at), counts[at])).collect();
    lines(model, columns, NAME, &rows)
}

/// The names of the requests that run and of those that ended last, with how many each has: those with the most first.
fn asked_counts(model: &Model) -> Vec<(&[u8], u64)> {
    let s = &model.snapshot;
    let names = s.running.iter().map(|live| &*live.title).chain(s.last.iter().map(|record| record.title()));
    let mut counts: Vec<(&[u8], u64)> = Vec::new();
    for name in names {
        match counts.iter_mut().find(|(other, _)| *other == name) {
            Some((_, n)) => *n += 1,
            None => counts.push((name, 1)),
        }
    }
    sort_by_key(&mut counts, |(_, n)| std::cmp::Reverse(*n));
    counts
}

/// A line for each name that was asked for, those with the most requests first.
pub fn asked(model: &Model, columns: usize) -> Vec<Line<'static>> {
    let name = |(name, n): (&[u8], u64)| (if name.is_empty() { "''".to_owned() } else { text::screen(name) }, n);
    let rows: Vec<(String, u64)> = asked_counts(model).into_iter().map(name).collect();
    lines(model, columns, (columns * 2 / 5).max(NAME), &rows)
}

/// `Asked most, of the newest 114`.
pub fn asked_title(model: &Model) -> String {
    format!("Asked most, of the newest {}", model.snapshot.running.len() + model.snapshot.last.len())
}

/// A line each: the name, the count, and a bar in proportion to the largest.
fn lines(model: &Model, columns: usize, name: usize, rows: &[(String, u64)]) -> Vec<Line<'static>> {
    let most = rows.iter().map(|(_, n)| *n).max().unwrap_or(0).max(1);
    let room = columns.saturating_sub(name + COUNT + 4) as u64;
    let line = |(words, n): &(String, u64)| {
        let bar = usize::try_from((n * room).div_ceil(most)).unwrap_or(0);
        let style = if *n == 0 { model.theme.dim } else { model.theme.text };
        let words = format!(" {} {n:>COUNT$} ", text::pad(words, name));
        Line::from(vec![
            Span::styled(text::fit(&words, columns), style),
            Span::styled("━".repeat(bar), model.theme.graph),
        ])
    };
    rows.iter().map(line).collect()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::fixtures;

    fn text(lines: &[Line<'_>]) -> Vec<String> {
        lines.iter().map(|line| line.to_string().trim_end().to_owned()).collect()
    }

    #[test]
    fn the_bounds_of_a_histogram_have_their_names() {
        for (bound, name) in BOUNDS.into_iter().zip(LENGTHS) {
            let (number, unit) = name.split_once(' ').unwrap();
            let of = match unit {
                "µs" => 1.0,
                "ms" => 1e3,
                "s" => 1e6,
                _ => 60e6,
            };
            assert!((number.parse::<f64>().unwrap() * of - bound as f64).abs() < 0.5, "{name}");
        }
    }

    #[test]
    fn lengths_between_the_shortest_and_the_longest_are_shown() {
        let model = fixtures::model(fixtures::snapshot(), 80, 24);
        let mut all = Histogram::default();
        assert!(times(&model, &all, 40).is_empty());
        [700, 2_600, 2_700, 400_000_000].into_iter().for_each(|us| all.add(us));
        let shown = text(&times(&model, &all, 40));
        assert_eq!((shown.len(), shown[0].as_str()), (14, " to 1 ms              1 ━━━━━━━━"));
        assert_eq!(shown[1], " to 2.5 ms            0");
        assert_eq!(shown[2], " to 5 ms              2 ━━━━━━━━━━━━━━━");
        assert_eq!(shown[13], " over 5 min           1 ━━━━━━━━");
    }

    #[test]
    fn names_are_counted_among_what_runs_and_what_ended() {
        let mut s = fixtures::busy(3);
        s.running[1].title = b"a\x1bb"[..].into();
        s.last = [fixtures::record(9, b"ext4", 0), fixtures::record(8, b"ext4", 256), fixtures::record(7, b"ext4", 0)]
            .map(std::sync::Arc::new)
            .into();
        let model = fixtures::model(s, 80, 24);
        let shown = text(&asked(&model, 40));
        assert_eq!(shown[0], " ext4                   3 ━━━━━━━━━━━━━");
        assert_eq!(shown[1], " dummy                  2 ━━━━━━━━━");
        assert!(shown[2].starts_with(" a\\x1bb ") && shown.len() == 3, "{shown:?}");
        assert_eq!(asked_title(&model), "Asked most, of the newest 6");
    }
}
