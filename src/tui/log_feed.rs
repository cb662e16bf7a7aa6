//! Events as lines of the log.

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;
use std::thread;
use std::time::{Duration, SystemTime};

use crate::abi::event::{Event, EventKind, Level};
use crate::abi::log::LogLine;
use crate::abi::snapshot::Snapshot;
use crate::control::target::Target;
use crate::control::text::event::{self, event};
use crate::control::watch::{Wake, Watch, Watched};
use crate::sys::local_time::Local;
use crate::tui::mailbox::Mailbox;
use crate::tui::model::log::{Line, missed_line};

/// Events on their way; an end holds what its helper wrote, so they are not many.
pub(in crate::tui) const EVENTS: usize = 128;
/// Time zones are read on it.
const STACK: usize = 128 * 1024;

/// The lines that the engine still remembers from before the console was there, oldest first.
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

/// The events of the log.
pub(in crate::tui) fn watch(target: &dyn Target) -> Watch {
    target.watch(event::NEWS, None, EVENTS, Wake::none())
}

/// Starts the thread that writes the log. It ends with the target; when the connection is lost it goes on with the next
/// one. Warnings up to the event `known` are there already.
pub(in crate::tui) fn keep(
    target: Arc<dyn Target>,
    mut events: Watch,
    mailbox: Arc<Mailbox>,
    known: u64,
) -> std::io::Result<()> {
    let is_warning = |event: &Event| matches!(&event.kind, EventKind::Log(kind) if kind.level() >= Level::Warning);
    let mut known = known;
    let write = move || {
        loop {
            let item = events.wait();
            let now = clock(SystemTime::now());
            mailbox.log(match item {
                Watched::Event(event) if event.seq <= known && is_warning(&event) => continue,
                Watched::Event(event) => written(&event.kind, now, line),
                Watched::Missed(missed) => missed_line(missed, now),
                Watched::Closed { why: None } => return,
                Watched::Closed { why: Some(why) } => {
                    // Numbers begin again in another run.
                    known = 0;
                    events = watch(&*target);
                    lost_line(&why, now)
                }
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

fn lost_line(why: &str, now: String) -> Line {
    Line::new(Level::Error, now, None, &format!("the connection was lost: {why}; lines may be missing here"))
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
        assert!(failed.words().contains("khelper panicked while it wrote this line"), "{}", failed.words());
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
