//! The target's log, on stderr, while a command runs.

use std::sync::mpsc::{Sender, channel};
use std::sync::{Arc, Mutex, PoisonError};
use std::thread::JoinHandle;

use crate::abi::counted::{counted, plural};
use crate::abi::event::{EventKind, EventKinds};
use crate::abi::record::Record;
use crate::control::target::Target;
use crate::control::text::outcome::why_failed;
use crate::control::watch::{Wake, Watch, Watched};
use crate::sys::thread::spawn;

use super::output::say;

/// Events that may pile up before some are missed; room for a flood of short helpers.
const QUEUE: usize = 65_536;

/// A thread that prints the log. [`Log::end`] stops it after it has printed everything logged so far.
pub struct Log {
    lines: Lines,
    thread: JoinHandle<()>,
}

/// What is to be printed. Clones print the same lines, each once.
#[derive(Clone)]
pub struct Lines(Arc<Shared>);

struct Shared {
    events: Watch,
    /// Whether the watch has ended. Items are taken and printed under this lock, which keeps their order: a thread that
    /// holds it knows that every item taken before has been printed.
    ended: Mutex<bool>,
    /// Wakes the thread.
    wake: Sender<()>,
}

impl Log {
    /// Starts the thread.
    pub fn follow(target: &dyn Target) -> std::io::Result<Self> {
        let (wake, woken) = channel();
        let comes = wake.clone();
        let comes = Wake::new(move || {
            // An error means that the thread has ended.
            let _ = comes.send(());
        });
        let events = target.watch(KINDS, None, QUEUE, comes);
        let lines = Lines(Arc::new(Shared { events, ended: Mutex::new(false), wake }));
        let follower = lines.clone();
        let thread = spawn("log", move || while !follower.print() && woken.recv().is_ok() {})?;
        Ok(Self { lines, thread })
    }

    /// The lines, for those who print something that comes after them.
    pub fn lines(&self) -> Lines {
        self.lines.clone()
    }

    /// Waits until everything is printed, and stops the thread.
    pub fn end(self) {
        self.lines.0.events.close();
        // An error means that the thread has ended.
        let _ = self.lines.0.wake.send(());
        // If the thread panicked, the panic message is already on stderr.
        let _ = self.thread.join();
    }
}

impl Lines {
    /// Prints everything logged so far, so that what is printed next comes after it. Returns whether nothing more comes.
    pub fn print(&self) -> bool {
        let mut ended = self.0.ended.lock().unwrap_or_else(PoisonError::into_inner);
        while !*ended && let Some(item) = self.0.events.next() {
            match item {
                Watched::Event(event) => print(&event.kind),
                Watched::Missed(n) => say(&missed(n)),
                Watched::Closed { why } => {
                    why.iter().for_each(|why| say(&format!("no further log lines are shown: {why}")));
                    *ended = true;
                    // Another thread may have taken the end, for which the log's own thread waits.
                    let _ = self.0.wake.send(());
                }
            }
        }
        *ended
    }
}

/// Log lines, and failures of calls that nobody waited for (NO_WAIT): nothing else reports those.
const KINDS: EventKinds = EventKinds::LOG.or(EventKinds::FAILED_NO_WAIT);

fn print(event: &EventKind) {
    match event {
        EventKind::Log(kind) => say(&kind.text()),
        EventKind::Finished(record) => explain(record),
        _ => {}
    }
}

/// Prints why a request failed.
pub fn explain(record: &Record) {
    why_failed(record).iter().for_each(|line| say(line));
}

/// Events that were not seen: some of them may have been lines of the log.
fn missed(count: u64) -> String {
    let (events, were) = (counted(count, "event"), plural(&count, "was", "were"));
    format!("{events} {were} missed, lines of the log perhaps among them")
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
    use crate::abi::wait::WaitMode;
    use crate::engine::{Engine, Received};
    use crate::sys::fake::{FakeHost, Script};

    #[test]
    fn the_log_is_woken_for_its_own_lines_alone() {
        let host = FakeHost::new();
        host.script("/sbin/modprobe", Script::default());
        host.script("/bin/true", Script::default());
        let engine = Engine::builder().host(host.clone()).start().unwrap();
        let log = engine.subscribe_to(QUEUE, KINDS);
        let all = engine.subscribe(1000);
        let call = |path: &str, wait| {
            let info = SubprocessInfo::setup(Some(path.into()), [path], HELPER_ENV).unwrap();
            let id = engine.call_usermodehelper(info, wait).id;
            loop {
                match all.recv() {
                    Received::Event(event) if matches!(&event.kind, EventKind::Finished(r) if r.id == id) => return,
                    Received::Event(_) => {}
                    other => panic!("{other:?}"),
                }
            }
        };
        assert_eq!(engine.request_module("dummy", true).result, Some(0));
        call("/bin/true", WaitMode::NoWait);
        call("/no/such", WaitMode::PROC);
        engine.set_depth(crate::abi::depth::Depth::Freezing).unwrap();
        engine.enable().unwrap();
        assert_eq!(log.wakes(), 0, "the request that waited reports its own failure");
        call("/no/such", WaitMode::NoWait);
        assert_eq!(log.wakes(), 1);
        host.change(|m| m.threads_max = Some(0));
        engine.request_module("loop", true);
        assert_eq!(log.wakes(), 2, "a runaway is logged");
    }
}
