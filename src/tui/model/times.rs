//! A span of time that the screen Activity shows.

use std::time::{Duration, UNIX_EPOCH};

use crate::sys::local_time::Local;
use crate::verbs::span::Span;

/// The span of time, and the words that it was given in.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Times {
    /// As it was typed.
    pub typed: String,
    /// What it meant then.
    pub span: Span,
}

impl Times {
    /// Whether it leaves nothing out.
    pub fn is_all(&self) -> bool {
        self.span == Span::default()
    }

    /// `yesterday: 2026-11-25 00:00:00 until 2026-11-26 00:00:00`.
    pub fn words(&self) -> String {
        let when = between(self.span);
        if self.typed.is_empty() { when } else { format!("{}: {when}", self.typed) }
    }
}

/// `2026-11-25 00:00:00 until now`.
pub fn between(span: Span) -> String {
    match (span.since.map(stamp), span.until.map(stamp)) {
        (None, None) => "every time".to_owned(),
        (Some(since), None) => format!("since {since}"),
        (None, Some(until)) => format!("until {until}"),
        (Some(since), Some(until)) => format!("{since} until {until}"),
    }
}

/// A time of the wall clock as the reader's clock shows it.
pub fn stamp(wall: i64) -> String {
    let after = Duration::from_micros(wall.unsigned_abs());
    let at = if wall < 0 { UNIX_EPOCH.checked_sub(after) } else { UNIX_EPOCH.checked_add(after) };
    at.and_then(Local::of).map_or_else(|| "?".to_owned(), |local| format!("{} {}", local.date(), local.clock()))
}
