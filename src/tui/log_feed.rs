//! Turns the engine's events into lines of the log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::time::{Duration, SystemTime};

use crate::abi::event::{Event, EventKind, Level};
use crate::abi::log::LogLine;
use crate::abi::snapshot::Snapshot;
use crate::control::target::{RunId, Seq, Target};
use crate::control::text::event::{self, event};
use crate::control::watch::{Wake, Watch, Watched};
use crate::sys::local_time::Local;
use crate::sys::thread::spawn_with;
use crate::tui::mailbox::Mailbox;
use crate::tui::model::log::{Line, missed_line};

/// The size of the event queue. It is small, because the event of an ended helper contains the helper's output.
pub(in crate::tui) const EVENTS: usize = 128;
/// The stack of the log thread, which reads time zone files, in bytes.
const STACK: usize = 128 * 1024;

/// The warnings that the engine recorded before the console started, oldest first.
pub(in crate::tui) fn earlier(snapshot: &Snapshot, now: SystemTime) -> Vec<Line> {
    let one = |log: &LogLine| {
        let ago = Duration::from_micros(snapshot.now.saturating_sub(log.at));
        let time = now.checked_sub(ago).map_or_else(String::new, clock);
        Line::new(log.level(), time, None, &log.text())
    };
    snapshot.warnings.iter().rev().map(one).collect()
}

fn clock(now: SystemTime) -> String {
    Local::of(now).map_or_else(String::new, |t| t.time())
}

/// The event subscription of the log.
pub(in crate::tui) fn watch(target: &dyn Target) -> Watch {
    watch_after(target, None)
}

/// The same, after this event of this run.
fn watch_after(target: &dyn Target, seen: Option<(RunId, Seq)>) -> Watch {
    target.watch(event::NEWS, seen, EVENTS, Wake::none())
}

/// Starts the log thread. It ends with the target; after a lost connection it continues with the next one. Warnings up
/// to the event `known` are in the log already.
pub(in crate::tui) fn keep(
    target: Arc<dyn Target>,
    mut events: Watch,
    mailbox: Arc<Mailbox>,
    known: u64,
) -> std::io::Result<()> {
    let is_warning = |event: &Event| matches!(&event.kind, EventKind::Log(kind) if kind.level() >= Level::Warning);
    let mut known = known;
    // The last event that was seen. `known` is one of the first run.
    let mut seen = (target.info().run, known);
    let write = move || {
        let mut was_lost = false;
        loop {
            let item = events.wait();
            let now = clock(SystemTime::now());
            if let Watched::Event(event) = &item {
                (seen, was_lost) = ((target.info().run, event.seq), false);
            }
            mailbox.log(match item {
                Watched::Event(event) if event.seq <= known && is_warning(&event) => continue,
                Watched::Event(event) => written(&event.kind, now, line),
                Watched::Missed(missed) if was_lost => unseen_line(missed, now),
                Watched::Missed(missed) => missed_line(missed, now),
                Watched::Closed { why: None } => return,
                Watched::Closed { why: Some(why) } => {
                    // Another run of the engine numbers its events from 1 again.
                    (known, was_lost) = (0, true);
                    events = watch_after(&*target, Some(seen));
                    lost_line(&why, now)
                }
            });
        }
    };
    spawn_with("console-log", STACK, write).map(drop)
}

/// The line that `write` makes of an event. If `write` panics, one line is lost and the log continues.
fn written(kind: &EventKind, now: String, write: fn(&EventKind, String) -> Line) -> Line {
    catch_unwind(AssertUnwindSafe(|| write(kind, now.clone()))).unwrap_or_else(|_| {
        let text = "khelper panicked while writing this line: this is a bug; its message is printed at the end";
        Line::new(Level::Error, now, None, text)
    })
}

fn lost_line(why: &str, now: String) -> Line {
    Line::new(Level::Error, now, None, &format!("lost the connection: {why}; lines may be missing here"))
}

/// The events between the loss of the connection and its return, of every kind.
fn unseen_line(missed: u64, now: String) -> Line {
    let text =
        format!("the connection is back; events missed meanwhile: {missed}, some of which may be lines of the log");
    Line::new(Level::Warning, now, None, &text)
}

fn line(kind: &EventKind, now: String) -> Line {
    let said = event(kind);
    Line::new(said.level, now, said.id, &said.text)
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_panic_costs_one_line() {
        let kind = EventKind::Abandoned { id: 7, actor: crate::tui::testing::fixtures::actor().into() };
        let failed = written(&kind, "12:00".into(), |_, _| panic!("the words are wrong"));
        assert_eq!((failed.level, &*failed.time), (Level::Error, "12:00"));
        assert!(failed.words().contains("khelper panicked while writing this line"), "{}", failed.words());
        assert!(written(&kind, String::new(), line).words().starts_with("#7 the caller stopped waiting"));
    }

    #[test]
    fn an_event_is_a_line_about_its_request() {
        let line =
            line(&EventKind::Abandoned { id: 5, actor: crate::tui::testing::fixtures::actor().into() }, "12:00".into());
        assert_eq!((line.level, line.ids, &*line.time), (Level::Info, Some((5, 5)), "12:00"));
        assert!(line.words().starts_with("#5 the caller"));
        assert!(missed_line(7, String::new()).words().starts_with("7 lines are missing"));
    }
}
