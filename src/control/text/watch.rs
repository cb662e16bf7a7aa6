//! Events as lines of `khelper watch`, each with its number.

use std::time::SystemTime;

use crate::abi::counted::counted;
use crate::abi::event::{Event, EventKind};
use crate::abi::record::Kind;
use crate::abi::time::rfc3339;
use crate::sys::local_time::Local;

use super::event::event as news;
use super::kernel;
use super::outcome::ended_with_time;
use super::ps::{quoted, requester};

/// One event: its number, the time as `time` writes it, the target, and what happened.
pub fn line(target: &str, event: &Event, time: &str) -> String {
    format!("{} {time} {target} {}", event.seq, words(&event.kind))
}

/// The line of a gap.
pub fn missed(target: &str, count: u64) -> String {
    format!("- {target} missed {}: this reader was too slow, or the connection was lost", counted(count, "event"))
}

fn words(kind: &EventKind) -> String {
    match kind {
        EventKind::ModuleRequest { id, name, wait, actor } => {
            let nowait = if *wait { "" } else { ", not waited for" };
            format!("#{id} module {} requested by {}{nowait}", quoted(name), requester(actor))
        }
        EventKind::Waiting { id } => format!("#{id} waits for a slot"),
        EventKind::Queued { id } => format!("#{id} queued"),
        EventKind::Started { id, pid } => format!("#{id} started, pid {pid}"),
        EventKind::Released { id } => format!("#{id} gave its slot back"),
        EventKind::Finished(record) if record.kernel.is_some() => {
            let (what, ended, by) = (kernel::what(record), ended_with_time(record), kernel::requester(record));
            let pid = record.pid.unwrap_or_default();
            format!("#{} pid {pid} {what} {ended}, by {by}{}", record.id, kernel::doubt(record))
        }
        EventKind::Finished(record) => {
            let verb = match record.kind {
                Kind::Module => "module",
                Kind::Helper => "run",
            };
            let (ended, by) = (ended_with_time(record), requester(&record.actor));
            format!("#{} {verb} {} {ended}, by {by}", record.id, quoted(record.title()))
        }
        other => {
            let news = news(other);
            news.id.map_or_else(|| news.text.clone(), |id| format!("#{id} {}", news.text))
        }
    }
}

/// The time of an event in the operator's time zone, or in UTC; the zone's offset is part of it.
pub fn time(at: SystemTime, in_utc: bool) -> String {
    let local = Local::of(at).filter(|_| !in_utc);
    local.map_or_else(|| rfc3339(at), |local| format!("{}{}", local.time(), local.offset()))
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::actor::{Actor, Origin};
    use crate::abi::log::LogKind;
    use crate::control::testing::{actor, record};

    #[test]
    fn each_kind_of_event_has_a_line_and_hostile_names_are_escaped() {
        let by = || Arc::new(Actor::new(Origin::Outside, 9, 1000, 0, b"x\x1b"));
        let of = |kind| line("daemon", &Event { seq: 12, at: 0, kind }, "14:02:11.017");
        let asked = EventKind::ModuleRequest { id: 3, name: b"a\n\xff"[..].into(), wait: false, actor: by() };
        let words = "#3 module \"a\\x0a\\xff\" requested by \"x\\x1b\" pid 9 uid 1000, not waited for";
        assert_eq!(of(asked), format!("12 14:02:11.017 daemon {words}"));
        let ended = EventKind::Finished(Arc::new(record(4, b"b\x1b", 256)));
        let by_us = requester(&actor());
        assert!(of(ended).ends_with(&format!("daemon #4 module \"b\\x1b\" ✗ exit 1 (raw 256) · 12 ms, by {by_us}")));
        let signalled = EventKind::Signalled { id: 6, pid: 77, signal: 15, actor: by() };
        assert!(
            of(signalled)
                .ends_with("daemon #6 SIGTERM was sent to the helper (pid 77), by \"x\\x1b\" uid 1000 from outside")
        );
        assert!(of(EventKind::Log(LogKind::Suppressed { count: 3 })).ends_with("3 callbacks suppressed"));
        for (kind, words) in [
            (EventKind::Waiting { id: 5 }, "#5 waits for a slot"),
            (EventKind::Queued { id: 5 }, "#5 queued"),
            (EventKind::Started { id: 5, pid: 8 }, "#5 started, pid 8"),
            (EventKind::Released { id: 5 }, "#5 gave its slot back"),
        ] {
            assert!(of(kind).ends_with(&format!(" daemon {words}")), "{words}");
        }
        assert_eq!(missed("daemon", 7).matches("missed 7 events").count(), 1);
    }
}
