//! What a ledger has recorded, one line for each request and each change.

use std::fmt::Write as _;
use std::time::{SystemTime, UNIX_EPOCH};

use crate::abi::cap::CapMask;
use crate::abi::counted::{counted, plural};
use crate::abi::error::errno_name;
use crate::abi::escape::quoted_to;
use crate::abi::event::EventKind;
use crate::abi::knob_value::KnobValue;
use crate::abi::record::{Kind, Outcome, Record};
use crate::abi::sink::LedgerState;
use crate::abi::time::rfc3339;
use crate::abi::wait::signal_name;
use crate::sys::local_time::Local;
use nix::errno::Errno;

use super::event::{denied, no_longer_kept};
use super::kernel;
use super::mask::but;
use super::outcome::ended_in_words;
use super::pieces::{by, put_by, put_number, put_remarks, put_status, put_took};

/// Writes times for a person. Of thousands of lines, many have the same second.
pub struct Times {
    utc: bool,
    today: String,
    text: String,
    /// Where the seconds are in `text`.
    seconds: usize,
    /// When the minute of `text` began, in seconds since the epoch, if another second of it changes two digits only.
    minute: Option<u64>,
}

impl Times {
    /// `now` is the time of reading. `utc`: in UTC instead of the operator's time zone.
    pub fn new(now: SystemTime, utc: bool) -> Self {
        Self { utc, today: parts(now, utc).date, text: String::new(), seconds: 0, minute: None }
    }

    /// A time of today as `14:02:11+01:00`, of another day as `2026-11-25 14:02:11+01:00`; in UTC, or where the time zone
    /// is not known, with `Z`.
    pub fn text(&mut self, at: SystemTime) -> &str {
        let since = at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs());
        let second = since.zip(self.minute).and_then(|(since, minute)| since.checked_sub(minute));
        match second.filter(|second| *second < 60) {
            Some(second) => {
                // The text is ASCII.
                let mut text = std::mem::take(&mut self.text).into_bytes();
                text[self.seconds..][..2].copy_from_slice(&[second / 10, second % 10].map(|digit| b'0' + digit as u8));
                self.text = String::from_utf8(text).unwrap_or_default();
            }
            None => {
                let Moment { date, clock, second } = parts(at, self.utc);
                self.text = if date == self.today { clock } else { format!("{date} {clock}") };
                self.seconds = self.text.find(':').map_or(0, |at| at + 4);
                self.minute = since.zip(second).and_then(|(since, second)| since.checked_sub(second));
            }
        }
        &self.text
    }
}

/// The date and the time of day, to the second.
struct Moment {
    date: String,
    clock: String,
    /// The second of its minute, if it is that of UTC, too: then the clock changes only when a minute begins.
    second: Option<u64>,
}

fn parts(at: SystemTime, utc: bool) -> Moment {
    let (date, clock) = match if utc { None } else { Local::of(at) } {
        Some(local) => (local.date(), format!("{}{}", local.clock(), local.offset())),
        None => {
            let text = rfc3339(at);
            (text[..10].to_owned(), format!("{}Z", &text[11..19]))
        }
    };
    let second = at.duration_since(UNIX_EPOCH).ok().map(|since| since.as_secs() % 60);
    let second = second.filter(|second| clock[6..8].parse() == Ok(*second));
    Moment { date, clock, second }
}

/// `#88 module "dccp"`.
pub fn what(record: &Record) -> String {
    let mut out = String::new();
    put_what(&mut out, record);
    out
}

fn put_what(out: &mut String, record: &Record) {
    if record.kernel.is_some() {
        let _ = write!(out, "#{} {}", record.id, kernel::what(record));
        return;
    }
    let verb = match record.kind {
        Kind::Module => "module",
        Kind::Helper => "run",
    };
    out.push('#');
    put_number(out, record.id);
    for part in [" ", verb, " "] {
        out.push_str(part);
    }
    quoted_to(out, record.title());
}

/// How a request ended, without the raw status: `exit 1`.
pub fn ended(record: &Record) -> String {
    let mut out = String::new();
    put_ended(&mut out, record);
    out
}

fn put_ended(out: &mut String, record: &Record) {
    match record.status.filter(|_| record.outcome == Outcome::Exited || record.outcome == Outcome::Killed) {
        Some(status) => {
            put_status(out, status);
            put_remarks(out, record);
        }
        None => out.push_str(&ended_in_words(record).words),
    }
}

/// Who asked, of any record.
fn put_by_whom(out: &mut String, record: &Record) {
    match record.kernel {
        None => put_by(out, &record.actor),
        Some(_) => _ = write!(out, "by {}{}", kernel::requester(record), kernel::doubt(record)),
    }
}

/// Appends a request that is over: `14:02:11+01:00 kernel #88 module "dccp"  exit 1  400 µs  by "x" uid 1000`.
pub fn request(out: &mut String, time: &str, target: &str, record: &Record) {
    for part in [time, " ", target, " "] {
        out.push_str(part);
    }
    put_what(out, record);
    out.push_str("  ");
    put_ended(out, record);
    if let Some(us) = record.took_us() {
        out.push_str("  ");
        put_took(out, us);
    }
    out.push_str("  ");
    put_by_whom(out, record);
}

