//! A ledger as a history of records, which is read in pages.

use std::ops::ControlFlow;
use std::sync::{Arc, Mutex, PoisonError};

use crate::abi::actor::ChainLink;
use crate::abi::record::Record;
use crate::abi::snapshot::Live;
use crate::control::activity::history::History;

use super::line::{Item, Wall};
use super::reader::Reader;
use super::reader::filter::Filter;

/// The records of a ledger as it was when its reader was opened. Requests that have not ended are not part of it: the
/// engine that runs them knows more about them.
pub struct Past {
    reader: Reader,
    next: Mutex<Place>,
}

/// Where the next page begins, if it is read after the one before.
#[derive(Clone, Copy)]
struct Place {
    serial: u64,
    /// When the last record was written, and how many were written at that time before `serial`.
    wall: Wall,
    same: u64,
}

impl Past {
    /// The records that a reader reads.
    pub fn new(reader: Reader) -> Self {
        Self { reader, next: Mutex::new(Place { serial: 0, wall: Wall::MIN, same: 0 }) }
    }

    /// Calls `each` with every record that has ended, and the time of its line, until it breaks.
    fn ends(&self, filter: &Filter, mut each: impl FnMut(Wall, Arc<Record>) -> ControlFlow<()>) {
        self.reader.scan(filter, &mut |found, counts| match found.read(counts).map(|line| line.item) {
            Some(Item::Ended(record)) => each(found.wall, record),
            _ => ControlFlow::Continue(()),
        });
    }
}

impl History for Past {
    fn record(&self, id: u64) -> Option<Arc<Record>> {
        let mut last = None;
        self.ends(&Filter { id: Some(id), ..Filter::default() }, |_, record| {
            last = Some(record);
            ControlFlow::Continue(())
        });
        last
    }

    fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>) {
        let mut place = *self.next.lock().unwrap_or_else(PoisonError::into_inner);
        if from < place.serial {
            place = Place { serial: 0, wall: Wall::MIN, same: 0 };
        }
        let mut passed = place.same;
        let mut records = Vec::new();
        let filter = Filter { since: Some(place.wall), ..Filter::default() };
        self.ends(&filter, |wall, record| {
            if records.len() == most {
                return ControlFlow::Break(());
            }
            if passed > 0 {
                passed -= 1;
                return ControlFlow::Continue(());
            }
            let same = if wall == place.wall { place.same + 1 } else { 1 };
            if place.serial >= from {
                records.push(record);
            }
            place = Place { serial: place.serial + 1, wall, same };
            ControlFlow::Continue(())
        });
        *self.next.lock().unwrap_or_else(PoisonError::into_inner) = place;
        (from.min(place.serial), records)
    }

    fn live_after(&self, _: u64, _: usize) -> Vec<(Live, Arc<Record>)> {
        Vec::new()
    }

    fn chain(&self, _: i32) -> Vec<ChainLink> {
        Vec::new()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::sink::RecordSink;
    use crate::ledger::tests::Fixture;

    #[test]
    fn a_ledger_is_read_in_pages_and_by_id() {
        let fixture = Fixture::new();
        let ledger = fixture.open(fixture.options());
        for id in 1..=20 {
            // Up to three lines have the same time.
            fixture.clocks.set(fixture.head.wall + Wall::try_from(id / 2).unwrap());
            fixture.one(&ledger, id, if id % 3 == 0 { 9 } else { 0 });
        }
        ledger.started(&fixture.record(21, 0));
        let past = Past::new(Reader::open(&fixture.path()).unwrap());
        let ids = |from, most| {
            let (first, records) = past.ended_from(from, most);
            (first, records.iter().map(|record| record.id).collect::<Vec<_>>())
        };
        for most in [1, 3, 7, 20, 100] {
            let mut all = Vec::new();
            while let (first, page) = ids(all.len() as u64, most)
                && !page.is_empty()
            {
                assert_eq!(first, all.len() as u64);
                all.extend(page);
                assert!(all.len() <= 20, "{all:?}");
            }
            assert_eq!(all, (1..=20).collect::<Vec<_>>(), "{most} at a time");
        }
        assert_eq!(ids(5, 2), (5, vec![6, 7]), "back to an earlier page");
        assert_eq!(ids(18, 9), (18, vec![19, 20]));
        assert_eq!(ids(20, 9), (20, vec![]));
        assert_eq!(past.record(7).map(|record| record.id), Some(7));
        assert!(past.record(21).is_none() && past.record(99).is_none(), "one runs, one never was");
    }
}
