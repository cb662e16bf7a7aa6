//! The last minutes of module requests, mirrored at a time axis: above it the slots held, below it what was refused.
//! Two buckets a cell. The gauge and the totals say the same in numbers.

use ratatui::style::Style;
use ratatui::text::{Line, Span};

use crate::tui::model::Model;
use crate::tui::model::history::{BUCKET, BUCKETS, Bucket};
use crate::tui::text;

/// The width of the numbers at the left, and the blank after them.
const SIDE: usize = 4;
/// Dots of a cell, one above the other.
const DOTS: u64 = 4;
/// The most rows above the axis.
const HIGHEST: usize = 14;
/// Steps of both scales.
const STEPS: [u32; 8] = [5, 10, 20, 50, 100, 200, 500, 1_000];

/// The rows of the graph: `up` above the axis, `down` below it.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Rows {
    pub up: usize,
    pub down: usize,
}

impl Rows {
    /// The rows that the graph gets from `rows`: none below three. On a low screen, an empty graph gives its rows away,
    /// and below the axis there is room only if something was refused; on a high one, nothing jumps at the first
    /// request.
    pub fn of(model: &Model, rows: usize) -> Self {
        let buckets = shown(model, 120);
        let refused = buckets.iter().any(|bucket| bucket.refused > 0);
        let empty = !refused && buckets.iter().all(|bucket| bucket.held == 0);
        match rows {
            0..3 => Self::default(),
            3..8 if empty => Self::default(),
            3 => Self { up: 2, down: 0 },
            4..8 => Self { up: rows - 1 - usize::from(refused), down: usize::from(refused) },
            _ => Self { up: (rows - 3).min(HIGHEST), down: 2 },
        }
    }
}

/// The newest buckets, the oldest first.
fn shown(model: &Model, buckets: usize) -> Vec<Bucket> {
    (0..buckets).rev().map(|ago| model.history.back(ago)).collect()
}

fn scale(most: u32, limit: Option<u32>) -> u32 {
    let step = STEPS.into_iter().find(|step| *step >= most).unwrap_or(most);
    limit.map_or(step, |limit| if most <= limit { step.min(limit.max(5)) } else { step })
}

/// The graph, with numbers at the left.
pub fn lines(model: &Model, columns: usize, rows: Rows) -> Vec<Line<'static>> {
    let cells = columns.saturating_sub(SIDE + 1).min(BUCKETS / 2);
    if rows.up == 0 || cells < 12 {
        return Vec::new();
    }
    let buckets = shown(model, cells * 2);
    let limit = model.snapshot.slots.limit;
    let top = scale(buckets.iter().map(|b| b.held).max().unwrap_or(0), Some(limit));
    let below = buckets.iter().map(|b| b.refused).max().unwrap_or(0);
    let bottom = scale(below, None);
    let mut lines: Vec<Line<'static>> = (0..rows.up)
        .map(|row| {
            let number = match row {
                0 => top.to_string(),
                _ if rows.up >= 4 && row == rows.up / 2 && rows.up.is_multiple_of(2) => (top / 2).to_string(),
                _ => String::new(),
            };
            let level = |bucket: &Bucket| filled(bucket.held, top, rows.up, rows.up - 1 - row);
            let style = |two: &[Bucket]| held_style(model, two, (rows.up - 1 - row, rows.up), top);
            chart(model, &number, &buckets, level, true, style)
        })
        .collect();
    lines.push(axis(model, cells));
    for row in 0..rows.down {
        if below == 0 {
            let words = if row == 0 { "none refused" } else { "" };
            lines.push(Line::from(Span::styled(format!("{}{words}", " ".repeat(SIDE)), model.theme.dim)));
            continue;
        }
        let number = if row + 1 == rows.down { bottom.to_string() } else { String::new() };
        let level = |bucket: &Bucket| filled(bucket.refused, bottom, rows.down, row);
        lines.push(chart(model, &number, &buckets, level, false, |_| model.theme.graph_bad));
    }
    lines
}

/// How many dots of a row are filled, counted from the axis; a value that is not 0 fills at least one.
fn filled(value: u32, scale: u32, rows: usize, row: usize) -> usize {
    let dots = (u64::from(value) * rows as u64 * DOTS).div_ceil(u64::from(scale.max(1)));
    usize::try_from(dots.saturating_sub(row as u64 * DOTS).min(DOTS)).unwrap_or(0)
}

/// At the limit the highest row is bad and the next one needs attention.
fn held_style(model: &Model, two: &[Bucket], (row, rows): (usize, usize), top: u32) -> Style {
    let limit = u64::from(model.snapshot.slots.limit.max(1));
    let most = two.iter().map(|b| u64::from(b.held)).max().unwrap_or(0);
    let from = u64::from(top) * row as u64 / rows as u64;
    match most {
        _ if most >= limit && row + 1 == rows => model.theme.graph_bad,
        _ if most * 5 >= limit * 4 && from * 5 >= limit * 3 => model.theme.warn,
        _ => model.theme.graph,
    }
}

