//! Events as lines of the log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::abi::depth::Depth;
use crate::abi::error::Stage;
use crate::abi::event::{Event, EventKind, Level};
use crate::abi::record::{Outcome, Record};
use crate::abi::snapshot::{LogLine, Snapshot};
use crate::abi::wait::signal_name;
use crate::control::text::outcome::{ended_in_words, title, value};
use crate::engine::{Received, Subscription};
use crate::sys::local_time::Local;
use crate::tui::mailbox::Mailbox;
use crate::tui::model::log::{Line, Ring};
use crate::tui::model::masks::list;
use crate::tui::model::warnings::screen_again;

/// Events on their way; an end holds what its helper wrote, so they are not many.
pub(in crate::tui) const EVENTS: usize = 128;
/// Time zones are read on it.
const STACK: usize = 128 * 1024;

/// What the log is made of: whatever is no routine.
pub(in crate::tui) fn wants(kind: &EventKind) -> bool {
    match kind {
        EventKind::ModuleRequest { .. }
        | EventKind::Waiting { .. }
        | EventKind::Queued { .. }
        | EventKind::Started { .. }
        | EventKind::Released { .. } => false,
        EventKind::Finished(record) => level(record).is_some(),
        _ => true,
    }
}

/// The lines that the engine still remembers from before the console was there, oldest first.
pub(in crate::tui) fn earlier(snapshot: &Snapshot, now: SystemTime) -> Vec<Line> {
    let one = |log: &LogLine| {
        let ago = Duration::from_micros(snapshot.now.saturating_sub(log.at));
        let time = now.checked_sub(ago).map_or_else(String::new, clock);
        Line::new(log.level, time, None, &screen_again(&log.text))
    };
    snapshot.warnings.iter().rev().map(one).collect()
}

fn clock(now: SystemTime) -> String {
    Local::of(now).map_or_else(String::new, |t| t.time())
}

/// That lines were let go before they were fetched, if some were.
pub(in crate::tui) fn missing(lines: &Ring) -> Option<Line> {
    let (_, first) = lines.lines().next()?;
    (lines.let_go() > 0).then(|| missed_line(lines.let_go(), first.time.clone()))
}

/// Starts the thread that writes the log. It ends with the engine, or when `events` is closed. Warnings up to the event
/// `known` are there already.
pub(in crate::tui) fn keep(events: Subscription, mailbox: Arc<Mailbox>, known: u64) -> std::io::Result<()> {
    let is_known = move |event: &Event| {
        event.seq <= known && matches!(&event.kind, EventKind::Log { level, .. } if *level >= Level::Warning)
    };
    let write = move || {
        loop {
            let received = events.recv();
            let now = clock(SystemTime::now());
            mailbox.log(match received {
                Received::Event(event) if is_known(&event) => continue,
                Received::Event(event) => written(&event.kind, now, line),
                Received::Missed(missed) => missed_line(missed, now),
                Received::Closed => return,
            });
        }
    };
    thread::Builder::new().name("console-log".into()).stack_size(STACK).spawn(write).map(drop)
}

/// What `write` makes of an event. A panic of its costs one line: the log goes on.
fn written(kind: &EventKind, now: String, write: fn(&EventKind, String) -> Line) -> Line {
    catch_unwind(AssertUnwindSafe(|| write(kind, now.clone()))).unwrap_or_else(|_| {
        let text = "khelper panicked while it wrote this line: this is a bug; its message is printed at the end";
        Line::new(Level::Error, now, None, text)
    })
}

/// So many lines are missing here.
fn missed_line(missed: u64, now: String) -> Line {
    let text =
        format!("{missed} lines are missing here: the log ran behind (no count of the Overview is touched by it)");
    Line::new(Level::Warning, now, None, &text)
}

/// How much an end matters to the log; `None`: it is no news.
fn level(r: &Record) -> Option<Level> {
    match r.outcome {
        Outcome::Exited if r.status.and_then(|s| s.exit_code()) == Some(0) && !r.timed_out => None,
        Outcome::Running => None,
        Outcome::Exited | Outcome::Killed | Outcome::Noop => Some(Level::Info),
        Outcome::Refused if r.stage == Some(Stage::Enforce) => Some(Level::Error),
        Outcome::Refused | Outcome::Abandoned => Some(Level::Warning),
        Outcome::ExecFailed | Outcome::Lost => Some(Level::Error),
    }
}

