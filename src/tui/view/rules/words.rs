//! The words of the screen Rules: who asked, when, how often.

use std::time::{Duration, SystemTime, UNIX_EPOCH};

use crate::control::rules::Asking;
use crate::policy::rules::Mode;
use crate::sys::local_time::Local;
use crate::tui::model::Model;

/// `9m 12s`: a second is a second to the end.
pub(super) fn counting(left: u64) -> String {
    match (left / 3600, left / 60 % 60, left % 60) {
        (0, 0, seconds) => format!("{seconds}s"),
        (0, minutes, seconds) => format!("{minutes}m {seconds:02}s"),
        (hours, minutes, seconds) => format!("{hours}h {minutes:02}m {seconds:02}s"),
    }
}

/// What a mode does.
pub(super) const fn does(mode: Mode) -> &'static str {
    match mode {
        Mode::Off => "the rules are not looked at",
        Mode::Learn => "nothing is judged, requests are counted to learn from",
        Mode::Audit => "nothing is denied, what would be is told",
        Mode::Enforce => "what a rule denies does not run",
    }
}

/// `nc 18031 u1000`.
pub(super) fn asker(last: &Asking) -> String {
    match last.uid {
        // The shim is told which users it may be.
        Some(uid) if last.pid == 0 => format!("uid {uid}"),
        Some(uid) => format!("{} {} u{uid}", last.comm, last.pid),
        None => "gone too soon".to_owned(),
    }
}

/// The same in details.
pub(super) fn whole(last: &Asking) -> String {
    let place = if last.place.is_empty() { String::new() } else { format!(", {}", last.place) };
    match last.uid {
        Some(uid) if last.pid == 0 => format!("uid {uid}{place}"),
        Some(uid) => format!("{} {}, uid {uid}{place}", last.comm, last.pid),
        None => "gone before it could be read".to_owned(),
    }
}

/// A time as it came from the target; it may be nonsense.
fn time(wall: i64) -> Option<SystemTime> {
    UNIX_EPOCH.checked_add(Duration::from_micros(wall.unsigned_abs())).filter(|_| wall >= 0)
}

/// The date and the clock.
pub(super) fn dated(model: &Model, wall: i64) -> String {
    let at = time(wall).and_then(|at| Some((Local::of(at)?.date(), (model.local)(at))));
    at.map_or_else(|| "?".to_owned(), |(date, clock)| format!("{date} {clock}"))
}

/// The clock, with the date if it is not today's.
pub(super) fn when(model: &Model, wall: i64) -> String {
    let Some(at) = time(wall) else { return "?".to_owned() };
    let clock = (model.local)(at);
    let day = |time: SystemTime| Local::of(time).map(|local| local.date());
    match (day(at), day(model.snapshot.wall)) {
        (Some(then), Some(today)) if then != today => format!("{} {clock}", then.get(5..).unwrap_or_default()),
        _ => clock,
    }
}

/// A number with commas at its thousands.
pub(super) fn grouped(number: u64) -> String {
    let digits = number.to_string();
    let mut out = String::new();
    for (at, digit) in digits.chars().enumerate() {
        if at > 0 && (digits.len() - at).is_multiple_of(3) {
            out.push(',');
        }
        out.push(digit);
    }
    out
}
