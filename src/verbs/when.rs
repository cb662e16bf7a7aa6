//! Times as an operator types them: `10m`, `2h`, `3d`, `today`, `yesterday`, `14:02`, `2026-11-26`, and RFC 3339.

use std::time::{SystemTime, UNIX_EPOCH};

use crate::sys::local_time::Local;

/// Microseconds since the epoch.
pub type Wall = i64;

const SECOND: Wall = 1_000_000;
const DAY: Wall = 86_400 * SECOND;
const WANTED: &str = "a time: 10m, 2h, 3d, today, yesterday, HH:MM or HH:MM:SS, YYYY-MM-DD, or RFC 3339";

/// A time as it was typed. Where it depends on the time of day or the time zone, [`When::wall`] settles that.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum When {
    /// So long ago, in microseconds.
    Ago(Wall),
    /// The beginning of a day: 0 is today, 1 is yesterday.
    Day(Wall),
    /// The beginning of a day: year, month, day.
    Date([i32; 3]),
    /// A time of today: hour, minute, second.
    Clock([i32; 3]),
    /// A date and a time in the zone of the reader, and microseconds.
    Local([i32; 6], Wall),
    /// A time in a zone that is given.
    At(Wall),
}

impl When {
    /// Reads any of the forms; the error says which there are.
    pub fn parse(text: &str) -> Result<Self, String> {
        parse(text).ok_or_else(|| format!("give {WANTED}"))
    }

    /// The beginning of the next day, if it is the beginning of a day that was given alone.
    pub fn next_day(self) -> Option<Self> {
        match self {
            Self::Day(back) => Some(Self::Day(back - 1)),
            Self::Date([year, month, day]) => {
                let (year, month, day) = civil(days(year, month, day) + 1);
                Some(Self::Date([year, month, day]))
            }
            Self::Ago(_) | Self::Clock(_) | Self::Local(..) | Self::At(_) => None,
        }
    }

    /// The time in microseconds since the epoch. `utc`: dates and times without a zone are UTC, not local.
    pub fn wall(self, now: SystemTime, utc: bool) -> Result<Wall, String> {
        let now = now.duration_since(UNIX_EPOCH).unwrap_or_default().as_micros();
        let now = Wall::try_from(now).unwrap_or(Wall::MAX);
        let on = |at: [i32; 6]| {
            let seconds =
                if utc { Some(days(at[0], at[1], at[2]) * 86_400 + seconds_of(at)) } else { Local::to_epoch(at) };
            seconds
                .map(|seconds| seconds * SECOND)
                .ok_or_else(|| "this time does not exist in this time zone".to_owned())
        };
        let today = || date_of(now, utc).ok_or_else(|| "today's date is not known".to_owned());
        match self {
            Self::Ago(us) => Ok(now.saturating_sub(us)),
            Self::At(wall) => Ok(wall),
            Self::Local(at, us) => on(at).map(|wall| wall + us),
            Self::Date([year, month, day]) => on([year, month, day, 0, 0, 0]),
            Self::Clock([hour, minute, second]) => {
                let [year, month, day] = today()?;
                on([year, month, day, hour, minute, second])
            }
            Self::Day(back) => {
                let [year, month, day] = today()?;
                let (year, month, day) = civil(days(year, month, day) - back);
                on([year, month, day, 0, 0, 0])
            }
        }
    }
}

/// Today's date.
fn date_of(now: Wall, utc: bool) -> Option<[i32; 3]> {
    if utc {
        let (year, month, day) = civil(now.div_euclid(DAY));
        return Some([year, month, day]);
    }
    let at = UNIX_EPOCH + std::time::Duration::from_micros(u64::try_from(now).ok()?);
    let text = Local::of(at)?.date();
    let mut parts = text.splitn(3, '-').map(|part| part.parse().ok());
    Some([parts.next()??, parts.next()??, parts.next()??])
}