/// One row. Cells of one style form one span.
fn chart(
    model: &Model,
    number: &str,
    buckets: &[Bucket],
    level: impl Fn(&Bucket) -> usize,
    rises: bool,
    style: impl Fn(&[Bucket]) -> Style,
) -> Line<'static> {
    let number = text::fit(number, SIDE - 1);
    let mut spans = vec![Span::styled(
        format!("{}{number} ", " ".repeat(SIDE - 1 - text::width(&number).min(SIDE - 1))),
        model.theme.dim,
    )];
    for two in buckets.chunks(2) {
        let levels = [level(&two[0]), two.get(1).map_or(0, &level)];
        let sign = if model.ascii { plain(levels) } else { braille(levels, rises) };
        let style = if sign == ' ' { model.theme.text } else { style(two) };
        match spans.last_mut() {
            Some(last) if last.style == style && last.content.starts_with(' ') != (sign != ' ') => {
                last.content.to_mut().push(sign);
            }
            _ => spans.push(Span::styled(sign.to_string(), style)),
        }
    }
    Line::from(spans)
}

/// Two columns of dots, filled from below or from above.
fn braille(levels: [usize; 2], rises: bool) -> char {
    const LEFT: [u32; 4] = [0x40, 0x04, 0x02, 0x01];
    const RIGHT: [u32; 4] = [0x80, 0x20, 0x10, 0x08];
    let of = |dots: [u32; 4], level: usize| -> u32 {
        let dot = |n: usize| if rises { dots[n] } else { dots[3 - n] };
        (0..level.min(4)).map(dot).sum()
    };
    match of(LEFT, levels[0]) + of(RIGHT, levels[1]) {
        0 => ' ',
        bits => char::from_u32(0x2800 + bits).unwrap_or(' '),
    }
}

fn plain(levels: [usize; 2]) -> char {
    [' ', '_', '.', ':', '#'][levels[0].max(levels[1]).min(4)]
}

/// The axis with clock times at whole minutes.
fn axis(model: &Model, cells: usize) -> Line<'static> {
    let mut axis = vec!['─'; cells];
    let end = model.history.end();
    let clock = model.clock(end);
    let second: u64 = clock.rsplit(':').next().and_then(|s| s.parse().ok()).unwrap_or(0);
    let mut ago = second;
    loop {
        let back = usize::try_from(ago * 1_000_000 / BUCKET / 2).unwrap_or(usize::MAX);
        let Some(at) = cells.checked_sub(back.saturating_add(1)) else { break };
        let Some(time) = end.checked_sub(ago * 1_000_000) else { break };
        let label: Vec<char> = format!("┤{}", text::head(&model.clock(time), 5)).chars().collect();
        if at + label.len() <= cells {
            axis[at..at + label.len()].copy_from_slice(&label);
        }
        ago += 60;
    }
    Line::from(vec![
        Span::styled("  0 ", model.theme.dim),
        Span::styled(axis.into_iter().collect::<String>(), model.theme.dim),
    ])
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::record::Outcome;
    use crate::tui::testing::fixtures;

    fn model(steps: &[(u64, u32, u64)]) -> Model {
        let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
        for (seconds, held, refused) in steps {
            let mut s = fixtures::snapshot();
            s.now = seconds * 1_000_000;
            (s.slots.concurrent, s.slots.peak) = (*held, *held);
            s.totals.by_outcome[Outcome::Refused as usize] = *refused;
            model.history.take(&s);
            model.snapshot = s;
        }
        model
    }

    fn drawn(model: &Model, rows: Rows) -> Vec<String> {
        lines(model, 25, rows).iter().map(|line| line.to_string().trim_end().to_owned()).collect()
    }

    #[test]
    fn held_slots_rise_and_refusals_hang_from_the_axis() {
        let mut busy = model(&[(60, 1, 0), (64, 4, 0), (66, 50, 0), (68, 50, 90), (70, 2, 90)]);
        let rows = Rows { up: 2, down: 1 };
        assert_eq!(drawn(&busy, rows)[0], " 50                   ⢸⣿");
        assert_eq!(drawn(&busy, rows)[1], "                     ⣀⣸⣿");
        assert_eq!(drawn(&busy, rows)[3], "100                    ⡇");
        busy.ascii = true;
        assert_eq!(drawn(&busy, rows)[0], " 50                   ##");
    }

    #[test]
    fn the_scale_grows_in_steps_up_to_the_limit_and_the_smallest_value_is_seen() {
        let of = |held| drawn(&model(&[(60, held, 0)]), Rows { up: 2, down: 2 });
        assert!(of(3)[0].starts_with("  5") && of(7)[0].starts_with(" 10") && of(21)[0].starts_with(" 50"));
        assert!(of(1)[1].ends_with('⢀') || of(1)[1].ends_with('⡀') || of(1)[1].ends_with('⢠'), "{:?}", of(1));
        assert_eq!(of(1)[3], "    none refused");
        assert_eq!((scale(51, Some(50)), scale(21, Some(30)), scale(2_000, None)), (100, 30, 2_000));
    }

    #[test]
    fn the_axis_has_the_time_of_whole_minutes() {
        // The fixture's clock stands at 12:03:44: a whole minute was 44 s, or 11 cells, before the end.
        let axis = drawn(&model(&[(600, 1, 0)]), Rows { up: 2, down: 0 }).pop().unwrap();
        assert_eq!(axis, "  0 ────────┤12:03──────");
    }
}