fn line(kind: &EventKind, now: String) -> Line {
    let plain = |level, text: String| (level, None, text);
    let (level, id, text) = match kind {
        EventKind::Finished(r) => {
            let text = format!("{}: {}", title(r), ended_in_words(r).text());
            (level(r).unwrap_or(Level::Info), Some(r.id), text)
        }
        EventKind::Abandoned { id, .. } => {
            (Level::Info, Some(*id), "its caller stopped waiting; a helper that it has lives on".to_owned())
        }
        EventKind::Signalled { id, pid, signal, actor } => {
            let name = u8::try_from(*signal).map_or_else(|_| format!("signal {signal}"), signal_name);
            (Level::Info, Some(*id), format!("its helper (pid {pid}) was sent {name}, by the {}", actor.origin.name()))
        }
        EventKind::KnobChanged { key, before, after, actor } => {
            plain(Level::Info, format!("{key}: {} -> {}, by the {}", value(before), value(after), actor.origin.name()))
        }
        EventKind::MaskChanged { key, before, after, actor } => {
            let (lost, back) = (before.minus(*after), after.minus(*before));
            let what = match (lost.is_empty(), back.is_empty()) {
                (true, true) => "written, nothing changed".to_owned(),
                (false, true) => format!("lost {}", list(lost)),
                (true, false) => format!("got back {}", list(back)),
                (false, false) => format!("lost {}; got back {}", list(lost), list(back)),
            };
            plain(Level::Info, format!("{key}: {what}, by the {}", actor.origin.name()))
        }
        EventKind::GateChanged { from, to, actor } => {
            let level = if *to == Depth::Enabled { Level::Info } else { Level::Warning };
            plain(level, format!("khelper.gate: {} -> {}, by the {}", from.name(), to.name(), actor.origin.name()))
        }
        EventKind::DrainFailed { holdouts, .. } => {
            let ids: Vec<String> = holdouts.iter().map(|id| format!("#{id}")).collect();
            let text = format!(
                "khelper.gate: the drain gave up after 5 s, the gate is open again; {} held out",
                ids.join(", ")
            );
            plain(Level::Error, text)
        }
        EventKind::Log { level, text } => plain(*level, text.clone()),
        EventKind::ModuleRequest { .. }
        | EventKind::Waiting { .. }
        | EventKind::Queued { .. }
        | EventKind::Started { .. }
        | EventKind::Released { .. } => plain(Level::Info, String::new()),
    };
    Line::new(level, now, id, &screen_again(&text))
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::{Actor, Origin};
    use crate::abi::cap::CapMask;
    use crate::tui::testing::fixtures;
    use nix::errno::Errno;

    fn by(origin: Origin) -> Arc<Actor> {
        Actor::new(origin, 1, 0, 0, b"x").into()
    }

    #[test]
    fn a_panic_costs_one_line() {
        let kind = EventKind::Abandoned { id: 7, actor: by(Origin::Library) };
        let failed = written(&kind, "12:00".into(), |_, _| panic!("the words are wrong"));
        assert_eq!((failed.level, &*failed.time), (Level::Error, "12:00"));
        assert!(failed.words().contains("khelper panicked while it wrote this line"), "{}", failed.words());
        assert!(written(&kind, String::new(), line).words().starts_with("#7 its caller stopped waiting"));
    }

    #[test]
    fn what_is_no_routine_has_a_line() {
        let of = |kind: EventKind| {
            wants(&kind).then(|| (line(&kind, String::new()).level, line(&kind, String::new()).words()))
        };
        let end = |record| of(EventKind::Finished(Arc::new(record)));
        assert_eq!(end(fixtures::record(1, b"x", 0)), None);
        assert_eq!(of(EventKind::Queued { id: 1 }), None);
        let said = |level, words: &str| Some((level, words.to_owned()));
        assert_eq!(end(fixtures::record(2, b"x\n", 256)), said(Level::Info, "#2 x\\x0a: ✗ exit 1 (raw 256)"));
        let refused = fixtures::refused(3, b"x", Stage::Limit, Errno::ENOMEM, "why");
        assert_eq!(end(refused), said(Level::Warning, "#3 x: ∞ refused by the limit (ENOMEM)"));
        let refused = fixtures::refused(3, b"x", Stage::Enforce, Errno::EPERM, "why");
        assert_eq!(end(refused).unwrap().0, Level::Error);
        let words = |kind| of(kind).unwrap().1;
        assert_eq!(
            words(EventKind::MaskChanged {
                key: "kernel.usermodehelper.bset",
                before: CapMask::from_bits(3),
                after: CapMask::from_bits(2),
                actor: by(Origin::CommandLine)
            }),
            "kernel.usermodehelper.bset: lost cap_chown, by the command line"
        );
        assert_eq!(
            words(EventKind::KnobChanged {
                key: "khelper.deny",
                before: String::new(),
                after: "x\u{1b}".into(),
                actor: by(Origin::Console)
            }),
            "khelper.deny: (empty) -> `x\\x1b`, by the console"
        );
        assert_eq!(
            words(EventKind::DrainFailed { holdouts: vec![3, 4], actor: by(Origin::Library) }).matches('#').count(),
            2
        );
        assert_eq!(
            words(EventKind::GateChanged { from: Depth::Enabled, to: Depth::Freezing, actor: by(Origin::Library) }),
            "khelper.gate: enabled -> freezing, by the library"
        );
        assert_eq!(
            words(EventKind::Signalled { id: 6, pid: 77, signal: 15, actor: by(Origin::Console) }),
            "#6 its helper (pid 77) was sent SIGTERM, by the console"
        );
        assert!(words(EventKind::Abandoned { id: 5, actor: by(Origin::Library) }).starts_with("#5 its caller"));
        assert!(missed_line(7, String::new()).words().starts_with("7 lines are missing"));
    }
}
