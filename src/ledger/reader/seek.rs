//! Finds the first line of a segment that may be new enough, by bisection.
//!
//! The times of a segment's lines never go back by more than a second: the writer begins a new segment then. So a line
//! that is more than a second too old has no new line before it.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::ledger::line::{MAX_LINE, Wall, time_of};
use crate::ledger::rotate::STEP;
use crate::sys::search::{find_byte, find_last_byte};

/// How much is read to find a line, first; most lines are much shorter.
const LOOK: u64 = 4096;

/// Where to begin to read for lines written at `since` or later: where a line begins. `lines` are the bytes of the
/// lines. `None` if every line is too old.
pub(super) fn first_since(file: &File, lines: Range<u64>, since: Wall) -> Option<u64> {
    let is_old = |wall: Wall| wall < since.saturating_sub(STEP);
    if last_line(file, &lines).is_some_and(is_old) {
        return None;
    }
    let Range { start: mut from, end: mut to } = lines;
    while to - from > 2 * LOOK {
        let middle = from + (to - from) / 2;
        // Lines that cannot be read are not skipped: they are shown to whoever reads on from here.
        let Some((at, wall)) = line_after(file, middle, to) else { break };
        if is_old(wall) {
            from = at;
        } else {
            to = middle;
        }
    }
    Some(from)
}

/// The first line that begins after `from` and before `to`, and its time.
fn line_after(file: &File, from: u64, to: u64) -> Option<(u64, Wall)> {
    let text = read(file, from, LOOK.min(to - from))?;
    let start = find_byte(&text, b'\n')? + 1;
    Some((from + start as u64, time_of(&text[start..])?))
}

/// The time of the last line.
fn last_line(file: &File, lines: &Range<u64>) -> Option<Wall> {
    let mut look = LOOK;
    loop {
        let from = lines.end.saturating_sub(look).max(lines.start);
        let text = read(file, from, lines.end - from)?;
        let text = text.strip_suffix(b"\n").unwrap_or(&text);
        match find_last_byte(text, b'\n') {
            Some(newline) => return time_of(&text[newline + 1..]),
            None if from == lines.start || look > 2 * MAX_LINE as u64 => return None,
            None => look *= 8,
        }
    }
}

fn read(file: &File, from: u64, len: u64) -> Option<Vec<u8>> {
    let mut text = vec![0; usize::try_from(len).ok()?];
    let read = file.read_at(&mut text, from).ok()?;
    text.truncate(read);
    Some(text)
}
