//! What earlier runs have left in a ledger: the last number, torn lines, and helpers whose end nobody has written.
//!
//! A segment that was closed in order, with no helper left, ends with a line that says so, and is not read here. Of the
//! others, those that nobody has locked are read once, ended with such a line, and never read here again.

#[cfg(test)]
mod tests;

use std::fs::File;
use std::io::{BufRead, BufReader, Read, Seek, SeekFrom};
use std::os::fd::OwnedFd;
use std::os::unix::fs::FileExt;
use std::sync::Arc;

use nix::errno::Errno;
use rustix::fs::{FlockOperation, flock};

use crate::abi::error::Stage;
use crate::abi::record::{Outcome, Record, State};
use crate::abi::sorted::SortedMap;
use crate::control::target_info::RunId;
use crate::sys::process;

use super::error::LedgerError;
use super::folder::{Folder, Name, errno};
use super::line::fields::{Fields, bytes, number};
use super::line::{Head, Item, KeepOutput, Line, MAX_LINE, Running, Wall, decode, encode, time_of};
use super::reader::first_line;
use super::segment::append;

/// The last line of a segment that was closed in order is shorter than this.
const LAST: u64 = 512;

/// Why the end of a helper of an earlier run is not known.
const RESTARTED: &str = "lost: daemon restarted while the helper ran";
const ENDED: &str = "lost: the helper ended while no engine ran";

/// The target of a watch of the kernel.
pub(super) const KERNEL: &str = "kernel";

/// A helper that no engine waits for any more.
pub(super) struct Orphan {
    pub(super) run: RunId,
    pub(super) running: Running,
    /// Becomes readable when the helper ends; `None` if it has ended.
    pub(super) process: Option<OwnedFd>,
}

/// Helpers of the kernel that were running when an earlier watch ended, and run still.
#[derive(Default)]
pub(super) struct LeftRunning {
    /// For the watch to take.
    pub(super) helpers: Vec<Running>,
    /// The runs that their lines are about, by their ids.
    pub(super) runs: SortedMap<u64, RunId>,
}

/// What earlier runs have left.
#[derive(Default)]
pub(super) struct Left {
    /// The id of the next request.
    pub(super) next_id: u64,
    pub(super) orphans: Vec<Orphan>,
    /// To be ended once the orphans are in the new segment.
    unended: Vec<Unended>,
}

/// A segment without its last line, locked by this process.
struct Unended {
    file: File,
    head: Head,
    /// The time of its newest line.
    last: Wall,
}

/// Helpers that have not ended, by their run and id.
type Open = SortedMap<(RunId, u64), Found>;

/// A helper that has not ended.
struct Found {
    line: Line,
    /// The first line of the segment that has the newest line about it.
    head: Arc<Head>,
}

/// Reads what is left in the folder, and ends torn lines with a newline. Helpers of the kernel are left to the next watch
/// of the kernel, which may find them running, and those of engines to the next engine.
pub(super) fn left_in(folder: &Folder, boot: &str, target: &str) -> Result<Left, LedgerError> {
    let mut left = Left { next_id: 1, ..Left::default() };
    let (mut open, mut others) = (Open::new(), Vec::new());
    for name in folder.names()? {
        // Removed since, or not a file of this user; then it is not this program's to repair either.
        let Ok((file, stat)) = folder.segment(&name, true) else { continue };
        let len = u64::try_from(stat.st_size).unwrap_or(0);
        let Some(Ok((head, body))) = first_line(&file, len) else { continue };
        let head = Arc::new(head);
        left.next_id = left.next_id.max(head.next_id);
        let is_ours = match closed_in_order(&file, &head) {
            Some((next_id, 0)) => {
                left.next_id = left.next_id.max(next_id);
                others.push((name, head, body));
                continue;
            }
            _ if (&*head.target == KERNEL) != (target == KERNEL) => false,
            _ => flock(&file, FlockOperation::NonBlockingLockExclusive).is_ok(),
        };
        // Its process, or another start, may have closed it in order before it was locked here.
        if is_ours && let Some((next_id, 0)) = closed_in_order(&file, &head) {
            left.next_id = left.next_id.max(next_id);
            others.push((name, head, body));
            continue;
        }
        // A process that has it locked keeps account of its own helpers.
        let (last_id, last) = read(&file, (&head, body), |key, event, line| {
            if is_ours {
                note(&mut open, &head, key, event, line);
            }
        });
        left.next_id = left.next_id.max(last_id.saturating_add(1));
        if is_ours {
            // If this fails, the disk is full: the next start tries again.
            let _ = end_torn_line(&file);
            left.unended.push(Unended { file, head: Head::clone(&head), last });
        } else {
            others.push((name, head, body));
        }
    }
    handed_on(folder, &others, &mut open);
    left.orphans = open.into_iter().filter_map(|((run, _), found)| orphan(run, found, boot)).collect();
    Ok(left)
}

/// Notes a start, or an end.
fn note(open: &mut Open, head: &Arc<Head>, key: (RunId, u64), event: Option<&[u8]>, line: &[u8]) {
    match event {
        None => _ = open.remove(&key),
        Some(b"\"started\"" | b"\"open\"" | b"\"still_running\"") => {
            if let Ok(line) = decode(Some(head), line) {
                open.insert(key, Found { line, head: head.clone() });
            }
        }
        _ => {}
    }
}

