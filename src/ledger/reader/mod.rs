//! The reader: all segments of a ledger, merged by time. It works while others write, and without them.
//!
//! A query reads as little as it can: whole segments are skipped by their times, the first line in time is found by
//! bisection, and lines are looked for by raw bytes that they must contain before they are read at all. Nothing of a
//! segment is kept but its first line, so the memory does not grow with the ledger.

pub mod batch;
mod cursor;
pub mod filter;
pub mod resume;
mod seek;
#[cfg(test)]
pub(in crate::ledger) mod tests;

use std::ops::{ControlFlow, Range};
use std::path::Path;
use std::sync::Arc;

use crate::abi::cap::CapMask;
use crate::abi::record::Record;
use crate::abi::sort::sort_by_key;
use crate::abi::sorted::{SortedMap, map};
use crate::control::target_info::RunId;

use super::error::LedgerError;
use super::folder::{FAILURES, Folder, Name};
use super::line::{Brief, Head, Line, Unread, Wall, decode};
use cursor::Cursor;
pub(in crate::ledger) use cursor::first_line;
use filter::{Filter, Search};
use resume::{Order, Position};

/// A ledger that is read.
#[derive(Debug)]
pub struct Reader {
    all: Folder,
    failures: Option<Folder>,
    /// By the time of their first line.
    segments: Vec<Known>,
    /// Segments whose first line a newer program wrote, or cannot be read.
    passed_over: Counts,
}

/// A segment, by its first line.
#[derive(Debug)]
struct Known {
    name: Name,
    head: Arc<Head>,
    /// Where its second line begins.
    body: u64,
    /// Its length when the ledger was opened.
    len: u64,
    of_failures: bool,
    /// Of a segment of failures: the lines with these numbers are in the other series, too.
    twice: Arc<[Range<u64>]>,
}

/// What a query has seen.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// Lines that matched.
    pub matched: u64,
    /// Lines that a newer program wrote; they were passed over.
    pub newer: u64,
    /// Lines, and first lines of segments, that cannot be read: torn by a crash, or damaged. A query that looks for raw
    /// bytes sees only those that contain them.
    pub unreadable: u64,
}

/// A line that matches, not yet read as a whole.
pub struct Found<'a> {
    /// Its bytes, without the newline.
    pub raw: &'a [u8],
    /// When it was written.
    pub wall: Wall,
    head: &'a Arc<Head>,
}

impl Found<'_> {
    /// Every capability that the kernel knew.
    pub fn known(&self) -> CapMask {
        self.head.known
    }

    /// The target of the segment.
    pub fn target(&self) -> &str {
        &self.head.target
    }

    /// Of a request that is over, what [`Brief`] keeps; `None` if the line is another one or has an unusual form:
    /// [`Self::read`] reads it.
    pub fn brief<'b>(&self, into: &'b mut Brief) -> Option<&'b Record> {
        into.read(self.head, self.raw)
    }

    /// Reads the line. One that cannot be read is counted in `counts`.
    pub fn read(&self, counts: &mut Counts) -> Option<Line> {
        match decode(Some(self.head), self.raw) {
            Ok(line) => return Some(line),
            Err(Unread::Newer) => counts.newer += 1,
            Err(Unread::Malformed) => counts.unreadable += 1,
        }
        counts.matched -= 1;
        None
    }
}

impl Reader {
    /// Opens the ledger in this folder.
    ///
    /// # Errors
    /// As for [`Folder::open`]; `ENOENT` if there is none.
    pub fn open(path: &Path) -> Result<Self, LedgerError> {
        let all = Folder::open(path, false)?;
        let failures = all.sub(FAILURES, false).ok();
        let mut reader = Self { all, failures, segments: Vec::new(), passed_over: Counts::default() };
        reader.list(false)?;
        if reader.failures.is_some() {
            reader.list(true)?;
        }
        reader.mark_twice();
        sort_by_key(&mut reader.segments, |known| (known.head.wall, known.name.pid, known.of_failures));
        Ok(reader)
    }

    /// Adds the segments of a series.
    fn list(&mut self, of_failures: bool) -> Result<(), LedgerError> {
        let Some(folder) = (if of_failures { self.failures.as_ref() } else { Some(&self.all) }) else { return Ok(()) };
        for name in folder.names()? {
            // Removed since, or not a file of this user.
            let Ok((file, stat)) = folder.segment(&name, false) else { continue };
            let len = u64::try_from(stat.st_size).unwrap_or(0);
            match first_line(&file, len) {
                Some(Ok((head, body))) => {
                    let head = Arc::new(head);
                    self.segments.push(Known { name, head, body, len, of_failures, twice: Arc::from([]) });
                }
                Some(Err(Unread::Newer)) => self.passed_over.newer += 1,
                Some(Err(Unread::Malformed)) => self.passed_over.unreadable += 1,
                // Empty: it is being made, or its first line could not be written.
                None => {}
            }
        }
        Ok(())
    }

