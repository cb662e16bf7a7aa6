//! Pieces of texts, which are appended to a string: a query of a ledger may print hundreds of thousands.

use std::fmt::Write as _;

use crate::abi::actor::Actor;
use crate::abi::escape::{screen_again, screen_to};
use crate::abi::record::{ALLOWED, Outcome, Record};
use crate::abi::wait::{WaitStatus, signal_name};

/// The sentence about the rule because of which a request went on.
pub(super) fn allowed(record: &Record) -> Option<String> {
    let ruled = screen_again(record.ruled()?);
    let audit = if ruled.starts_with(ALLOWED) { "" } else { "; the rules were not enforced" };
    Some(format!("{}{audit}.", ruled.replacen(['a', 'w'], if audit.is_empty() { "A" } else { "W" }, 1)))
}

/// Appends what else is to be said about an end.
pub(super) fn put_remarks(words: &mut String, record: &Record) {
    if record.timed_out {
        words.push_str(", timed out");
    }
    if record.abandoned && record.outcome != Outcome::Abandoned {
        words.push_str(", caller gone");
    }
}

/// Appends a wait status in words, without its raw value.
pub(super) fn put_status(out: &mut String, status: WaitStatus) {
    // Writing to a string cannot fail.
    let _ = match (status.exit_code(), status.signal()) {
        (Some(code), _) => {
            out.push_str("exit ");
            put_number(out, code.into());
            Ok(())
        }
        (None, Some(signal)) => {
            write!(out, "killed by {}{}", signal_name(signal), if status.core() { ", core dumped" } else { "" })
        }
        (None, None) => out.write_str("unknown wait status"),
    };
}

/// Formats a time for a person: `640 µs`, `12 ms`, `1.2 s`, `2 m 05 s`, `3 h 02 m`.
pub fn took(us: u64) -> String {
    let mut out = String::new();
    put_took(&mut out, us);
    out
}

/// The same, at the end of `out`.
pub(super) fn put_took(out: &mut String, us: u64) {
    let seconds = us / 1_000_000;
    let unit = match us {
        0..1_000 => (us, " µs"),
        1_000..1_000_000 => (us / 1_000, " ms"),
        _ => {
            // Writing to a string cannot fail.
            let _ = match us {
                0..60_000_000 => write!(out, "{seconds}.{} s", us / 100_000 % 10),
                60_000_000..3_600_000_000 => write!(out, "{} m {:02} s", seconds / 60, seconds % 60),
                _ => write!(out, "{} h {:02} m", seconds / 3600, seconds / 60 % 60),
            };
            return;
        }
    };
    put_number(out, unit.0);
    out.push_str(unit.1);
}

/// Appends a number; faster than the standard library, which can pad it.
pub(super) fn put_number(out: &mut String, mut n: u64) {
    let mut digits = [b'0'; 20];
    let mut from = digits.len();
    while n > 0 || from == digits.len() {
        from -= 1;
        digits[from] = b'0' + (n % 10) as u8;
        n /= 10;
    }
    // Digits are text.
    out.push_str(std::str::from_utf8(&digits[from..]).unwrap_or_default());
}

/// `by "x" uid 1000`, with the user that logged in, if that is another one.
pub fn by(actor: &Actor) -> String {
    let mut out = String::new();
    put_by(&mut out, actor);
    out
}

/// Appends who did something: `by "x" uid 1000`.
pub(super) fn put_by(out: &mut String, actor: &Actor) {
    out.push_str("by \"");
    screen_to(out, actor.comm.as_bytes());
    out.push_str("\" uid ");
    put_number(out, actor.uid.into());
    if let Some(login) = actor.loginuid.filter(|login| *login != actor.uid) {
        // Writing to a string cannot fail.
        let _ = write!(out, " (login {login})");
    }
    if let Some(place) = &actor.place {
        let _ = write!(out, ", {place}");
    }
}