/// A helper that has been started, or that was found running by a later start.
pub fn running(time: &str, target: &str, record: &Record, found: bool) -> String {
    let pid = record.pid.map(|pid| format!(", pid {pid}")).unwrap_or_default();
    let state = if found { "still running, started by an earlier run" } else { "started" };
    let mut line = format!("{time} {target} {}  {state}{pid}  ", what(record));
    put_by_whom(&mut line, record);
    line
}

/// A change of a knob or the gate, or what an operator did to a request; `None` for any other event.
pub fn change(time: &str, target: &str, event: &EventKind, known: CapMask) -> Option<String> {
    let (what, actor) = match event {
        EventKind::KnobChanged { change, actor } => {
            let value = |value: &KnobValue| match value.mask() {
                Some(mask) => but(mask, known),
                None => format!("\"{}\"", value.text()),
            };
            let (before, after) = (value(&change.before), value(&change.after));
            let source = change.source.as_ref().map(|source| format!(" from {source}")).unwrap_or_default();
            let values = if before == after { format!("{after} (as before)") } else { format!("{before} → {after}") };
            (format!("set {} {values}{source}", change.key), actor)
        }
        EventKind::GateChanged { from, to, actor } => (format!("gate {} → {}", from.name(), to.name()), actor),
        EventKind::DrainFailed { holdouts, actor } => {
            let ids: Vec<String> = holdouts.iter().map(|id| format!("#{id}")).collect();
            (format!("the drain timed out after 5 s, still running: {}", ids.join(", ")), actor)
        }
        EventKind::Lost { source, count } => {
            return Some(format!("{time} {target} {}", kernel::lost(*source, *count)));
        }
        EventKind::Unpersisted { keys, actor } => (no_longer_kept(keys), actor),
        EventKind::Denied { actor, .. } => {
            return Some(format!("{time} {target} {}", denied(event, by(actor).trim_start_matches("by "))));
        }
        EventKind::Abandoned { id, actor } => (format!("#{id} abandoned"), actor),
        EventKind::Signalled { id, pid, signal, actor } => {
            let name = u8::try_from(*signal).map_or_else(|_| format!("signal {signal}"), signal_name);
            (format!("#{id} {name} sent to pid {pid}"), actor)
        }
        _ => return None,
    };
    Some(format!("{time} {target} {what} {}", by(actor)))
}

/// Lines that are missing at this place.
pub fn lost(time: &str, target: &str, count: u64, errno: Option<Errno>) -> String {
    let why = errno.map(|errno| format!(": {} ({})", errno.desc(), errno_name(errno))).unwrap_or_default();
    let (lines, are) = (counted(count, "line"), plural(&count, "is", "are"));
    format!("{time} {target} {lines} {are} missing before this one{why}")
}

/// What a ledger that was closed has lost: `missed` records and changes never reached it. Empty if it has everything.
pub fn losses(missed: u64, state: &LedgerState) -> Vec<String> {
    let counts = [
        (missed, "record or change", "did not reach it"),
        (state.lost, "line", "could not be written"),
        (state.failures_lost, "failure", "could not be written to its series of failures"),
    ];
    let counts = counts.iter().filter(|(count, ..)| *count > 0);
    let lines = counts.map(|(count, noun, what)| format!("the ledger: {} {what}", counted(*count, noun)));
    lines.chain(state.error.iter().map(ToString::to_string)).collect()
}

