//! Messages printed after the terminal is restored.

use std::io::Write;
use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::Actor;
use crate::abi::error::Explain;
use crate::abi::escape::screen;
use crate::abi::snapshot::Live;
use crate::control::ask::ask;
use crate::control::target::Target;
use crate::control::{Command, Left, Reply};
use crate::sys::signals::in_background_too;
use crate::sys::{channel, thread};

use super::ascii::text;
use super::terminal::stderr_is_writable;
use crate::abi::escape::screen_again;

/// Shuts down the engine if it runs in this process. Prints `before`, then the helpers that are left running (UMH-14),
/// to stderr; with `ascii`, in ASCII only.
pub(super) fn say(target: &dyn Target, by: &Actor, before: &[String], ascii: bool) {
    let _ascii = super::ascii::only(ascii);
    let mut lines: Vec<String> = before.iter().flat_map(|text| text.lines()).map(screen_again).collect();
    let mut left = Vec::new();
    if target.info().is_owned() {
        match ask(target, by, Command::Shutdown { patience: Duration::ZERO }) {
            // The helpers of a demo end with it.
            Ok(Reply::Left(_)) if target.info().is_demo() => {}
            Ok(Reply::Left(all)) => left = all,
            Ok(_) => {}
            Err(error) => lines.push(format!("cannot tell which helpers are left running: {}", error.whole())),
        }
    }
    let is_captured = |left: &&Left| left.captured && left.live.pid.is_some();
    let captured: Vec<String> = left.iter().filter(is_captured).map(|left| format!("#{}", left.live.id)).collect();
    lines.extend(left.iter().map(|left| line(&left.live)));
    if !captured.is_empty() {
        lines.push(format!("no process reads their output now: the next write may end {}", captured.join(", ")));
    }
    let text: String = lines.iter().map(|line| text(line).into_owned() + "\n").collect();
    // If stderr is gone, nobody can read the report.
    if !text.is_empty() && stderr_is_writable() {
        let _ = in_background_too(|| std::io::stderr().lock().write_all(text.as_bytes()));
    }
}

/// The same for a process that a panic ends: a thread that the panic has stopped may hold what is asked for, so the
/// report is waited for a second at most.
pub(super) fn say_in_time(target: Arc<dyn Target>, by: Actor, ascii: bool) {
    let (done, said) = channel::channel();
    let tell = move || {
        say(&*target, &by, &[], ascii);
        let _ = done.send(());
    };
    if thread::spawn("last-report", tell).is_ok() {
        let _ = said.recv_timeout(Duration::from_secs(1));
    }
}

fn line(live: &Live) -> String {
    let pid = live.pid.map_or_else(|| "not started yet".to_owned(), |pid| format!("pid {pid}"));
    format!("left running: #{} {} ({pid})", live.id, screen(&live.title))
}
