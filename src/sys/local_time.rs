//! The wall clock as the operator's time zone reads it (`TZ`, else /etc/localtime).

use std::fmt;
use std::time::{SystemTime, UNIX_EPOCH};

/// A moment as date and time of day.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Local {
    year: i32,
    month: i32,
    day: i32,
    hour: i32,
    minute: i32,
    second: i32,
    millis: u32,
    /// Seconds east of UTC.
    offset: i64,
}

impl Local {
    /// Converts a time to the operator's time zone; `None` for years that it cannot represent.
    pub fn of(time: SystemTime) -> Option<Self> {
        let (seconds, millis) = match time.duration_since(UNIX_EPOCH) {
            Ok(since) => (i64::try_from(since.as_secs()).ok()?, since.subsec_millis()),
            Err(before) => (-i64::try_from(before.duration().as_secs()).ok()?, 0),
        };
        // SAFETY: `tm` is plain data (integers and a pointer that may be null): all zeroes are a value of it.
        let mut tm: libc::tm = unsafe { std::mem::zeroed() };
        // SAFETY: both pointers are to values that outlive the call, which keeps neither.
        if unsafe { libc::localtime_r(&seconds, &mut tm) }.is_null() {
            return None;
        }
        let year = tm.tm_year.checked_add(1900)?;
        let (month, day) = (tm.tm_mon + 1, tm.tm_mday);
        let (hour, minute, second, offset) = (tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_gmtoff);
        Some(Self { year, month, day, hour, minute, second, millis, offset })
    }

    /// `2026-11-24`.
    pub fn date(&self) -> String {
        format!("{:04}-{:02}-{:02}", self.year, self.month, self.day)
    }

    /// `+01:00`.
    pub fn offset(&self) -> String {
        let (sign, east) = if self.offset < 0 { ('-', -self.offset) } else { ('+', self.offset) };
        format!("{sign}{:02}:{:02}", east / 3600, east / 60 % 60)
    }

    /// The same date and time in the operator's time zone, in seconds since the epoch: `[year, month, day, hour, minute,
    /// second]`. `None` for a date or a time that does not exist there. Of an hour that occurs twice, either is meant.
    pub fn to_epoch(at: [i32; 6]) -> Option<i64> {
        let [year, month, day, hour, minute, second] = at;
        // SAFETY: `tm` is plain data (integers and a pointer that may be null): all zeroes are a value of it.
        let mut tm: libc::tm = unsafe { std::mem::zeroed() };
        (tm.tm_year, tm.tm_mon, tm.tm_mday) = (year.checked_sub(1900)?, month.checked_sub(1)?, day);
        (tm.tm_hour, tm.tm_min, tm.tm_sec, tm.tm_isdst) = (hour, minute, second, -1);
        // SAFETY: the pointer is to a value that outlives the call, which does not keep it.
        let seconds = unsafe { libc::mktime(&mut tm) };
        // What does not exist, such as 31 February, is moved to a time that does.
        let back = [tm.tm_year + 1900, tm.tm_mon + 1, tm.tm_mday, tm.tm_hour, tm.tm_min, tm.tm_sec];
        (back == at).then_some(seconds)
    }

    /// `12:03:44`.
    pub fn clock(&self) -> String {
        format!("{:02}:{:02}:{:02}", self.hour, self.minute, self.second)
    }

    /// `2026-11-24 12:03:44+01:00`.
    pub fn with_offset(&self) -> String {
        format!("{} {}{}", self.date(), self.clock(), self.offset())
    }

    /// `12:03:44.017`.
    pub fn time(&self) -> String {
        format!("{}.{:03}", self.clock(), self.millis)
    }
}

impl fmt::Display for Local {
    /// `2026-11-24 12:03:44.017`.
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:04}-{:02}-{:02} {}", self.year, self.month, self.day, self.time())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::time::Duration;

    #[test]
    fn a_moment_is_broken_down() {
        // Zones differ by whole minutes: seconds and less are the same everywhere.
        let local = Local::of(UNIX_EPOCH + Duration::from_millis(1_700_000_000_017)).unwrap();
        assert_eq!((local.year, local.month, local.second, local.millis), (2023, 11, 20, 17));
        assert!(local.to_string().starts_with("2023-11-1") && local.to_string().ends_with(":20.017"));
        assert_eq!(local.time().len(), 12);
        let east = |offset| Local { offset, ..local }.with_offset();
        assert!(east(3600).ends_with(":20+01:00") && east(-12600).ends_with(":20-03:30"), "{}", east(0));
        assert!(Local::of(UNIX_EPOCH - Duration::from_secs(86_400)).is_some());
        assert_eq!((local.date().len(), local.offset().len()), (10, 6));
        let parts = [local.year, local.month, local.day, local.hour, local.minute, local.second];
        assert_eq!(Local::to_epoch(parts), Some(1_700_000_000));
        assert_eq!(Local::to_epoch([2026, 2, 31, 0, 0, 0]), None);
        assert_eq!(Local::to_epoch([2026, 1, 1, 24, 0, 0]), None);
        for (offset, text) in [(0, "+00:00"), (3_600, "+01:00"), (-12_600, "-03:30")] {
            assert_eq!(Local { offset, ..local }.offset(), text);
        }
    }
}
