//! How many denied commands are reported: each report is a line in the ledger and in the log, and every process that may
//! connect can give any number of commands.

use std::time::{Duration, Instant};

/// The most reports in this time.
const MOST: u32 = 10;
const TIME: Duration = Duration::from_secs(10);

/// Counts denied commands.
#[derive(Debug, Default)]
pub struct Denials {
    /// When the first of the counted reports was made.
    began: Option<Instant>,
    reported: u32,
    /// Since the last report.
    unreported: u64,
}

impl Denials {
    /// A command was denied. Returns how many before it were not reported, if this one is to be.
    pub fn denied(&mut self, now: Instant) -> Option<u64> {
        if self.began.is_none_or(|began| now.saturating_duration_since(began) >= TIME) {
            (self.began, self.reported) = (Some(now), 0);
        }
        if self.reported == MOST {
            self.unreported += 1;
            return None;
        }
        self.reported += 1;
        Some(std::mem::take(&mut self.unreported))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_flood_is_counted_and_told_with_the_next_report() {
        let (mut denials, start) = (Denials::default(), Instant::now());
        let at = |seconds| start + Duration::from_secs(seconds);
        let first: Vec<_> = (0..25).map(|_| denials.denied(at(3))).collect();
        assert!(first[..10].iter().all(|told| *told == Some(0)) && first[10..].iter().all(Option::is_none));
        assert_eq!((denials.denied(at(12)), denials.denied(at(13)), denials.denied(at(13))), (None, Some(16), Some(0)));
    }
}
