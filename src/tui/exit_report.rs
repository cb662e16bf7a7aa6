//! What is said when the terminal is the shell's again.

use std::io::Write;
use std::time::Duration;

use crate::abi::escape::screen;
use crate::abi::snapshot::Live;
use crate::abi::wait::WaitMode;
use crate::engine::Engine;
use crate::sys::signals::in_background_too;

use super::ascii::text;
use super::terminal::can_be_told;
use crate::abi::escape::screen_again;

/// Ends the engine and names on stderr what it leaves running (UMH-14), after `before`; with `ascii` in ASCII alone.
pub(super) fn say(engine: &Engine, before: &[String], ascii: bool) {
    let _ascii = super::ascii::only(ascii);
    let left = engine.shutdown(Duration::ZERO);
    let captured: Vec<String> = left
        .iter()
        .filter(|live| live.pid.is_some())
        .filter(|live| engine.record(live.id).is_some_and(|r| matches!(r.wait, WaitMode::Proc { .. })))
        .map(|live| format!("#{}", live.id))
        .collect();
    let mut lines: Vec<String> = before.iter().flat_map(|text| text.lines()).map(screen_again).collect();
    lines.extend(left.iter().map(line));
    if !captured.is_empty() {
        lines.push(format!("nobody reads their output any more: the next write may end {}", captured.join(", ")));
    }
    let text: String = lines.iter().map(|line| text(line).into_owned() + "\n").collect();
    // One that is gone has nobody to read it.
    if !text.is_empty() && can_be_told() {
        let _ = in_background_too(|| std::io::stderr().lock().write_all(text.as_bytes()));
    }
}

fn line(live: &Live) -> String {
    let pid = live.pid.map_or_else(|| "not started yet".to_owned(), |pid| format!("pid {pid}"));
    format!("left running: #{} {} ({pid})", live.id, screen(&live.title))
}
