//! Reads one segment from front to back, a piece at a time, and stops at the lines that a search wants.

use std::fs::File;
use std::ops::Range;
use std::os::unix::fs::FileExt;

use crate::ledger::line::{Head, Item, MAX_LINE, Opening, Unread, Wall, decode, time_of};
use crate::sys::search::{find, find_byte, find_last_byte};

use super::filter::Search;
use super::{Counts, Found, Known, seek};

/// How much is read at once; more than a line.
pub(super) const PIECE: usize = 4 * MAX_LINE;

/// A segment that is being read, at a line.
pub(super) struct Cursor<'a> {
    file: File,
    known: &'a Known,
    search: Search<'a>,
    buffer: Box<[u8]>,
    /// What is left of the buffer: the next line begins at its start.
    left: Range<usize>,
    /// Where the rest of the file begins.
    offset: u64,
    /// The line it is at, in the buffer, and when it was written.
    at: (Range<usize>, Wall),
    /// The bytes up to the next newline belong to a line that is too long.
    skips: bool,
}

impl<'a> Cursor<'a> {
    /// Opens a segment at the first line that is wanted; `None` if there is none.
    pub(super) fn start(
        file: File,
        known: &'a Known,
        search: Search<'a>,
        since: Option<Wall>,
        counts: &mut Counts,
    ) -> Option<Self> {
        let offset = match since {
            Some(since) if known.head.wall < since => seek::first_since(&file, known.body..known.len, since)?,
            _ => known.body,
        };
        let (left, at) = (0..0, (0..0, Wall::MIN));
        let buffer = vec![0; PIECE.min(usize::try_from(known.len).unwrap_or(PIECE))].into();
        let mut cursor = Self { file, known, search, buffer, left, offset, at, skips: false };
        cursor.advance(counts).then_some(cursor)
    }

    pub(super) fn wall(&self) -> Wall {
        self.at.1
    }

    pub(super) fn found(&self) -> Found<'_> {
        Found { raw: &self.buffer[self.at.0.clone()], wall: self.at.1, head: &self.known.head }
    }

    /// Goes to the next line that is wanted. Returns false if there is none.
    pub(super) fn advance(&mut self, counts: &mut Counts) -> bool {
        loop {
            while let Some(line) = self.next_line() {
                if self.skips {
                    self.skips = false;
                    continue;
                }
                let text = &self.buffer[line.clone()];
                if self.known.of_failures && is_twice(self.known, text) {
                    continue;
                }
                if let Some(wall) = self.search.matches(text) {
                    self.at = (line, wall);
                    return true;
                }
            }
            if !self.fill(counts) {
                return false;
            }
        }
    }

    /// The next whole line in the buffer that contains the needle.
    fn next_line(&mut self) -> Option<Range<usize>> {
        let text = &self.buffer[self.left.clone()];
        let from = match self.search.needle().filter(|_| !self.skips) {
            None => 0,
            Some(needle) => match find(text, needle) {
                Some(found) => find_last_byte(&text[..found], b'\n').map_or(0, |newline| newline + 1),
                None => {
                    // Of the last line only a part may be there.
                    self.left.start += find_last_byte(text, b'\n').map_or(0, |newline| newline + 1);
                    return None;
                }
            },
        };
        let Some(end) = find_byte(&text[from..], b'\n').map(|at| from + at) else {
            // The lines before it are done: kept, they would count as parts of one line that is too long.
            self.left.start += from;
            return None;
        };
        let line = self.left.start + from..self.left.start + end;
        self.left.start = line.end + 1;
        Some(line)
    }

    /// Reads on. Returns false at the end of the segment, or if no later line is wanted. What stands behind the last
    /// newline is not a line yet.
    fn fill(&mut self, counts: &mut Counts) -> bool {
        let past = |text: &[u8]| time_of(text).is_some_and(|wall| self.search.is_past(wall));
        if past(&self.buffer[self.left.clone()]) {
            return false;
        }
        if self.left.len() >= MAX_LINE {
            // No newline in all of it.
            counts.unreadable += u64::from(!self.skips);
            (self.skips, self.left) = (true, 0..0);
        }
        self.buffer.copy_within(self.left.clone(), 0);
        self.left = 0..self.left.len();
        let space = u64::try_from(self.buffer.len() - self.left.end).unwrap_or(0);
        let most = usize::try_from(space.min(self.known.len - self.offset)).unwrap_or(0);
        let free = &mut self.buffer[self.left.end..][..most];
        // A read that fails ends the segment: what was read so far is shown.
        let read = if most == 0 { 0 } else { self.file.read_at(free, self.offset).unwrap_or(0) };
        self.left.end += read;
        self.offset += read as u64;
        read > 0
    }
}

/// Whether a line of the failures is in the other series, too.
fn is_twice(known: &Known, line: &[u8]) -> bool {
    let n = Opening::of(line).and_then(|opening| opening.n());
    n.is_some_and(|n| known.twice.iter().any(|twice| twice.contains(&n)))
}

/// The first line of a segment, and where the second one begins; `None` if the file has no whole line.
pub(in crate::ledger) fn first_line(file: &File, len: u64) -> Option<Result<(Head, u64), Unread>> {
    let mut size = 2048;
    loop {
        let mut text = vec![0; size.min(usize::try_from(len).ok()?)];
        let read = file.read_at(&mut text, 0).ok()?;
        text.truncate(read);
        match find_byte(&text, b'\n') {
            Some(end) => {
                return Some(match decode(None, &text[..end]) {
                    Ok(line) => match line.item {
                        Item::Segment(head) => Ok((*head, end as u64 + 1)),
                        _ => Err(Unread::Malformed),
                    },
                    Err(e) => Err(e),
                });
            }
            None if read < size => return None,
            None if size > MAX_LINE => return Some(Err(Unread::Malformed)),
            None => size *= 8,
        }
    }
}
