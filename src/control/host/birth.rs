//! When the process of a helper was made, by the two clocks that tell it.

use crate::sys::linux::ticks;
use crate::sys::process;

/// When a process was made that started so many clock ticks after boot, in nanoseconds of CLOCK_MONOTONIC.
pub(super) fn made_at(ticks: u64) -> u64 {
    ticks.saturating_mul(per_tick()).saturating_sub(process::asleep())
}

/// Nanoseconds of a clock tick.
fn per_tick() -> u64 {
    1_000_000_000 / ticks::per_second()
}

/// Whether a process that started so many clock ticks after boot can be the one that was forked at this time of
/// CLOCK_MONOTONIC. The kernel takes the start time before it tells of the fork, and cuts it to whole ticks.
pub(super) fn is_made_at(ticks: u64, forked: u64) -> bool {
    let expected = forked.saturating_add(process::asleep()) / per_tick();
    // Two ticks for a fork that was interrupted between the two.
    (expected.saturating_sub(2)..=expected).contains(&ticks)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_process_is_the_one_that_was_forked_at_its_start_and_no_later_one() {
        let forked = 500 * per_tick() + 3;
        let own = (forked + process::asleep()) / per_tick();
        assert!(made_at(own) <= forked && made_at(own + 1) > forked);
        assert!(is_made_at(own, forked) && is_made_at(own - 1, forked));
        assert!(!is_made_at(own + 1, forked) && !is_made_at(own + 100, forked) && !is_made_at(own - 3, forked));
    }
}
