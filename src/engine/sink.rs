//! The engine's side of a record sink: what goes into its queue, and the thread that hands it over.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::Arc;

use crate::abi::event::{Event, EventKind};
use crate::abi::record::{Args, Record};
use crate::abi::sink::{Changed, RecordSink};
use crate::abi::time::Micros;
use crate::sys::host::Host;

use super::sink_queue::SinkQueue;
use super::sync::thread;

/// How long the engine's end waits for a sink: 1 s, in microseconds.
const PATIENCE: Micros = 1_000_000;
/// What an item counts beside the bytes that its record points to.
const ITEM: usize = size_of::<Record>() + 256;

enum Item {
    Started(Arc<Record>),
    Finished(Arc<Record>),
    Changed(Changed),
}

/// The queue of a sink. Dropped with the engine's last thread, which ends the sink's thread once the queue is empty.
pub(super) struct Sink {
    queue: SinkQueue<Item>,
    host: Arc<dyn Host>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Sink {
    /// Starts the thread that hands over to `to`, through a queue of at most `bytes`.
    pub(super) fn start(to: Arc<dyn RecordSink>, bytes: usize, host: Arc<dyn Host>) -> io::Result<Arc<Self>> {
        let queue = SinkQueue::new(bytes);
        let served = queue.clone();
        let run = move || served.serve(|item| catch_unwind(AssertUnwindSafe(|| hand_over(&*to, &item))).is_ok());
        thread::Builder::new().name("khelper-sink".into()).spawn(run)?;
        Ok(Arc::new(Self { queue, host }))
    }

    /// A helper runs. Returns how many items have been lost so far, as the next two do.
    pub(super) fn started(&self, record: &Record) -> u64 {
        self.queue.push(Item::Started(Arc::new(record.clone())), size(record))
    }

    /// A request is over.
    pub(super) fn finished(&self, record: &Arc<Record>) -> u64 {
        self.queue.push(Item::Finished(record.clone()), size(record))
    }

    /// Something was changed: event `seq`.
    pub(super) fn changed(&self, seq: u64, at: Micros, kind: EventKind) -> u64 {
        let change = Changed { wall: self.host.clock().wall(), event: Event { seq, at, kind } };
        self.queue.push(Item::Changed(change), ITEM)
    }

    /// Items that the sink did not get.
    pub(super) fn lost(&self) -> u64 {
        self.queue.lost()
    }

    /// Waits until the sink has got what is queued now, up to 1 s. To be called without a lock.
    pub(super) fn flush(&self) {
        let clock = self.host.clock();
        self.queue.flush(clock, clock.now().saturating_add(PATIENCE));
    }
}

fn hand_over(to: &dyn RecordSink, item: &Item) {
    match item {
        Item::Started(record) => to.started(record),
        Item::Finished(record) => to.finished(record),
        Item::Changed(change) => to.changed(change),
    }
}

/// The bytes that a queued record holds.
fn size(record: &Record) -> usize {
    let sum = |list: &[Box<[u8]>]| list.iter().map(|s| s.len() + size_of::<Box<[u8]>>()).sum::<usize>();
    let args = match &record.args {
        Args::Module => 0,
        Args::List(list) => sum(list),
    };
    let output = record.output.as_ref().map_or(0, |o| o.stdout.len() + o.stderr.len());
    ITEM + args + sum(&record.env) + record.title().len() + output
}
