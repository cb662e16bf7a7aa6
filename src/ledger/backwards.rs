//! The newest records first: a page of requests that are over, and where the next page, with older ones, begins.

use std::ops::ControlFlow;

use crate::abi::sort::sort_by_key;
use crate::control::activity::query::Query;
use crate::control::ledger_view::{LogPage, Recorded, What};
use crate::control::target_info::RunId;

use super::line::Wall;
use super::reader::Reader;
use super::reader::filter::Filter;
use super::recorded::recorded;

/// The first span of time that is looked through; each one before it is longer.
const FIRST: Wall = 600 * 1_000_000;
const LONGER: Wall = 8;
/// A page ends after this many lines have been looked at, so that it never takes long.
const LOOKS: usize = 20_000;

/// The place of a line among all: lines of one time have an order too.
type Key = (Wall, RunId, u64);

fn key(line: &Recorded) -> Key {
    (line.at, line.run, line.n)
}

/// Where a page ended: the next one has older lines.
pub(super) fn text((wall, run, n): Key) -> String {
    format!("{wall}:{run}:{n}")
}

/// Reads [`text`], which may come from anybody.
pub(super) fn parse(text: &str) -> Option<Key> {
    let mut parts = text.split(':');
    let key = (parts.next()?.parse().ok()?, RunId::parse(parts.next()?)?, parts.next()?.parse().ok()?);
    parts.next().is_none().then_some(key)
}

/// The newest requests that are over, match both, and are older than `from`: at most `most` lines and about `bytes`
/// bytes. A page without lines may have a next one.
pub(super) fn page(
    reader: &Reader,
    filter: &Filter,
    query: &Query,
    from: Option<Key>,
    (most, bytes): (usize, usize),
) -> LogPage {
    let mut page = LogPage::default();
    let Some((first, last)) = reader.times() else { return page };
    let first = filter.since.map_or(first, |since| since.max(first));
    let newest = from.map_or(last, |(wall, ..)| wall).saturating_add(1);
    let mut end = filter.until.map_or(newest, |until| until.min(newest));
    let (mut width, mut looked) = (FIRST, 0);
    // Newest first, with their lengths.
    let mut found: Vec<(usize, Recorded)> = Vec::new();
    while end > first && found.len() < most && looked < LOOKS {
        let begin = end.saturating_sub(width).max(first);
        let within = Filter { since: Some(begin), until: Some(end), ..filter.clone() };
        let mut here: Vec<(usize, Recorded)> = Vec::new();
        let counts = reader.scan(&within, &mut |line, counts| {
            looked += 1;
            let (known, length) = (line.known(), line.raw.len());
            let read = line.read(counts).and_then(|line| recorded(line, known));
            let fits = |line: &Recorded| matches!(&line.what, What::Ended(record) if query.fits(record));
            here.extend(
                read.filter(|line| fits(line) && from.is_none_or(|from| key(line) < from)).map(|line| (length, line)),
            );
            // Only the newest of them are wanted.
            if here.len() >= 4 * most {
                newest_first(&mut here, most + 1);
            }
            ControlFlow::Continue(())
        });
        page.newer = page.newer.saturating_add(counts.newer);
        page.unreadable = page.unreadable.saturating_add(counts.unreadable);
        newest_first(&mut here, most + 1);
        found.extend(here);
        (end, width) = (begin, width.saturating_mul(LONGER));
    }
    let mut room = bytes;
    let fits = found.iter().take(most).take_while(|(length, _)| {
        let fits = room > 0;
        room = room.saturating_sub(*length);
        fits
    });
    let taken = fits.count();
    let cut = taken < found.len();
    found.truncate(taken);
    page.lines = found.into_iter().map(|(_, line)| line).collect();
    page.next = match page.lines.last() {
        Some(last) if cut || end > first => Some(key(last)),
        // Everything from here on was looked through.
        None if end > first => Some((end.saturating_sub(1), RunId { started: u64::MAX, pid: i32::MAX }, u64::MAX)),
        _ => None,
    }
    .map(text);
    page
}

fn newest_first(lines: &mut Vec<(usize, Recorded)>, most: usize) {
    sort_by_key(lines, |(_, line)| std::cmp::Reverse(key(line)));
    lines.truncate(most);
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::record::Record;
    use crate::control::activity::outcomes::Outcomes;
    use crate::ledger::tests::Fixture;

    fn ids(page: &LogPage) -> Vec<u64> {
        page.lines.iter().filter_map(|line| line.record()).map(|record: &std::sync::Arc<Record>| record.id).collect()
    }

    #[test]
    fn the_newest_come_first_and_each_page_goes_on_with_older_ones() {
        let fixture = Fixture::new();
        let ledger = fixture.open(fixture.options());
        for id in 1..=60u64 {
            // Several lines of one time; hours without any; a clock that goes back a little.
            let at = (Wall::try_from(id / 3).unwrap() * 3_000_000_000) - Wall::from(id % 7 == 0) * 900_000;
            fixture.clocks.set(fixture.head.wall + at);
            fixture.one(&ledger, id, if id % 3 == 0 { 9 } else { 0 });
        }
        let reader = Reader::open(&fixture.path()).unwrap();
        let all = |filter: &Filter, query: &Query, most: usize| {
            let (mut all, mut from, mut pages) = (Vec::new(), None, 0);
            loop {
                let page = page(&reader, filter, query, from, (most, 1 << 20));
                assert!(page.lines.len() <= most);
                all.extend(page.lines.iter().map(key));
                pages += 1;
                let Some(next) = page.next else { break };
                from = Some(parse(&next).unwrap());
                assert!(pages < 200);
            }
            all
        };
        let whole = all(&Filter::default(), &Query::default(), 1000);
        assert_eq!(whole.len(), 60);
        assert!(whole.is_sorted_by(|a, b| a > b), "{whole:?}");
        for most in [1, 4, 7, 59, 60] {
            assert_eq!(all(&Filter::default(), &Query::default(), most), whole, "{most} at a time");
        }
        let failed = Query { which: Outcomes::failures(), ..Query::default() };
        let page = page(&reader, &Filter::default(), &failed, None, (5, 1 << 20));
        assert_eq!(ids(&page), [60, 57, 54, 51, 48]);
        let until = Filter { until: Some(fixture.head.wall + 6_000_000_000), ..Filter::default() };
        assert!(all(&until, &Query::default(), 7).iter().all(|(wall, ..)| *wall < until.until.unwrap()));
        let since = Filter { since: until.until, ..Filter::default() };
        assert_eq!(all(&since, &Query::default(), 7).len() + all(&until, &Query::default(), 7).len(), 60);
        // One line is more than the bytes: a page has one at least.
        let small = super::page(&reader, &Filter::default(), &Query::default(), None, (9, 1));
        assert!(small.lines.len() == 1 && small.next.is_some());
    }

    #[test]
    fn a_place_is_read_back_and_nothing_else_is() {
        let key = (-5, RunId { started: 77, pid: 8 }, 9);
        assert_eq!(parse(&text(key)), Some(key));
        for wrong in ["", "1", "1:2", "1:x-1:2", "1:1-1:2:3", "1:1-1:-2"] {
            assert_eq!(parse(wrong), None, "{wrong}");
        }
    }
}
