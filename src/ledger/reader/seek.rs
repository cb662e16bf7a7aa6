//! Finds the first line of a segment that may be new enough, by bisection.
//!
//! The times of a segment's lines never go back by more than a second: the writer begins a new segment then. So a line
//! that is more than a second too old has no new line before it.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::ledger::line::{MAX_LINE, Opening, Wall, time_of};
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
        // Lines that cannot be read are not skipped: a reader that goes on from here reports them.
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
pub(super) fn last_line(file: &File, lines: &Range<u64>) -> Option<Wall> {
    from_the_end(file, lines, time_of)
}

/// The number of the last line that has one: the last line of a segment that was closed has none.
pub(super) fn last_number(file: &File, lines: Range<u64>) -> Option<u64> {
    from_the_end(file, &lines, |line| Opening::of(line)?.n().filter(|n| *n > 0))
}

/// What `of` finds in the last line in which it finds something, among the last ones.
fn from_the_end<T>(file: &File, lines: &Range<u64>, of: impl Fn(&[u8]) -> Option<T>) -> Option<T> {
    let mut look = LOOK;
    loop {
        let from = lines.end.saturating_sub(look).max(lines.start);
        let text = read(file, from, lines.end - from)?;
        let mut text = text.strip_suffix(b"\n").unwrap_or(&text);
        while let Some(newline) = find_last_byte(text, b'\n') {
            if let Some(found) = of(&text[newline + 1..]) {
                return Some(found);
            }
            text = &text[..newline];
        }
        // What is left begins within a line, or is the first one.
        if from == lines.start {
            return of(text);
        }
        if look > 2 * MAX_LINE as u64 {
            return None;
        }
        look *= 8;
    }
}

fn read(file: &File, from: u64, len: u64) -> Option<Vec<u8>> {
    let mut text = vec![0; usize::try_from(len).ok()?];
    let read = file.read_at(&mut text, from).ok()?;
    text.truncate(read);
    Some(text)
}