fn parse(text: &str) -> Option<When> {
    match text {
        "now" => return Some(When::Ago(0)),
        "today" => return Some(When::Day(0)),
        "yesterday" => return Some(When::Day(1)),
        _ => {}
    }
    if let Some(unit) = [("s", SECOND), ("m", 60 * SECOND), ("h", 3_600 * SECOND), ("d", DAY)]
        .into_iter()
        .find_map(|(unit, us)| text.strip_suffix(unit).map(|number| (number, us)))
    {
        let number = Wall::from(u32::try_from(digits(unit.0, 1..=9)?).ok()?);
        return number.checked_mul(unit.1).map(When::Ago);
    }
    let Some((date, time)) = text.split_once(['T', 't', ' ']) else {
        if let Some(clock) = clock(text) {
            return Some(When::Clock(clock));
        }
        return date(text).map(When::Date);
    };
    let [year, month, day] = self::date(date)?;
    let (time, offset) = offset(time)?;
    let (time, us) = match time.split_once('.') {
        None => (time, 0),
        Some((time, part)) => (time, fraction(part)?),
    };
    let [hour, minute, second] = clock(time)?;
    let at = [year, month, day, hour, minute, second];
    Some(match offset {
        None => When::Local(at, us),
        Some(east) => When::At((days(year, month, day) * 86_400 + seconds_of(at) - east) * SECOND + us),
    })
}

/// The offset at the end of a time, in seconds east of UTC; `None` if it has none.
fn offset(time: &str) -> Option<(&str, Option<Wall>)> {
    if let Some(time) = time.strip_suffix(['Z', 'z']) {
        return Some((time, Some(0)));
    }
    let Some(at) = time.rfind(['+', '-']) else { return Some((time, None)) };
    let [hours, minutes, _] = clock(&time[at + 1..])?;
    let east = Wall::from(hours * 3_600 + minutes * 60);
    Some((&time[..at], Some(if time[at..].starts_with('-') { -east } else { east })))
}

fn fraction(part: &str) -> Option<Wall> {
    digits(part, 1..=9)?;
    let micros: String = part.chars().chain("000000".chars()).take(6).collect();
    micros.parse().ok()
}

fn digits(text: &str, count: std::ops::RangeInclusive<usize>) -> Option<i64> {
    let right = count.contains(&text.len()) && text.bytes().all(|b| b.is_ascii_digit());
    if right { text.parse().ok() } else { None }
}

/// `HH:MM` or `HH:MM:SS`.
fn clock(text: &str) -> Option<[i32; 3]> {
    let mut parts = text.split(':');
    let mut next = |below| Some(i32::try_from(digits(parts.next()?, 2..=2)?).ok()?).filter(|n| *n < below);
    let (hour, minute) = (next(24)?, next(60)?);
    let second = if text.len() > 5 { next(60)? } else { 0 };
    (text.len() == if text.len() > 5 { 8 } else { 5 }).then_some([hour, minute, second])
}

/// `YYYY-MM-DD`.
fn date(text: &str) -> Option<[i32; 3]> {
    let mut parts = text.split('-');
    let mut next = |len| i32::try_from(digits(parts.next()?, len..=len)?).ok();
    let [year, month, day] = [next(4)?, next(2)?, next(2)?];
    let exists =
        (1970..).contains(&year) && (1..=12).contains(&month) && civil(days(year, month, day)) == (year, month, day);
    (exists && parts.next().is_none()).then_some([year, month, day])
}

fn seconds_of(at: [i32; 6]) -> Wall {
    Wall::from(at[3]) * 3_600 + Wall::from(at[4]) * 60 + Wall::from(at[5])
}

