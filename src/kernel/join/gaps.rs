//! Times of which events are lost.

use crate::kernel::observation::Unknown;

/// So many times are kept apart; when there are more, neighbours are joined, which only adds doubt.
const MOST: usize = 64;

/// Times of which events of one kind are lost. Everything before the watch counts as one.
#[derive(Clone, Debug)]
pub(super) struct Gaps {
    /// Since when events are read.
    since: u64,
    /// From and to, in the order in which they were found.
    lost: Vec<(u64, u64)>,
}

impl Gaps {
    pub(super) const fn new(since: u64) -> Self {
        Self { since, lost: Vec::new() }
    }

    pub(super) fn add(&mut self, from: u64, to: u64) {
        self.lost.push((from.min(to), to));
        if self.lost.len() > MOST {
            let (first, second) = (self.lost.remove(0), self.lost[0]);
            self.lost[0] = (first.0.min(second.0), first.1.max(second.1));
        }
    }

    /// Whether something before this time is lost, of the time since when events are read.
    pub(super) fn has_lost_before(&self, time: u64) -> bool {
        self.lost.iter().any(|(begin, _)| *begin <= time)
    }

    /// Why something between two times may be lost; `None` if nothing is.
    pub(super) fn between(&self, from: u64, to: u64) -> Option<Unknown> {
        if self.lost.iter().any(|(begin, end)| *begin <= to && *end >= from) {
            Some(Unknown::TraceLost)
        } else if from < self.since {
            Some(Unknown::BeforeWatch)
        } else {
            None
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    proptest! {
        #[test]
        fn no_gap_is_ever_forgotten(gaps in proptest::collection::vec((0u64..1000, 0u64..20), 0..200), from in 0u64..1000, length in 0u64..30) {
            let mut kept = Gaps::new(10);
            gaps.iter().for_each(|(at, long)| kept.add(*at, at + long));
            prop_assert!(kept.lost.len() <= MOST);
            let overlaps = gaps.iter().any(|(at, long)| *at <= from + length && at + long >= from);
            let found = kept.between(from, from + length);
            prop_assert!(!overlaps || found == Some(Unknown::TraceLost));
            prop_assert!(from >= 10 || found.is_some());
            prop_assert!(gaps.len() > MOST || overlaps || from < 10 || found.is_none());
        }
    }
}
