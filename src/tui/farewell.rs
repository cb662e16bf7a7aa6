//! What is said when the terminal is the shell's again.

use std::io::{IsTerminal, Write};
use std::os::fd::AsFd;
use std::time::Duration;

use crate::abi::escape::screen;
use crate::abi::wait::WaitMode;
use crate::engine::Engine;
use crate::engine::snapshot::Live;

use super::terminal::writable;

/// Ends the engine and names on stderr what it leaves running (UMH-14), after `before`.
pub(super) fn say(engine: &Engine, before: &[String]) {
    let left = engine.shutdown(Duration::ZERO);
    let captured = |live: &Live| {
        engine.record(live.id).is_some_and(|r| matches!(r.wait, WaitMode::Proc { .. })) && live.pid.is_some()
    };
    let lines = before.iter().cloned().chain(left.iter().map(|live| line(live, captured(live))));
    let text: String = lines.map(|line| line + "\n").collect();
    let stderr = std::io::stderr();
    // A terminal that takes nothing would hold us up for ever; one that is gone has nobody to read it.
    if !text.is_empty() && (!stderr.is_terminal() || writable(stderr.as_fd())) {
        let _ = stderr.lock().write_all(text.as_bytes());
    }
}

fn line(live: &Live, captured: bool) -> String {
    let (id, title) = (live.id, screen(&live.title));
    let pid = live.pid.map_or_else(|| "not started yet".to_owned(), |pid| format!("pid {pid}"));
    let output = if captured { "; nobody reads its output any more: its next write may end it" } else { "" };
    format!("left running: #{id} {title} ({pid}){output}")
}
