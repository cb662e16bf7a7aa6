//! The engine's log, on stderr, while a command runs.

use std::thread::{self, JoinHandle};

use crate::abi::event::EventKind;
use crate::abi::record::Record;
use crate::abi::wait::WaitMode;
use crate::control::text::outcome::{has_failed, why_failed};
use crate::engine::{Engine, Received, Subscription};

use super::output::say;

/// Events that may pile up before some are missed; room for a flood of short helpers.
const QUEUE: usize = 65_536;

/// A thread that follows the log. Ended by [`Log::end`], after everything logged until then is out.
pub struct Log {
    events: Subscription,
    thread: JoinHandle<()>,
}

impl Log {
    /// Starts to follow.
    pub fn follow(engine: &Engine) -> std::io::Result<Self> {
        let events = engine.subscribe_to(QUEUE, wants);
        let follower = events.clone();
        let thread = thread::Builder::new().name("log".into()).spawn(move || {
            loop {
                match follower.recv() {
                    Received::Event(event) => tell(&event.kind),
                    Received::Missed(n) => say(&format!("{n} events were missed: lines of the log may be among them")),
                    Received::Closed => return,
                }
            }
        })?;
        Ok(Self { events, thread })
    }

    /// Waits until everything is out.
    pub fn end(self) {
        self.events.close();
        // A panic of the thread has been told on stderr already.
        let _ = self.thread.join();
    }
}

/// Lines of the log, and the failure of a call that nobody waited for, so that nobody else reports it.
fn wants(event: &EventKind) -> bool {
    match event {
        EventKind::Log { .. } => true,
        EventKind::Finished(record) => record.wait == WaitMode::NoWait && has_failed(record),
        _ => false,
    }
}

fn tell(event: &EventKind) {
    match event {
        // Already escaped.
        EventKind::Log { text, .. } => say(text),
        EventKind::Finished(record) => explain(record),
        _ => {}
    }
}

/// Says why a request came to nothing.
pub fn explain(record: &Record) {
    why_failed(record).iter().for_each(|line| say(line));
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
    use crate::sys::fake::{FakeHost, Script};

    #[test]
    fn the_log_is_woken_for_its_own_lines_alone() {
        let host = FakeHost::new();
        host.script("/sbin/modprobe", Script::default());
        host.script("/bin/true", Script::default());
        let engine = Engine::builder().host(host.clone()).start().unwrap();
        let log = Log::follow(&engine).unwrap();
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
        assert_eq!(log.events.wakes(), 0, "who asked tells of what it waited for");
        call("/no/such", WaitMode::NoWait);
        assert_eq!(log.events.wakes(), 1);
        host.change(|m| m.threads_max = Some(0));
        engine.request_module("loop", true);
        assert_eq!(log.events.wakes(), 2, "a runaway is logged");
        log.end();
    }
}
