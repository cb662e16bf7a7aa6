//! Counts of times, by size: bounded and cheap, so that the engine can keep them under a lock that it already holds.

use serde::{Deserialize, Serialize};

use super::time::Micros;

/// The upper bounds of the buckets, in microseconds, inclusive. Longer times are counted in one more bucket.
pub const BOUNDS: [Micros; 16] = [
    100,
    250,
    500,
    1_000,
    2_500,
    5_000,
    10_000,
    25_000,
    50_000,
    100_000,
    250_000,
    500_000,
    1_000_000,
    5_000_000,
    30_000_000,
    300_000_000,
];

/// A histogram of times.
#[derive(Clone, Debug, Default, PartialEq, Eq, Serialize, Deserialize)]
pub struct Histogram {
    /// How many times are in each bucket of [`BOUNDS`], and last how many are longer.
    pub buckets: [u64; BOUNDS.len() + 1],
    /// The sum of all times, in microseconds.
    pub sum_us: u64,
}

impl Histogram {
    /// Counts one time.
    pub fn add(&mut self, us: Micros) {
        self.buckets[BOUNDS.partition_point(|bound| *bound < us)] += 1;
        self.sum_us = self.sum_us.saturating_add(us);
    }

    /// How many times were counted.
    pub fn count(&self) -> u64 {
        self.buckets.iter().sum()
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_bound_belongs_to_its_own_bucket() {
        let mut all = Histogram::default();
        for us in [0, 100, 101, 300_000_000, 300_000_001, u64::MAX] {
            all.add(us);
        }
        assert_eq!((all.buckets[0], all.buckets[1], all.buckets[15], all.buckets[16]), (2, 1, 1, 2));
        assert_eq!((all.count(), all.sum_us), (6, u64::MAX), "the sum stops at the largest number");
        assert!(BOUNDS.is_sorted());
    }
}
