//! What a ledger that is being written keeps account of: numbers, helpers that run, and lines that were lost.

use std::collections::BTreeMap;

use nix::errno::Errno;

use crate::abi::record::{Outcome, Record};
use crate::control::target_info::RunId;

use super::clocks::Clocks;
use super::line::{Item, KeepOutput, Wall};
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
    /// Lines lost since the last one that says so, and why.
    pub(super) lost: u64,
    pub(super) errno: Option<Errno>,
    pub(super) closed: bool,
}

impl State {
    /// The bytes of all segments.
    pub(super) fn bytes(&self) -> u64 {
        self.all.bytes() + self.failures.bytes()
    }

    /// Appends a line about an event of `run`, of this one if `None`.
    pub(super) fn put(&mut self, clocks: &dyn Clocks, item: &Item, run: Option<RunId>) -> Result<(), Errno> {
        self.n += 1;
        let done = if self.closed { Err(Errno::ESHUTDOWN) } else { self.write(clocks, item, run) };
        self.note(item, run.unwrap_or(self.fixed.run));
        if let Err(errno) = done {
            (self.lost, self.errno) = (self.lost + 1, Some(errno));
        }
        done
    }

    /// Keeps account of the helpers that run and of the ids.
    fn note(&mut self, item: &Item, run: RunId) {
        let id = match item {
            Item::Started(running) | Item::StillRunning(running) => {
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

    fn write(&mut self, clocks: &dyn Clocks, item: &Item, run: Option<RunId>) -> Result<(), Errno> {
        let about = About { wall: clocks.wall(), n: self.n, run };
        let (mono, next_id) = (clocks.monotonic(), self.next_id);
        let lost = (self.lost > 0).then_some(Item::Lost { count: self.lost, errno: self.errno });
        let news = lost.iter().chain([item]);
        self.all.rotate((about, mono, next_id), &self.fixed, &self.open)?;
        self.all.append(about, news, self.output)?;
        self.lost = 0;
        if matches!(item, Item::Ended(record) if is_failure(record)) {
            self.failures.rotate((about, mono, next_id), &self.fixed, &BTreeMap::new())?;
            self.failures.append(about, [item], self.output)?;
        }
        Ok(())
    }

    /// Ends the segments in order.
    pub(super) fn close(&mut self, wall: Wall) -> Result<(), Errno> {
        let (next_id, open) = (self.next_id, self.open.len() as u64);
        let all = self.all.close(wall, &Item::End { next_id, open });
        all.and(self.failures.close(wall, &Item::End { next_id, open: 0 }))
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
