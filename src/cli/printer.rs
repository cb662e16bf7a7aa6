//! Prints the lines of `khelper log`. A second thread prints while the first one reads on, if there is much to print.

use std::panic::resume_unwind;
use std::sync::Arc;
use std::thread::{self, JoinHandle};
use std::time::SystemTime;

use crate::abi::cap::CapMask;
use crate::control::event_json::{self, Clock};
use crate::control::record_json::{Entry, Source};
use crate::control::text::log::{self, Times};
use crate::ledger::line::{Brief, Item, Line, time};
use crate::ledger::reader::batch::Batch;
use crate::ledger::reader::{Counts, Found};
use crate::sys::channel::{Sender, bounded};

use super::output::Answers;

/// How much is written at once.
const PIECE: usize = 64 * 1024;
/// How many batches wait for the second thread at most.
const WAITING: usize = 4;

/// Prints batches of lines, in their order.
pub(super) struct Printer {
    printed: Printed,
    thread: Option<(Sender<Batch>, JoinHandle<Printed>)>,
}

impl Printer {
    /// `now` is the time of reading. `utc`: times are in UTC. `json`: one object for each line.
    pub(super) fn new(now: SystemTime, utc: bool, json: bool) -> Self {
        let answers = Arc::default();
        Self { printed: Printed::new(now, utc, json, answers), thread: None }
    }

    /// Prints a batch after which more will come. Returns false if nothing more can be printed.
    pub(super) fn print(&mut self, batch: Batch) -> bool {
        if self.thread.is_none() {
            self.printed.flush();
            self.start();
        }
        match &self.thread {
            Some((to, _)) => to.send(batch).is_ok(),
            // No thread can be started.
            None => self.printed.batch(&batch),
        }
    }

    fn start(&mut self) {
        let (to, batches) = bounded::<Batch>(WAITING);
        let mut printed = self.printed.another();
        let work = move || {
            // If nothing more can be printed, the end of the channel tells the sender.
            let _ = batches.iter().all(|batch| printed.batch(&batch));
            printed.flush();
            printed
        };
        self.thread = thread::Builder::new().name("khelper-print".into()).spawn(work).ok().map(|thread| (to, thread));
    }

    /// Prints a line that a daemon sent. Returns false if nothing more can be printed.
    pub(super) fn line(&mut self, known: CapMask, line: &Line) -> bool {
        self.printed.whole(known, line);
        !self.printed.answers.is_over()
    }

    /// Prints the last batch. Returns what could not be read, and the exit code.
    pub(super) fn finish(mut self, last: &Batch) -> (Counts, u8) {
        if let Some((to, thread)) = self.thread.take() {
            drop(to);
            let counts = thread.join().unwrap_or_else(|panic| resume_unwind(panic)).counts;
            self.printed.counts.newer += counts.newer;
            self.printed.counts.unreadable += counts.unreadable;
        }
        self.printed.batch(last);
        self.printed.flush();
        (self.printed.counts, self.printed.answers.code(0))
    }
}

/// Lines that are being printed.
struct Printed {
    answers: Arc<Answers>,
    counts: Counts,
    now: SystemTime,
    utc: bool,
    json: bool,
    times: Times,
    brief: Brief,
    /// Not written yet.
    text: String,
}

impl Printed {
    fn new(now: SystemTime, utc: bool, json: bool, answers: Arc<Answers>) -> Self {
        let (times, brief) = (Times::new(now, utc), Brief::default());
        Self { answers, counts: Counts::default(), now, utc, json, times, brief, text: String::new() }
    }

    /// For another thread.
    fn another(&self) -> Self {
        Self::new(self.now, self.utc, self.json, self.answers.clone())
    }

    /// Prints some lines. Returns false if nothing more can be printed.
    fn batch(&mut self, batch: &Batch) -> bool {
        batch.for_each(|found| self.line(found));
        !self.answers.is_over()
    }

    fn line(&mut self, found: &Found<'_>) {
        let short = if self.json { None } else { found.brief(&mut self.brief) };
        if let Some(record) = short {
            log::request(&mut self.text, self.times.text(time(found.wall)), found.target(), record);
            self.text.push('\n');
        } else {
            self.counts.matched += 1;
            if let Some(line) = found.read(&mut self.counts) {
                self.whole(found.known(), &line);
            }
        }
        self.flush_when_full();
    }

    fn whole(&mut self, known: CapMask, line: &Line) {
        let shown = if self.json { object(line) } else { words(known, line, &mut self.times) };
        shown.iter().for_each(|shown| self.text.extend([shown, "\n"]));
        self.flush_when_full();
    }

    fn flush_when_full(&mut self) {
        // A write for each line would cost more than all the rest.
        if self.text.len() >= PIECE {
            self.flush();
        }
    }

    /// Writes what is left.
    fn flush(&mut self) {
        self.answers.write(self.text.as_bytes(), b"");
        self.text.clear();
    }
}

fn words(known: CapMask, line: &Line, times: &mut Times) -> Option<String> {
    let (at, target) = (times.text(time(line.wall)), &*line.target);
    match &line.item {
        Item::Ended(record) => {
            let mut line = String::new();
            log::request(&mut line, at, target, record);
            Some(line)
        }
        Item::Started(running) => Some(log::running(at, target, &running.record, false)),
        Item::StillRunning(running) => Some(log::running(at, target, &running.record, true)),
        Item::Changed(event) => log::change(at, target, &event.kind, known),
        Item::Lost { count, errno } => Some(log::lost(at, target, *count, *errno)),
        Item::Segment(_) | Item::Open(_) | Item::End { .. } => None,
    }
}

/// A line as one JSON object; `None` for a line about the ledger itself.
pub(super) fn object(line: &Line) -> Option<String> {
    let source = Source::new(&line.target, line.run);
    match &line.item {
        Item::Ended(record) => serde_json::to_string(&Entry::of(record, &source)).ok(),
        Item::Started(running) | Item::StillRunning(running) => {
            serde_json::to_string(&Entry::of(&running.record, &source)).ok()
        }
        Item::Changed(event) => Some(event_json::event(&source, Clock::at(time(line.wall), event.at), event)),
        Item::Lost { count, .. } => Some(event_json::missed(&source, *count)),
        Item::Segment(_) | Item::Open(_) | Item::End { .. } => None,
    }
}
