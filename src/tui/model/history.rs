//! The last minutes of module requests, from successive snapshots: the slots held and the requests refused, in buckets
//! of 2 s. An idle history stands still: its right end is the last bucket in which something changed, with its time.

use std::collections::VecDeque;

use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;

/// The length of a bucket.
pub const BUCKET: Micros = 2_000_000;
/// Buckets kept: more than the widest graph shows.
pub const BUCKETS: usize = 160;

/// What happened in one bucket.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Bucket {
    /// The most slots that were held at once, as far as the snapshots show.
    pub held: u32,
    /// How many requests were refused.
    pub refused: u32,
}

/// The buckets, the newest last.
#[derive(Clone, Debug)]
pub struct SlotHistory {
    buckets: VecDeque<Bucket>,
    /// The number of the newest bucket, counted from the start of the engine's clock.
    newest: u64,
    held: u32,
    peak: u32,
    /// When the peak was reached, if this console has seen it.
    peak_at: Option<Micros>,
    refused: u64,
}

impl SlotHistory {
    /// What happened before the first snapshot is not known.
    pub fn new(snapshot: &Snapshot) -> Self {
        let slots = &snapshot.slots;
        Self {
            buckets: VecDeque::from([Bucket { held: slots.concurrent, refused: 0 }]),
            newest: snapshot.now / BUCKET,
            held: slots.concurrent,
            peak: slots.peak,
            peak_at: None,
            refused: snapshot.totals.refused(),
        }
    }

    /// Adds a snapshot.
    pub fn take(&mut self, snapshot: &Snapshot) {
        let slots = &snapshot.slots;
        let refused = snapshot.totals.refused();
        let more = u32::try_from(refused.saturating_sub(self.refused)).unwrap_or(u32::MAX);
        let rose = slots.peak > self.peak;
        if rose {
            self.peak_at = Some(snapshot.now);
        }
        (self.peak, self.refused) = (slots.peak, refused);
        if slots.concurrent == self.held && more == 0 && !rose {
            return self.advance(snapshot.now);
        }
        self.move_to(snapshot.now);
        self.held = slots.concurrent;
        // The slots may have been given back before the snapshot was taken.
        let held = if rose { slots.peak.max(self.held) } else { self.held };
        if let Some(bucket) = self.buckets.back_mut() {
            bucket.held = bucket.held.max(held);
            bucket.refused = bucket.refused.saturating_add(more);
        }
    }

    /// Moves on to the time `now`, while a slot is held.
    pub fn advance(&mut self, now: Micros) {
        if self.held > 0 {
            self.move_to(now);
        }
    }

    fn move_to(&mut self, now: Micros) {
        let number = now / BUCKET;
        let by = usize::try_from(number.saturating_sub(self.newest)).unwrap_or(BUCKETS).min(BUCKETS);
        self.newest = self.newest.max(number);
        self.buckets.extend(std::iter::repeat_n(Bucket { held: self.held, refused: 0 }, by));
        self.buckets.drain(..self.buckets.len().saturating_sub(BUCKETS));
    }

    /// The bucket that is `ago` buckets before the newest one.
    pub fn back(&self, ago: usize) -> Bucket {
        let at = self.buckets.len().checked_sub(ago + 1);
        at.and_then(|at| self.buckets.get(at)).copied().unwrap_or_default()
    }

    /// When the newest bucket began, on the engine's clock.
    pub fn end(&self) -> Micros {
        self.newest * BUCKET
    }

    /// When the most slots were held, if this console has seen it.
    pub fn peak_at(&self) -> Option<Micros> {
        self.peak_at
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::record::Outcome;
    use crate::tui::testing::fixtures;

    fn at(seconds: u64, held: u32, refused: u64) -> Snapshot {
        let mut s = fixtures::snapshot();
        s.now = seconds * 1_000_000;
        s.slots.concurrent = held;
        s.totals.by_outcome[Outcome::Refused as usize] = refused;
        s
    }

    fn newest(history: &SlotHistory, n: usize) -> Vec<(u32, u32)> {
        (0..n).rev().map(|ago| history.back(ago)).map(|bucket| (bucket.held, bucket.refused)).collect()
    }

    #[test]
    fn a_bucket_keeps_its_highest_value_and_counts_refusals() {
        let mut history = SlotHistory::new(&at(0, 0, 5));
        for s in [at(10, 3, 5), at(11, 1, 9), at(12, 2, 10)] {
            history.take(&s);
        }
        assert_eq!(newest(&history, 4), [(0, 0), (0, 0), (3, 4), (2, 1)]);
        // Held slots stay in the gap; free ones leave a gap.
        history.take(&at(17, 0, 10));
        history.take(&at(23, 1, 10));
        assert_eq!(newest(&history, 6), [(2, 1), (2, 0), (2, 0), (0, 0), (0, 0), (1, 0)]);
    }

    #[test]
    fn an_idle_history_stands_still() {
        let mut history = SlotHistory::new(&at(0, 0, 0));
        history.take(&at(10, 1, 0));
        history.advance(13_000_000);
        assert_eq!((history.end(), newest(&history, 2)), (12_000_000, vec![(1, 0), (1, 0)]));
        history.take(&at(14, 0, 0));
        let end = history.end();
        history.advance(900_000_000);
        history.take(&at(990, 0, 0));
        assert_eq!(history.end(), end);
        history.advance(u64::MAX);
        history.take(&at(4_000_000, 1, 0));
        assert_eq!(newest(&history, 3), [(0, 0), (0, 0), (1, 0)]);
    }

    #[test]
    fn a_peak_between_two_snapshots_is_not_lost() {
        let mut history = SlotHistory::new(&at(0, 0, 0));
        let mut s = at(4, 0, 0);
        s.slots.peak = 7;
        history.take(&s);
        assert_eq!((history.back(0).held, history.peak_at()), (7, Some(4_000_000)));
    }
}
