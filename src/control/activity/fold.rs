//! Equal records in one row: which requests they are.

use std::time::SystemTime;

use serde::{Deserialize, Serialize};

use crate::abi::time::Micros;

/// More records than an engine keeps (UMH-13), with those that run.
const MOST: usize = 20_000;

/// Requests with successive numbers.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct IdRange {
    /// The first of them.
    pub first: u64,
    /// The last of them.
    pub last: u64,
}

/// A time on both clocks.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
pub struct Moment {
    /// By the wall clock.
    pub wall: SystemTime,
    /// On the engine's clock.
    pub at: Micros,
}

/// Equal records in one row.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Fold {
    /// Their requests, in rising order.
    pub ids: Vec<IdRange>,
    /// When the oldest of them was requested; `None` if the engine has dropped it.
    pub since: Option<Moment>,
}

impl Fold {
    /// Of requests in any order.
    pub fn of(ids: Vec<u64>, since: Option<Moment>) -> Self {
        Self { ids: ranges(ids), since }
    }

    /// How many they are.
    pub fn times(&self) -> u64 {
        self.ids.iter().fold(0, |all, of| all.saturating_add(of.last.saturating_sub(of.first)).saturating_add(1))
    }

    /// Whether this request is one of them.
    pub fn contains(&self, id: u64) -> bool {
        let after = self.ids.partition_point(|of| of.first <= id);
        after.checked_sub(1).is_some_and(|at| id <= self.ids[at].last)
    }

    /// Each of them, the oldest first; no more than an engine keeps, whatever a daemon says.
    pub fn each(&self) -> impl Iterator<Item = u64> {
        self.ids.iter().flat_map(|of| of.first..=of.last).take(MOST)
    }
}

/// Numbers as ranges, in rising order.
fn ranges(mut ids: Vec<u64>) -> Vec<IdRange> {
    ids.sort_unstable();
    let mut ranges: Vec<IdRange> = Vec::new();
    for id in ids {
        match ranges.last_mut() {
            Some(of) if of.last + 1 == id => of.last = id,
            _ => ranges.push(IdRange { first: id, last: id }),
        }
    }
    ranges
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn numbers_in_a_row_are_one_range() {
        let of = |first, last| IdRange { first, last };
        assert_eq!(ranges(vec![9, 3, 2, 7, 4, 8]), [of(2, 4), of(7, 9)]);
        assert_eq!(ranges(vec![]), []);
    }
}
