//! The engine's log, on stderr, while a command runs.

use std::thread::{self, JoinHandle};

use crate::abi::error::Stage;
use crate::abi::wait::WaitMode;
use crate::engine::event::EventKind;
use crate::engine::record::{Kind, Outcome};
use crate::engine::{Engine, Received, Record, Subscription};

use super::say::say;
use super::words;

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
        let events = engine.subscribe(QUEUE);
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

fn tell(event: &EventKind) {
    match event {
        // Already escaped.
        EventKind::Log { text, .. } => say(text),
        // Nobody waited for it, so that nobody else tells.
        EventKind::Finished(record) if record.wait == WaitMode::NoWait => explain(record),
        _ => {}
    }
}

/// Why a request came to nothing, and for a refusal who asked whom (REQ-12).
pub fn explain(record: &Record) {
    // Of one that was killed there is something to say only if it may not have run (UMH-3).
    if matches!(record.outcome, Outcome::Running | Outcome::Exited | Outcome::Noop) {
        return;
    }
    let of_modprobe = record.stage == Some(Stage::Exec) && record.kind == Kind::Module;
    let knob = if of_modprobe { "kernel.modprobe: " } else { "" };
    if let Some(why) = record.why() {
        say(&format!("{}: {knob}{why}", words::title(record)));
    }
    if !record.chain.is_empty() {
        say(&format!("{}: asked by {}", words::title(record), words::chain(&record.chain)));
    }
}