/// Removes the helpers of which a newer segment has a line that is closed, or that another process writes: they have
/// ended, or that segment keeps account of them. So it is where the last line of a segment could not be written, because
/// the disk was full.
fn handed_on(folder: &Folder, others: &[(Name, Arc<Head>, u64)], open: &mut Open) {
    for (name, head, body) in others {
        let is_newer = |than: &Head| match than.run == head.run {
            true => head.n > than.n,
            false => head.wall >= than.wall,
        };
        if !open.values().any(|found| is_newer(&found.head)) {
            continue;
        }
        // Removed since.
        let Ok((file, _)) = folder.segment(name, false) else { continue };
        read(&file, (head, *body), |key, _, _| {
            if open.get(&key).is_some_and(|found| is_newer(&found.head)) {
                open.remove(&key);
            }
        });
    }
}

impl Left {
    /// Ends the segments that were read. Call it when the orphans have been written to a new one.
    pub(super) fn end(self, now: Wall) {
        for Unended { file, head, last } in self.unended {
            let end = Item::End { next_id: self.next_id, open: 0 };
            let line = encode(&head, (now.max(last), 0, None), &end, KeepOutput::None);
            // If this fails, the next start reads the segment again.
            let _ = append(&file, &line);
            let _ = flock(&file, FlockOperation::Unlock);
        }
    }
}

impl Orphan {
    /// The record of its end: nobody knows how it ended.
    pub(super) fn ended(&self) -> Record {
        lost(&self.running.record, if self.process.is_some() { RESTARTED } else { ENDED })
    }
}

fn lost(record: &Record, why: &str) -> Record {
    Record {
        state: State::Ended,
        outcome: Outcome::Lost,
        stage: Some(Stage::Lost),
        errno: Some(Errno::ECHILD),
        said: Some(why.into()),
        result: None,
        ended_us: None,
        ..record.clone()
    }
}

fn orphan(run: RunId, found: Found, boot: &str) -> Option<Orphan> {
    let Found { line, head } = found;
    let (Item::Started(running) | Item::Open(running) | Item::StillRunning(running)) = line.item else { return None };
    let named = running.record.pid.zip(running.start_time).filter(|_| *head.boot == *boot && !boot.is_empty());
    // If no descriptor can be had (EMFILE), the helper counts as ended: that it is lost is true in any case.
    let process = named.and_then(|(pid, started)| process::open(pid, started).ok());
    Some(Orphan { run, running, process })
}

/// The last line, if it ends the segment: the id of the next request, and how many helpers were left.
fn closed_in_order(file: &File, head: &Head) -> Option<(u64, u64)> {
    let len = u64::try_from(rustix::fs::fstat(file).ok()?.st_size).ok()?;
    let mut text = vec![0; usize::try_from(LAST.min(len)).ok()?];
    file.read_exact_at(&mut text, len - LAST.min(len)).ok()?;
    let text = text.strip_suffix(b"\n")?;
    let begin = text.iter().rposition(|b| *b == b'\n')? + 1;
    match decode(Some(head), &text[begin..]).ok()?.item {
        Item::End { next_id, open } => Some((next_id, open)),
        _ => None,
    }
}

/// Reads a segment's ids and times, and calls `each` with every line about a request: its run and id, its event and the
/// line.
fn read(
    file: &File,
    (head, body): (&Head, u64),
    mut each: impl FnMut((RunId, u64), Option<&[u8]>, &[u8]),
) -> (u64, Wall) {
    let (mut last_id, mut last) = (0, head.wall);
    let mut from = file;
    if from.seek(SeekFrom::Start(body)).is_err() {
        return (last_id, last);
    }
    let mut lines = BufReader::with_capacity(MAX_LINE, from);
    let mut text = Vec::new();
    loop {
        text.clear();
        match (&mut lines).take(MAX_LINE as u64).read_until(b'\n', &mut text) {
            Ok(1..) => {}
            _ => return (last_id, last),
        }
        let Some(line) = text.strip_suffix(b"\n") else { continue };
        last = last.max(time_of(line).unwrap_or(last));
        let Some(Looked { event, run, id }) = looked(head, line) else { continue };
        if run == head.run {
            last_id = last_id.max(id);
        }
        each((run, id), event, line);
    }
}

/// What tells lines about requests apart.
struct Looked<'a> {
    event: Option<&'a [u8]>,
    run: RunId,
    id: u64,
}

fn looked<'a>(head: &Head, line: &'a [u8]) -> Option<Looked<'a>> {
    let (mut event, mut run) = (None, head.run);
    for (key, value) in Fields::of(line).ok()?.map_while(Result::ok) {
        match key {
            b"event" => event = Some(value),
            b"run" => run = RunId::parse(std::str::from_utf8(&bytes(value).ok()?).ok()?)?,
            b"id" => return Some(Looked { event, run, id: number(value).ok()? }),
            _ => {}
        }
    }
    None
}

/// Ends a line that a crash has torn, so that the next one is read.
fn end_torn_line(file: &File) -> Result<(), Errno> {
    let len = rustix::fs::fstat(file).map_err(errno)?.st_size;
    let mut last = [b'\n'];
    if len > 0 {
        file.read_exact_at(&mut last, u64::try_from(len - 1).unwrap_or(0)).map_err(|_| Errno::EIO)?;
    }
    if last == *b"\n" { Ok(()) } else { append(file, b"\n") }
}
