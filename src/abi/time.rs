//! Times.

use std::time::{SystemTime, UNIX_EPOCH};

/// Microseconds on the host's clock, from an arbitrary start.
pub type Micros = u64;

/// The time between SIGTERM and SIGKILL when a helper is ended: 2 s (UMH-14).
pub const TERM_TO_KILL: Micros = 2_000_000;

/// RFC 3339 in UTC with microseconds: `2026-11-26T03:09:48.123456Z`.
pub fn utc(time: SystemTime) -> String {
    let since = time.duration_since(UNIX_EPOCH).unwrap_or_default();
    let (seconds, micros) = (since.as_secs(), since.subsec_micros());
    let (day, second) = (seconds / 86_400, seconds % 86_400);
    // Days of the proleptic Gregorian calendar, counted in eras of 400 years that begin on 1 March.
    let day = day + 719_468;
    let (era, of_era) = (day / 146_097, day % 146_097);
    let year = (of_era - of_era / 1460 + of_era / 36_524 - of_era / 146_096) / 365;
    let of_year = of_era - (365 * year + year / 4 - year / 100);
    let month = (5 * of_year + 2) / 153;
    let date = of_year - (153 * month + 2) / 5 + 1;
    let (year, month) = (era * 400 + year + u64::from(month >= 10), if month < 10 { month + 3 } else { month - 9 });
    let (hour, minute, second) = (second / 3600, second / 60 % 60, second % 60);
    format!("{year:04}-{month:02}-{date:02}T{hour:02}:{minute:02}:{second:02}.{micros:06}Z")
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    #[test]
    fn times_are_rfc_3339_with_microseconds() {
        let of = |seconds, micros: u32| utc(UNIX_EPOCH + Duration::new(seconds, micros * 1000));
        assert_eq!(of(0, 0), "1970-01-01T00:00:00.000000Z");
        assert_eq!(of(951_782_399, 1), "2000-02-28T23:59:59.000001Z");
        assert_eq!(of(951_782_400, 0), "2000-02-29T00:00:00.000000Z");
        assert_eq!(of(1_795_662_588, 123_456), "2026-11-26T03:09:48.123456Z");
        assert_eq!(of(4_107_542_399, 0), "2100-02-28T23:59:59.000000Z");
        assert_eq!(of(4_107_542_400, 0), "2100-03-01T00:00:00.000000Z", "no leap year");
    }
}
