//! How a request ended, in words.

use crate::abi::birth::Enforcement;
use crate::abi::error::errno_name;
use crate::abi::escape::screen;
use crate::abi::wait::signal_name;
use crate::engine::Record;
use crate::engine::record::Outcome;

pub use crate::control::words::chain;

/// One line: what, how it ended, the raw status, how long it took.
pub fn line(record: &Record) -> String {
    let mut line = format!("{}: {}", title(record), ending(record));
    if record.timed_out {
        line.push_str(", timed out");
    }
    if let Some(enforced) = record.enforced.filter(|e| *e == Enforcement::NoNewPrivs) {
        line.push_str(&format!(", enforced by {}", enforced.name()));
    }
    if !record.not_enforced.is_empty() {
        let names: Vec<_> = record.not_enforced.iter().map(|n| n.name()).collect();
        line.push_str(&format!(", not enforced: {}", names.join(" ")));
    }
    if let Some(us) = record.ended_us {
        line.push_str(&format!(", {}", took(us)));
    }
    line
}

/// The module's name or the path, escaped.
pub fn title(record: &Record) -> String {
    screen(record.title())
}

fn ending(record: &Record) -> String {
    let errno = record.errno.map(errno_name).unwrap_or_default();
    let raw = record.status.map(|s| s.raw()).unwrap_or_default();
    let pid = record.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    match record.outcome {
        Outcome::Running if record.pid.is_none() => "queued".to_owned(),
        Outcome::Running => format!("running{pid}"),
        Outcome::Exited => {
            format!("exit {} (raw {raw})", record.status.and_then(|s| s.exit_code()).unwrap_or_default())
        }
        Outcome::Killed => {
            let core = if record.status.is_some_and(|s| s.core()) { ", core dumped" } else { "" };
            let signal = record.status.and_then(|s| s.signal()).unwrap_or_default();
            format!("killed by {} (raw {raw}){core}", signal_name(signal))
        }
        Outcome::ExecFailed => format!("exec failed ({errno})"),
        Outcome::Refused => format!("refused ({errno})"),
        Outcome::Abandoned => format!("abandoned{pid}"),
        Outcome::Noop => "nothing was run: the path is empty".to_owned(),
        Outcome::Lost => format!("status lost ({errno}){pid}"),
    }
}

/// `3.1 ms`, `2.50 s`.
pub fn took(us: u64) -> String {
    let (ms, s) = (us / 1000, us / 1_000_000);
    if s > 0 { format!("{s}.{:02} s", us / 10_000 % 100) } else { format!("{ms}.{} ms", us / 100 % 10) }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn times_read_well() {
        assert_eq!(took(0), "0.0 ms");
        assert_eq!(took(3_149), "3.1 ms");
        assert_eq!(took(999_999), "999.9 ms");
        assert_eq!(took(2_509_000), "2.50 s");
    }
}
