//! Spans of time as an operator types them: `10m`, `yesterday`, `since 14:00`, `2026-11-25 .. 2026-11-26`. The times in
//! them are those of `log --since` and `log --until` ([`When`]).

use std::time::SystemTime;

use super::when::{Wall, When};

/// A span of time, in microseconds since 1970.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Span {
    /// It begins here; `None`: with the first record.
    pub since: Option<Wall>,
    /// It ends before this; `None`: it has no end.
    pub until: Option<Wall>,
}

/// Reads a span. A day alone is all of that day; another time alone is where the span begins. `all` and nothing are every
/// time, `session` begins at `began`.
///
/// # Errors
/// What is wrong, in words.
pub fn parse(text: &str, now: SystemTime, began: Option<Wall>) -> Result<Span, String> {
    let text = text.trim();
    if matches!(text, "" | "all") {
        return Ok(Span::default());
    }
    let at = |text: &str| match (text.trim(), began) {
        ("session", Some(began)) => Ok(began),
        (text, _) => When::parse(text)?.wall(now, false),
    };
    let (since, until) = match text.split_once("..") {
        Some((since, until)) => (without(since, "since"), Some(without(until, "until"))),
        None => match (without(text, "since"), text.split_once("until")) {
            (_, Some((since, until))) => (without(since, "since"), Some(until.trim())),
            (since, None) => (since, None),
        },
    };
    let span = match until {
        None if since == text && text != "session" => {
            let begins = When::parse(text)?;
            let ends = begins.next_day().map(|next| next.wall(now, false)).transpose()?;
            Span { since: Some(begins.wall(now, false)?), until: ends }
        }
        None => Span { since: Some(at(since)?), until: None },
        Some(until) => Span {
            since: if since.is_empty() { None } else { Some(at(since)?) },
            until: if until.is_empty() { None } else { Some(at(until)?) },
        },
    };
    match (span.since, span.until) {
        (Some(since), Some(until)) if since >= until => Err("it ends before it begins".to_owned()),
        (None, None) => Err("give a time before or after it, as in 'since 10m' or 'until 14:00'".to_owned()),
        _ => Ok(span),
    }
}

/// The text without a word at its beginning.
fn without<'a>(text: &'a str, word: &str) -> &'a str {
    let text = text.trim();
    text.strip_prefix(word).filter(|rest| rest.is_empty() || rest.starts_with(' ')).unwrap_or(text).trim()
}

#[cfg(test)]
mod tests {
    use std::time::{Duration, UNIX_EPOCH};

    use super::*;
    use crate::sys::local_time::Local;

    const S: Wall = 1_000_000;
    /// 2026-11-26T03:09:48Z.
    const NOW: Wall = 1_795_662_588;

    fn of(text: &str) -> Result<Span, String> {
        parse(text, UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs()), Some(77))
    }

    fn local(year: i32, month: i32, day: i32, hour: i32) -> Wall {
        Local::to_epoch([year, month, day, hour, 0, 0]).unwrap() * S
    }

    #[test]
    fn a_span_is_what_its_words_say() {
        let day = |day| local(2026, 11, day, 0);
        let of_now = Local::of(UNIX_EPOCH + Duration::from_secs(NOW.unsigned_abs())).unwrap().date();
        let today: i32 = of_now[8..].parse().unwrap();
        for (text, since, until) in [
            ("", None, None),
            ("all", None, None),
            ("10m", Some((NOW - 600) * S), None),
            ("since 10m", Some((NOW - 600) * S), None),
            ("  since   2h ", Some((NOW - 7_200) * S), None),
            ("2026-11-25", Some(day(25)), Some(day(26))),
            ("since 2026-11-25", Some(day(25)), None),
            ("until 2026-11-25", None, Some(day(25))),
            ("2024-12-31", Some(local(2024, 12, 31, 0)), Some(local(2025, 1, 1, 0))),
            ("2026-11-25 18:00", Some(local(2026, 11, 25, 18)), None),
            ("yesterday", Some(day(today - 1)), Some(day(today))),
            ("today", Some(day(today)), Some(day(today + 1))),
            ("since yesterday", Some(day(today - 1)), None),
            ("since 2026-11-24 until 2026-11-25 18:00", Some(day(24)), Some(local(2026, 11, 25, 18))),
            ("2026-11-24 .. 2026-11-25", Some(day(24)), Some(day(25))),
            ("since 2h .. until 1h", Some((NOW - 7_200) * S), Some((NOW - 3_600) * S)),
            ("2h..", Some((NOW - 7_200) * S), None),
            ("..2h", None, Some((NOW - 7_200) * S)),
            ("session", Some(77), None),
            ("since session", Some(77), None),
            ("1970-01-01T00:00:05Z", Some(5 * S), None),
        ] {
            assert_eq!(of(text), Ok(Span { since, until }), "{text}");
        }
    }

    #[test]
    fn what_is_no_span_is_said_in_words() {
        for (text, why) in [
            ("tomorrow", "give a time: 10m"),
            ("since", "give a time: 10m"),
            ("..", "before or after"),
            ("until", "before or after"),
            ("1h .. 2h", "ends before it begins"),
            ("since 25:00", "give a time"),
            ("sincerely", "give a time"),
            ("yesterday..x", "give a time"),
        ] {
            assert!(of(text).is_err_and(|said| said.contains(why)), "{text}: {:?}", of(text));
        }
        assert!(parse("session", SystemTime::UNIX_EPOCH, None).is_err());
    }
}
