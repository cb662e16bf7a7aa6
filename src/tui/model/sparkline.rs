//! Launches in each second of the last minute, from successive snapshots.

use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;

/// Seconds kept.
pub const SECONDS: usize = 60;

/// One count per second, the newest last.
#[derive(Clone, Debug)]
pub struct Spark {
    launched: [u32; SECONDS],
    second: u64,
    total: u64,
}

impl Spark {
    /// Launches before the first snapshot do not count.
    pub fn new(snapshot: &Snapshot) -> Self {
        Self { launched: [0; SECONDS], second: snapshot.now / 1_000_000, total: snapshot.totals.launched }
    }

    /// Adds the totals of a snapshot.
    pub fn take(&mut self, snapshot: &Snapshot) {
        self.advance(snapshot.now);
        let more = snapshot.totals.launched.saturating_sub(self.total);
        self.total = snapshot.totals.launched;
        let newest = &mut self.launched[SECONDS - 1];
        *newest = newest.saturating_add(u32::try_from(more).unwrap_or(u32::MAX));
    }

    /// Moves on to the time `now`.
    pub fn advance(&mut self, now: Micros) {
        let second = now / 1_000_000;
        let by = usize::try_from(second.saturating_sub(self.second)).unwrap_or(SECONDS).min(SECONDS);
        self.second = self.second.max(second);
        self.launched.rotate_left(by);
        self.launched[SECONDS - by..].fill(0);
    }

    /// Whether every count is 0, so that time changes nothing.
    pub fn is_flat(&self) -> bool {
        self.launched.iter().all(|n| *n == 0)
    }

    /// The number of launches in the minute.
    pub fn sum(&self) -> u64 {
        self.launched.iter().map(|n| u64::from(*n)).sum()
    }

    /// The newest `columns` seconds, scaled to the highest of them.
    pub fn bars(&self, columns: usize) -> String {
        const BARS: [char; 8] = ['▁', '▂', '▃', '▄', '▅', '▆', '▇', '█'];
        let shown = &self.launched[SECONDS - columns.min(SECONDS)..];
        let most = shown.iter().copied().max().unwrap_or(0).max(1);
        shown
            .iter()
            .map(|n| if *n == 0 { '·' } else { BARS[((u64::from(*n) * 8).div_ceil(u64::from(most)) - 1) as usize] })
            .collect()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::tui::testing::fixtures;

    #[test]
    fn launches_are_counted_by_the_second_for_a_minute() {
        let mut s = fixtures::snapshot();
        let mut spark = Spark::new(&s);
        for (at, launched) in [(10, 1), (11, 9), (11, 10), (13, 10)] {
            s.now = at * 1_000_000;
            s.totals.launched = launched;
            spark.take(&s);
        }
        assert_eq!(spark.bars(4), "▁█··");
        assert_eq!((spark.sum(), spark.is_flat()), (10, false));
        spark.advance(71 * 1_000_000);
        assert!(spark.is_flat());
    }
}
