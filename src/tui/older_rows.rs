//! The rows of records that are older than the target's run: one for each, or one for equal ones together. They do not
//! share a row with records of the run.

use std::hash::{BuildHasher, RandomState};
use std::sync::Arc;

use crate::abi::record::Record;
use crate::control::activity::alike::{Alike, asker};
use crate::control::activity::page::{Apart, Fold, Moment, PageRequest, RecordSummary};

/// Records that share a row, by their places, the newest first; all but the newest may have a row each.
#[derive(Debug)]
struct Group {
    alike: u64,
    places: Vec<u32>,
}

/// Which of the records that are held are equal.
#[derive(Debug, Default)]
pub(super) struct Groups {
    hasher: RandomState,
    all: Vec<Group>,
    held: u32,
}

/// One row.
#[derive(Debug)]
pub(super) struct OlderRow<'a> {
    /// The place of its newest record.
    pub(super) newest: usize,
    /// The places of all its records; empty if it has only one.
    all: &'a [u32],
    apart: Option<Apart>,
}

impl Groups {
    /// Adds the next older record.
    pub(super) fn add(&mut self, record: &Record) {
        let alike = self.hasher.hash_one((Alike::of(record), asker(record)));
        match self.all.iter_mut().find(|group| group.alike == alike) {
            Some(group) => group.places.push(self.held),
            None => self.all.push(Group { alike, places: vec![self.held] }),
        }
        self.held += 1;
    }

    /// The rows that a question asks for.
    pub(super) fn rows(&self, question: &PageRequest, records: &[Arc<Record>]) -> Vec<OlderRow<'_>> {
        let single = |newest: usize, apart| OlderRow { newest, all: &[], apart };
        if !question.folded || question.tree {
            return (0..self.held as usize).map(|at| single(at, None)).collect();
        }
        let mut rows = Vec::with_capacity(self.all.len());
        for group in &self.all {
            let has = |id: &u64| group.places.iter().any(|at| records[*at as usize].id == *id);
            match question.apart.iter().copied().find(has) {
                Some(by) => {
                    rows.extend(group.places.iter().zip(0..).map(|(place, at)| {
                        single(*place as usize, Some(Apart { by, at, of: group.places.len() as u64 }))
                    }))
                }
                None if group.places.len() == 1 => rows.push(single(group.places[0] as usize, None)),
                None => rows.push(OlderRow { newest: group.places[0] as usize, all: &group.places, apart: None }),
            }
        }
        rows
    }
}

impl OlderRow<'_> {
    /// Whether the record at this place is in the row.
    pub(super) fn has(&self, place: usize) -> bool {
        self.newest == place || self.all.iter().any(|at| *at as usize == place)
    }

    /// The row for the screen.
    pub(super) fn summary(&self, records: &[Arc<Record>]) -> RecordSummary {
        let of = |at: u32| &records[at as usize];
        let mut summary = RecordSummary::of(&records[self.newest]);
        summary.apart = self.apart;
        if let Some(oldest) = self.all.last().map(|at| of(*at)) {
            let since = Moment { wall: oldest.wall, at: oldest.at };
            let ids = self.all.iter().map(|at| of(*at).id).collect();
            summary.fold = Some(Box::new(Fold::of(ids, Some(since))));
        }
        summary
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::activity::page::Anchor;
    use crate::control::activity::query::Query;
    use crate::tui::testing::fixtures;

    #[test]
    fn equal_older_records_share_a_row_and_one_row_can_be_unfolded() {
        let mut groups = Groups::default();
        let records: Vec<Arc<Record>> = [(9, 0), (8, 256), (7, 0), (5, 0), (4, 256), (3, 9)]
            .map(|(id, raw)| Arc::new(fixtures::record(id, b"ext4", raw)))
            .into();
        records.iter().for_each(|record| groups.add(record));
        let rows = |folded, apart: &[u64]| -> Vec<(u64, u64, Option<Apart>)> {
            let question = PageRequest {
                query: Query::default(),
                still: false,
                folded,
                tree: false,
                apart: apart.into(),
                anchor: Anchor::First,
                around: 9,
            };
            let rows = groups.rows(&question, &records);
            let rows = rows.iter().map(|row| row.summary(&records));
            rows.map(|row| (row.id, row.fold.as_deref().map_or(1, Fold::times), row.apart)).collect()
        };
        assert_eq!(rows(true, &[]), [(9, 3, None), (8, 2, None), (3, 1, None)]);
        let place = |at| Some(Apart { by: 4, at, of: 2 });
        assert_eq!(rows(true, &[77, 4]), [(9, 3, None), (8, 1, place(0)), (4, 1, place(1)), (3, 1, None)]);
        assert_eq!(rows(false, &[4]).iter().map(|row| row.0).collect::<Vec<_>>(), [9, 8, 7, 5, 4, 3]);
    }
}