    /// Finds out which failures are in the other series, too: those with the numbers of the lines that are left there of
    /// the same run. A segment with later numbers may be gone while an earlier one is left, where the clock went back.
    fn mark_twice(&mut self) {
        let mut spans: SortedMap<RunId, Vec<Range<u64>>> = SortedMap::new();
        for known in self.segments.iter().filter(|known| !known.of_failures) {
            spans.or_insert(known.head.run, Vec::new).extend(self.span(known));
        }
        let merged: SortedMap<RunId, Arc<[Range<u64>]>> =
            map(spans.into_iter().map(|(run, spans)| (run, Arc::from(merged(spans)))));
        for known in self.segments.iter_mut().filter(|known| known.of_failures) {
            known.twice = merged.get(&known.head.run).cloned().unwrap_or_default();
        }
        let mut segments = std::mem::take(&mut self.segments);
        segments.retain(|known| {
            let span = if known.of_failures { self.span(known) } else { None };
            span.is_none_or(|span| !known.twice.iter().any(|twice| twice.start <= span.start && span.end <= twice.end))
        });
        self.segments = segments;
    }

    /// The numbers of a segment's lines; `None` if no line is numbered, or the file cannot be read.
    fn span(&self, known: &Known) -> Option<Range<u64>> {
        let (file, _) = self.folder(known)?.segment(&known.name, false).ok()?;
        Some(known.head.n..seek::last_number(&file, known.body..known.len)? + 1)
    }

    fn folder(&self, known: &Known) -> Option<&Folder> {
        if known.of_failures { self.failures.as_ref() } else { Some(&self.all) }
    }

    /// The bytes of all its segments.
    pub fn bytes(&self) -> u64 {
        self.segments.iter().map(|known| known.len).sum()
    }

    /// When the first line and the last one were written; `None` if there is none.
    pub fn times(&self) -> Option<(Wall, Wall)> {
        let first = self.segments.iter().map(|known| known.head.wall).min()?;
        let last = |known: &Known| {
            let (file, _) = self.folder(known)?.segment(&known.name, false).ok()?;
            Some(seek::last_line(&file, &(known.body..known.len))?.max(known.head.wall))
        };
        Some((first, self.segments.iter().filter_map(last).max().unwrap_or(first)))
    }

    /// Calls `each` with every line that matches, oldest first, until it breaks.
    pub fn scan(&self, filter: &Filter, each: &mut dyn FnMut(&Found<'_>, &mut Counts) -> ControlFlow<()>) -> Counts {
        self.scan_from(filter, None, each).0
    }

    /// Like [`Self::scan`], from where an earlier query with this filter was stopped. If `each` breaks, it returns where
    /// to go on. Lines that are written to a segment after all of its lines were read are left out then.
    pub fn scan_from(
        &self,
        filter: &Filter,
        from: Option<&Position>,
        each: &mut dyn FnMut(&Found<'_>, &mut Counts) -> ControlFlow<()>,
    ) -> (Counts, Option<Position>) {
        let mut counts = if from.is_none() { self.passed_over } else { Counts::default() };
        let mut begun = from.map(|from| from.begun);
        let mut active: Vec<Cursor<'_>> = Vec::new();
        for known in self.segments.iter().filter(|known| from.is_some_and(|from| known.order() <= from.begun)) {
            let Some(offset) = from.and_then(|from| from.of(&known.name, known.of_failures)) else { continue };
            let Some(file) = self.open_segment(known) else { continue };
            active.extend(Cursor::resume(file, known, Search::new(filter, &known.head), offset, &mut counts));
        }
        let is_new = |known: &&Known| from.is_none_or(|from| known.order() > from.begun);
        let concerned = self.segments.iter().filter(|known| filter.may_concern(&known.head));
        let mut waiting = concerned.filter(is_new).peekable();
        loop {
            // A segment is opened when no open one has an older line.
            while let Some(next) = waiting.peek() {
                if active.iter().any(|cursor| cursor.wall() < next.head.wall) {
                    break;
                }
                let known = *next;
                waiting.next();
                begun = Some(known.order());
                // Removed since.
                let Some(file) = self.open_segment(known) else { continue };
                let search = Search::new(filter, &known.head);
                active.extend(Cursor::start(file, known, search, filter.since, &mut counts));
            }
            let Some(first) = (0..active.len()).min_by_key(|at| active[*at].wall()) else { return (counts, None) };
            counts.matched += 1;
            if each(&active[first].found(), &mut counts).is_break() {
                let open = active.iter().enumerate().map(|(at, cursor)| cursor.position(at == first)).collect();
                return (counts, begun.map(|begun| Position { begun, open }));
            }
            if !active[first].advance(&mut counts) {
                active.remove(first);
            }
        }
    }

    fn open_segment(&self, known: &Known) -> Option<std::fs::File> {
        self.folder(known)?.segment(&known.name, false).ok().map(|(file, _)| file)
    }
}

impl Known {
    fn order(&self) -> Order {
        (self.head.wall, self.name.pid, self.of_failures)
    }
}

/// Numbers without gaps between them, in their order.
fn merged(mut spans: Vec<Range<u64>>) -> Vec<Range<u64>> {
    sort_by_key(&mut spans, |span| span.start);
    let mut all: Vec<Range<u64>> = Vec::new();
    for span in spans {
        match all.last_mut().filter(|last| span.start <= last.end) {
            Some(last) => last.end = last.end.max(span.end),
            None => all.push(span),
        }
    }
    all
}
