//! Joins trace events, ends of processes and readings of /proc into observations. Pure: no clock and no system call.
//!
//! A thread queues a work; a kernel worker begins it, forks a process and executes the program; the process ends. The
//! address of the work joins the first two, the worker's pid the next, the helper's pid the rest. All of these are
//! reused, so the order of the times decides, and where events are lost between two that would be joined, the join is
//! marked as doubtful.
//!
//! The caller reads every source up to the present and only then lets the time advance to the moment before the reads.
//! An event that causes another is in its buffer before the other one happens, so it is always processed before it.

mod gaps;
mod input;
mod order;
mod outcome;
mod tables;

use crate::abi::wait::WaitStatus;

use super::askers::Asker;
use super::event::{Traced, What};
use super::observation::{Observation, Unknown};
use gaps::Gaps;
pub use input::{Counts, Exit, Input, Lost, Reading, Sources};
use order::Order;
use tables::Tables;

/// How long an end whose parent is not known waits for a report of lost events.
const HOLD: u64 = 250_000_000;
/// The most such ends that wait.
const ORPHANS: usize = 8192;
/// A helper that lives longer than this is reported when it has run for so long, and at its end; most end before, and are
/// reported at their end alone.
const LIVES: u64 = 20_000_000;
/// How long reading its files may take, before it is reported without them.
const UNREAD: u64 = 150_000_000;
/// The state of the join.
#[derive(Debug)]
pub struct Join {
    sources: Sources,
    order: Order,
    watermark: u64,
    tables: Tables,
    counts: Counts,
    /// The processes that run have never been listed.
    is_unlisted: bool,
    /// Forks are lost, and the processes that run have not been listed since: from when.
    unlisted: Option<u64>,
    out: Vec<Observation>,
    /// Helpers that were executed or found, and not yet told as started: since when.
    fresh: Vec<(u64, i32)>,
    started: Vec<Observation>,
}

impl Join {
    /// Nothing is known of the time before `since`.
    pub fn new(sources: Sources, since: u64) -> Self {
        let tables = Tables::new(sources, since);
        let counts = Counts::default();
        Self {
            sources,
            order: Order::default(),
            watermark: 0,
            tables,
            counts,
            is_unlisted: true,
            unlisted: None,
            out: Vec::new(),
            fresh: Vec::new(),
            started: Vec::new(),
        }
    }

    /// An event of `time`, in any order.
    pub fn push(&mut self, time: u64, input: Input) {
        self.counts.late += u64::from(time < self.watermark);
        self.order.push(time, input);
    }

    /// A trace event was read.
    pub const fn count(&mut self, source: Lost) {
        match source {
            Lost::Works => self.counts.works += 1,
            Lost::Forks => self.counts.forks += 1,
        }
    }

    /// Trace events between two times are lost: so many, or an unknown number.
    pub fn lose(&mut self, source: Lost, from: u64, to: u64, count: Option<u64>) {
        let lost = match source {
            Lost::Works => &mut self.counts.lost_works,
            Lost::Forks => &mut self.counts.lost_forks,
        };
        match count {
            Some(count) => *lost += count,
            None => self.counts.lost_unknown += 1,
        }
        match source {
            Lost::Works => self.tables.works.add(from, to),
            Lost::Forks => {
                self.tables.forks.add(from, to);
                self.unlisted = Some(self.unlisted.map_or(from, |already| already.min(from)));
            }
        }
    }

    /// Reports of ends are lost.
    pub const fn lose_exits(&mut self) {
        self.counts.exit_overruns += 1;
    }

    /// Processes events up to `watermark`, and returns the helpers that are complete. All sources must have been read
    /// up to this time.
    pub fn advance(&mut self, watermark: u64) -> Vec<Observation> {
        while let Some((time, input)) = self.order.pop(watermark) {
            match input {
                Input::Exit(exit) => self.exit(time, exit),
                Input::Read(pid, facts) => self.tables.read(pid, facts),
                Input::Traced(traced, reading) => self.traced(time, traced, reading),
            }
        }
        self.watermark = self.watermark.max(watermark);
        self.settle_orphans();
        self.tell_started();
        if !self.sources.exits {
            self.tables.without_ends(self.watermark, &mut self.out);
        }
        self.counts.helpers += self.out.len() as u64;
        std::mem::take(&mut self.out)
    }

    fn traced(&mut self, time: u64, traced: Traced, reading: Reading) {
        let by = traced.by;
        match traced.what {
            What::Module(request) => self.tables.module(time, by, request),
            What::Queued { work } => self.tables.queued(time, by, work, reading),
            What::Began { work } => self.tables.began(time, by, work),
            What::Done => self.tables.done(by),
            What::Forked { parent, child } => {
                if !self.tables.forked(time, parent, child, &mut self.out) {
                    self.counts.foreign_forks += 1;
                }
            }
            What::Executes { pid, file } => self.executed(time, pid, (Some(file), None)),
            What::Renamed { pid, comm } => self.executed(time, pid, (None, Some(comm))),
        }
    }

    fn executed(&mut self, time: u64, pid: i32, program: tables::Program) {
        if self.tables.executed(time, pid, program) {
            self.fresh.push((time, pid));
        }
    }

