//! What a ledger that is being written keeps account of: numbers, helpers that run, and lines that were lost.

use nix::errno::Errno;

use crate::abi::record::{Outcome, Record};
use crate::control::target_info::RunId;

use super::clocks::Clocks;
use super::line::{Item, KeepOutput};
use super::series::{About, Fixed, Open, Series};

/// The state of a ledger that is being written.
pub(super) struct State {
    pub(super) all: Series,
    pub(super) failures: Series,
    pub(super) fixed: Fixed,
    pub(super) output: KeepOutput,
    /// The number of the last line.
    pub(super) n: u64,
    /// The id of the next request.
    pub(super) next_id: u64,
    /// Helpers that run.
    pub(super) open: Open,
    /// Losses that no line tells of yet.
    pub(super) lost: Losses,
    /// Failures that are missing in the series of failures alone.
    pub(super) failures_lost: Losses,
    pub(super) closed: bool,
}

/// Lines that were lost, and why the last write failed, if that is the cause.
#[derive(Clone, Copy, Default)]
pub(super) struct Losses {
    count: u64,
    errno: Option<Errno>,
}

impl Losses {
    fn add(&mut self, count: u64, errno: Option<Errno>) {
        *self = Self { count: self.count + count, errno: errno.or(self.errno) };
    }

    fn line(self) -> Option<Item> {
        (self.count > 0).then_some(Item::Lost { count: self.count, errno: self.errno })
    }
}

/// What has become of a line, in the series of all and in that of the failures.
#[derive(Clone, Copy)]
pub(super) struct Done {
    pub(super) all: Result<(), Errno>,
    pub(super) failures: Result<(), Errno>,
}

impl State {
    /// The bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.all.bytes() + self.failures.bytes()
    }

    /// Appends a line about an event of `run`, of this one if `None`.
    pub(super) fn put(&mut self, clocks: &dyn Clocks, item: &Item, run: Option<RunId>) -> Done {
        self.n += 1;
        let about = About { wall: clocks.wall(), n: self.n, run };
        let all = self.append(clocks.monotonic(), about, Some(item));
        self.note(item, run.unwrap_or(self.fixed.run));
        let failures = match item {
            Item::Ended(record) if is_failure(record) => self.append_failure(clocks.monotonic(), about, item),
            _ => Ok(()),
        };
        if let Err(errno) = all {
            self.lost.add(1, Some(errno));
        }
        if let Err(errno) = failures {
            self.failures_lost.add(1, Some(errno));
        }
        Done { all, failures }
    }

    /// Appends a line about `count` items that never reached the ledger.
    pub(super) fn lose(&mut self, clocks: &dyn Clocks, count: u64) -> Result<(), Errno> {
        self.n += count;
        self.lost.add(count, None);
        self.tell(clocks)
    }

    /// Appends a line about the losses that no line tells of yet.
    fn tell(&mut self, clocks: &dyn Clocks) -> Result<(), Errno> {
        let about = About { wall: clocks.wall(), n: self.n + 1, run: None };
        if self.lost.count == 0 { Ok(()) } else { self.append(clocks.monotonic(), about, None) }
    }

    /// Keeps account of the helpers that run and of the ids.
    fn note(&mut self, item: &Item, run: RunId) {
        let id = match item {
            Item::Started(running) | Item::StillRunning(running) | Item::Open(running) => {
                self.open.insert((run, running.record.id), running.clone());
                running.record.id
            }
            Item::Ended(record) => {
                self.open.remove(&(run, record.id));
                record.id
            }
            _ => return,
        };
        self.next_id = self.next_id.max(id.saturating_add(1));
    }

    /// Appends a line to the series of all, after one about the losses before it.
    fn append(&mut self, mono: u64, about: About, item: Option<&Item>) -> Result<(), Errno> {
        if self.closed {
            return Err(Errno::ESHUTDOWN);
        }
        let lost = self.lost.line();
        let lines =
            lost.iter().map(|lost| (About { n: 0, run: None, ..about }, lost)).chain(item.map(|item| (about, item)));
        self.all.rotate((about, mono, self.next_id), &self.fixed, &self.open)?;
        self.all.append(&lines.collect::<Vec<_>>(), self.output)?;
        self.lost = Losses::default();
        Ok(())
    }

    /// Appends a failure to the series of failures. The line about losses has the failure's number: a reader passes over
    /// both as long as the other series has the lines.
    fn append_failure(&mut self, mono: u64, about: About, item: &Item) -> Result<(), Errno> {
        if self.closed {
            return Err(Errno::ESHUTDOWN);
        }
        let lost = self.failures_lost.line();
        let lines = lost.iter().map(|lost| (About { run: None, ..about }, lost)).chain([(about, item)]);
        self.failures.rotate((about, mono, self.next_id), &self.fixed, &Open::new())?;
        self.failures.append(&lines.collect::<Vec<_>>(), self.output)?;
        self.failures_lost = Losses::default();
        Ok(())
    }

    /// Ends the segments in order, after a line about the last losses.
    pub(super) fn close(&mut self, clocks: &dyn Clocks) -> Result<(), Errno> {
        let told = self.tell(clocks);
        self.closed = true;
        let (wall, next_id, open) = (clocks.wall(), self.next_id, self.open.len() as u64);
        let all = self.all.close(wall, &Item::End { next_id, open });
        told.and(all).and(self.failures.close(wall, &Item::End { next_id, open: 0 }))
    }
}

/// Whether the record goes to the failures, too: everything but a helper that exited with status 0 in time, and no-ops.
fn is_failure(r: &Record) -> bool {
    match r.outcome {
        Outcome::Exited => r.timed_out || r.status.and_then(|s| s.exit_code()) != Some(0),
        Outcome::Noop => false,
        _ => true,
    }
}