/// What a query could not read; `None` if it has read everything.
pub fn passed_over(newer: u64, unreadable: u64) -> Option<String> {
    let counts = [(newer, "of a newer version (upgrade khelper to read them)"), (unreadable, "that cannot be read")];
    let words = counts.iter().filter(|(count, _)| *count > 0).map(|(count, what)| format!("{count} {what}"));
    let words = words.collect::<Vec<_>>().join(" and ");
    (!words.is_empty()).then(|| format!("the ledger has lines that were passed over: {words}"))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;
    use std::time::Duration;

    use super::*;
    use crate::abi::actor::Actor;
    use crate::abi::actor::Origin;
    use crate::abi::depth::Depth;
    use crate::abi::error::Stage;
    use crate::abi::knob::Key;
    use crate::abi::knob_value::Change;
    use crate::control::testing::{KNOWN, record, refused};

    fn actor() -> Arc<Actor> {
        Actor { loginuid: Some(1000), ..Actor::new(Origin::Outside, 9, 0, 0, b"x\x1b") }.into()
    }

    #[test]
    fn a_request_is_one_line_and_hostile_names_are_escaped() {
        let of = |r: Record| {
            let mut line = String::new();
            request(&mut line, "14:02:11Z", "daemon", &Record { actor: actor(), ..r });
            line
        };
        let by = r#"by "x\x1b" uid 0 (login 1000)"#;
        for (record, words) in [
            (record(88, b"dccp\n", 256), r#"#88 module "dccp\x0a"  exit 1  12 ms"#),
            (record(88, b"dccp", 9), r#"#88 module "dccp"  killed by SIGKILL  12 ms"#),
            (
                refused(7, b"a", Stage::Limit, Errno::ENOMEM, "why"),
                r#"#7 module "a"  refused by the limit (ENOMEM)  12 ms"#,
            ),
            (
                Record { kind: Kind::Helper, module: None, ..record(1, b"", 0) },
                "#1 run \"/sbin/modprobe\"  exit 0  12 ms",
            ),
        ] {
            assert_eq!(of(record), format!("14:02:11Z daemon {words}  {by}"));
        }
        let starts = running("T", "embedded", &record(5, b"a", 0), false);
        assert_eq!(starts, "T embedded #5 module \"a\"  started, pid 5000  by \"khelper\" uid 0");
        assert!(running("T", "embedded", &record(5, b"a", 0), true).contains("still running"));
    }

    #[test]
    fn a_change_names_what_was_and_what_is_and_who_did_it() {
        let of = |kind| change("T", "daemon", &kind, KNOWN);
        let knob = |change: Change| EventKind::KnobChanged { change: change.into(), actor: actor() };
        let by = r#"by "x\x1b" uid 0 (login 1000)"#;
        let path = |path: &[u8]| KnobValue::Path(path.into());
        let sysrq = CapMask::from_bits(1 << 17);
        for (kind, words) in [
            (
                knob(Change::new(Key::Modprobe, path(b"/sbin/modprobe"), path(b""))),
                r#"set kernel.modprobe "/sbin/modprobe" → """#,
            ),
            (knob(Change::new(Key::Modprobe, path(b"/m"), path(b"/m"))), r#"set kernel.modprobe "/m" (as before)"#),
            (
                knob(Change::new(Key::Bset, KNOWN, KNOWN.minus(sysrq))),
                "set kernel.usermodehelper.bset full → all but cap_sys_rawio",
            ),
            (
                EventKind::GateChanged { from: Depth::Enabled, to: Depth::Disabled, actor: actor() },
                "gate enabled → disabled",
            ),
            (EventKind::Abandoned { id: 3, actor: actor() }, "#3 abandoned"),
            (EventKind::Signalled { id: 3, pid: 7, signal: 15, actor: actor() }, "#3 SIGTERM sent to pid 7"),
            (
                EventKind::DrainFailed { holdouts: vec![1, 2], actor: actor() },
                "the drain timed out after 5 s, still running: #1, #2",
            ),
        ] {
            assert_eq!(of(kind), Some(format!("T daemon {words} {by}")));
        }
        assert_eq!(of(EventKind::Queued { id: 1 }), None);
    }

    #[test]
    fn what_is_missing_is_said() {
        assert_eq!(
            lost("T", "daemon", 3, Some(Errno::ENOSPC)),
            "T daemon 3 lines are missing before this one: No space left on device (ENOSPC)"
        );
        assert_eq!(lost("T", "daemon", 3, None), "T daemon 3 lines are missing before this one");
        let state =
            LedgerState { lost: 2, failures_lost: 3, error: Some("full (ENOSPC)".into()), ..Default::default() };
        let said = losses(1, &state);
        assert_eq!(
            (said.len(), &*said[1], &*said[3]),
            (4, "the ledger: 2 lines could not be written", "full (ENOSPC)")
        );
        assert!(said[0].contains("1 record or change did not") && said[2].contains("3 failures"), "{said:?}");
        assert!(losses(0, &LedgerState { written: 9, ..Default::default() }).is_empty());
        assert_eq!(passed_over(0, 0), None);
        assert!(passed_over(2, 0).is_some_and(|t| t.contains("2 of a newer version") && !t.contains("cannot be read")));
        assert!(passed_over(2, 1).is_some_and(|t| t.contains(" and 1 that cannot be read")));
    }

    #[test]
    fn another_day_is_named() {
        let at = |seconds| UNIX_EPOCH + Duration::from_secs(seconds);
        let time = |when, now, utc| Times::new(at(now), utc).text(at(when)).to_owned();
        assert_eq!(time(1_795_662_588, 1_795_662_600, true), "03:09:48Z");
        assert_eq!(time(1_795_662_588, 1_795_762_600, true), "2026-11-26 03:09:48Z");
        // Of one time after the other, only what differs is written.
        for utc in [true, false] {
            let mut times = Times::new(at(1_795_662_588), utc);
            for when in [10, 10, 11, 59, 60, 61, 119, 7, 3_600, 86_399, 86_400, 1_795_662_540, 1_795_662_599, 12_345] {
                assert_eq!(times.text(at(when)), Times::new(at(1_795_662_588), utc).text(at(when)), "{when}");
            }
        }
        assert_eq!(Times::new(at(1_795_662_588), true).text(at(71)), "1970-01-01 00:01:11Z");
        let local = time(1_795_662_588, 1_795_662_588, false);
        assert!(local.len() == 14 && local[8..].starts_with(['+', '-']), "{local}");
    }
}