    /// Tells of the helpers that have lived for a while, once their files have been read.
    fn tell_started(&mut self) {
        let Self { tables, fresh, started, watermark, .. } = self;
        fresh.retain(|(since, pid)| {
            let Some(helper) = tables.helpers.get(pid) else { return false };
            let wait = if helper.facts.is_some() { LIVES } else { UNREAD };
            if since + wait > *watermark {
                return true;
            }
            started.extend(tables.so_far(*pid));
            false
        });
    }

    /// The helpers that have lived for a while and run on, each once; what is known of them so far.
    pub fn started(&mut self) -> Vec<Observation> {
        std::mem::take(&mut self.started)
    }

    fn exit(&mut self, time: u64, exit: Exit) {
        let status = Ok(WaitStatus::from_raw(exit.status));
        if let Some(observation) = self.tables.ended(time, exit.pid, status) {
            self.out.push(observation);
        } else if self.tables.is_kernel_thread_that_ended(exit.pid) {
            // A kernel thread.
        } else if exit.parent == tables::KTHREADD || self.tables.kernel_threads.contains(&exit.parent) {
            self.out.push(self.tables.without_partner(time, exit));
        } else if exit.parent != 0 {
            self.counts.foreign_exits += 1;
        } else if self.tables.orphans.len() < ORPHANS {
            self.tables.orphans.push_back((time, exit));
        } else {
            self.counts.foreign_exits += 1;
        }
    }

    /// An end without a known parent is a helper's only if its fork may be among lost events.
    fn settle_orphans(&mut self) {
        while let Some((time, exit)) = self.tables.orphans.front().copied() {
            let lost = self.sources.forks
                && (self.unlisted.is_some_and(|from| from <= time)
                    || self.tables.unlisted.between(time, time) == Some(Unknown::TraceLost));
            if !lost && time + HOLD > self.watermark {
                break;
            }
            self.tables.orphans.pop_front();
            if lost {
                self.out.push(self.tables.without_partner(time, exit));
            } else {
                self.counts.foreign_exits += 1;
            }
        }
    }

    /// Whether processes and kernel threads must be listed again ([`Join::listed`]), because forks were lost.
    pub const fn must_list(&self) -> bool {
        self.is_unlisted || self.unlisted.is_some()
    }

    /// All kernel threads, and all helpers that run, as they were found at `time`.
    pub fn listed(&mut self, time: u64, kernel_threads: impl IntoIterator<Item = i32>, helpers: &[i32]) {
        self.tables.kernel_threads.extend(kernel_threads);
        if let Some(from) = self.unlisted.take() {
            self.tables.unlisted.add(from, time);
        }
        let is_first = std::mem::replace(&mut self.is_unlisted, false);
        let why = if is_first { Unknown::BeforeWatch } else { Unknown::TraceLost };
        for pid in helpers {
            if self.tables.found(time, *pid, why) {
                // It has lived for a while already.
                self.fresh.push((time.saturating_sub(LIVES), *pid));
            }
        }
    }

    /// Whether a thread is one of the kernel, as far as is known.
    pub fn is_kernel_thread(&self, tid: i32) -> bool {
        self.tables.kernel_threads.contains(&tid)
    }

    /// The helpers that have not ended, as far as is known.
    pub fn running(&self) -> Vec<i32> {
        self.tables.helpers.keys().copied().collect()
    }

    /// A helper that is gone although no end was told.
    pub fn vanished(&mut self, pid: i32) {
        self.out.extend(self.tables.hand_out(pid, Err(Unknown::ExitLost), None));
    }

    /// The end of the watch: processes everything, and hands out the helpers that run.
    pub fn finish(&mut self) -> Vec<Observation> {
        let mut all = self.advance(u64::MAX);
        for pid in self.running() {
            all.extend(self.tables.hand_out(pid, Err(Unknown::StillRunning), None));
        }
        all
    }

    /// Whether the processes have been listed, and every helper that was found or executed has been told.
    pub const fn has_told_all(&self) -> bool {
        !self.must_list() && self.fresh.is_empty()
    }

    /// Whether no event waits for its turn.
    pub fn is_idle(&self) -> bool {
        let is_waiting = !self.sources.exits && !self.tables.helpers.is_empty();
        self.order.is_empty() && self.tables.orphans.is_empty() && self.fresh.is_empty() && !is_waiting
    }

    /// What was counted so far.
    pub const fn counts(&self) -> Counts {
        self.counts
    }

    /// The kernel threads that were made since the last call.
    pub fn new_kernel_threads(&mut self) -> Vec<i32> {
        std::mem::take(&mut self.tables.new_kernel_threads)
    }

    /// The requesters of the helpers that were forked since the last call, each with the helper's pid; those that are not
    /// in doubt.
    pub fn new_askers(&mut self) -> Vec<(i32, Asker)> {
        std::mem::take(&mut self.tables.new_askers)
    }

    /// How many things are kept.
    pub fn size(&self) -> usize {
        self.tables.size()
    }
}

#[cfg(test)]
mod replayed;
#[cfg(test)]
mod tests;