/// Days from 1970 to a date of the Gregorian calendar. Years begin in March here, so that the leap day is the last one.
fn days(year: i32, month: i32, day: i32) -> Wall {
    let (year, month) = if month > 2 { (year, month - 3) } else { (year - 1, month + 9) };
    let (year, month, day) = (Wall::from(year), Wall::from(month), Wall::from(day));
    year * 365 + year.div_euclid(4) - year.div_euclid(100) + year.div_euclid(400) + (153 * month + 2) / 5 + day
        - 719_469
}

/// The date of a day, counted from 1970.
fn civil(days: Wall) -> (i32, i32, i32) {
    let at = UNIX_EPOCH + std::time::Duration::from_secs(u64::try_from(days.max(0)).unwrap_or(0) * 86_400);
    let text = crate::abi::time::rfc3339(at);
    let part = |range: std::ops::Range<usize>| text[range].parse().unwrap_or(0);
    (part(0..4), part(5..7), part(8..10))
}

#[cfg(test)]
mod tests {
    use std::time::Duration;

    use super::*;

    /// 2026-11-26T03:09:48Z.
    const NOW: i64 = 1_795_662_588;

    fn at(text: &str, utc: bool) -> Wall {
        When::parse(text).unwrap().wall(UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs()), utc).unwrap()
    }

    #[test]
    fn every_form_means_what_date_1_says() {
        for (text, seconds) in [
            ("now", NOW),
            ("90s", NOW - 90),
            ("10m", NOW - 600),
            ("2h", NOW - 7_200),
            ("3d", NOW - 259_200),
            ("today", 1_795_651_200),
            ("yesterday", 1_795_564_800),
            ("03:09", 1_795_662_540),
            ("03:09:48", NOW),
            ("2026-11-26", 1_795_651_200),
            ("2024-02-29", 1_709_164_800),
            ("1970-01-01", 0),
            ("2026-11-26 03:09", 1_795_662_540),
            ("2026-11-26T03:09:48", NOW),
            ("2026-11-26T03:09:48Z", NOW),
            ("2026-11-26t03:09:48z", NOW),
            ("2026-11-26T04:09:48+01:00", NOW),
            ("2026-11-25T23:39:48-03:30", NOW),
        ] {
            assert_eq!(at(text, true), seconds * SECOND, "{text}");
        }
        assert_eq!(at("2026-11-26T03:09:48.123456Z", false), NOW * SECOND + 123_456);
        assert_eq!(at("2026-11-26T03:09:48.5Z", false), NOW * SECOND + 500_000);
        assert_eq!(at("2026-11-26T03:09:48.123456789Z", false), NOW * SECOND + 123_456);
    }

    #[test]
    fn local_times_go_through_the_time_zone() {
        let date = date_of(NOW * SECOND, false).unwrap();
        let midnight = Local::to_epoch([date[0], date[1], date[2], 0, 0, 0]).unwrap();
        assert_eq!(at("today", false), midnight * SECOND);
        assert_eq!(at("00:00", false), midnight * SECOND);
        assert_eq!(at(&format!("{:04}-{:02}-{:02}", date[0], date[1], date[2]), false), midnight * SECOND);
        // A day has 23, 24 or 25 hours.
        assert!((82_800..=90_000).contains(&(midnight - at("yesterday", false) / SECOND)));
    }

    #[test]
    fn what_is_no_time_is_refused_with_the_forms_there_are() {
        for text in [
            "",
            "m",
            "-1m",
            "+1m",
            "1.5h",
            "1w",
            "99999999999d",
            "24:00",
            "12:60",
            "1:02",
            "12:3",
            "12:30:",
            "2026-13-01",
            "2026-02-30",
            "26-11-26",
            "1969-12-31",
            "2026-11-26T",
            "2026-11-26T03:09+1",
            "2026-11-26T03:09:48.Z",
            "2026-11-26T03:09:48.x",
            "2026-11-26-01",
            "tomorrow",
            "12:30:00:00",
            "é",
            "12:3é",
        ] {
            assert!(When::parse(text).is_err_and(|why| why.contains("10m")), "{text}");
        }
    }
}
