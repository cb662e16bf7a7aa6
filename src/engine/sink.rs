//! The engine's side of a record sink: the items in its queue, and the thread that delivers them.

use std::io;
use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::{Arc, Weak};

use crate::abi::event::{Event, EventKind};
use crate::abi::record::{Args, Record};
use crate::abi::sink::{Changed, LedgerState, RecordSink};
use crate::abi::time::Micros;
use crate::sys::host::Host;
use crate::sys::process;

use super::sink_queue::{Handed, SinkQueue};
use super::sync::spawn;

/// How long the engine waits for a sink when it ends: 1 s, in microseconds.
const PATIENCE: Micros = 1_000_000;
/// The size of an item in bytes, without the bytes that its record points to.
const ITEM: usize = size_of::<Record>() + 256;

enum Item {
    Started(Arc<Record>),
    Finished(Arc<Record>),
    Changed(Changed),
}

/// The queue of a sink. It is dropped with the engine's last thread; the sink's thread then ends once the queue is
/// empty.
pub(super) struct Sink {
    queue: SinkQueue<Item>,
    host: Arc<dyn Host>,
    to: Weak<dyn RecordSink>,
}

impl Drop for Sink {
    fn drop(&mut self) {
        self.queue.close();
    }
}

impl Sink {
    /// Starts the thread that delivers items to `to`, through a queue of at most `bytes`.
    pub(super) fn start(to: Arc<dyn RecordSink>, bytes: usize, host: Arc<dyn Host>) -> io::Result<Arc<Self>> {
        let queue = SinkQueue::new(bytes);
        let served = queue.clone();
        // The thread alone keeps the sink: it is dropped when that thread has ended.
        let weak = Arc::downgrade(&to);
        let run = move || {
            // The queue is filled by threads that start helpers: this one must not fall behind them.
            process::prefer_this_thread();
            served.serve(|item| catch_unwind(AssertUnwindSafe(|| hand_over(&*to, &item))).is_ok());
        };
        spawn("khelper-sink", run)?;
        Ok(Arc::new(Self { queue, host, to: weak }))
    }

    /// Queues the start of a helper. Returns how many items were lost so far, as the next two functions do.
    pub(super) fn started(&self, record: &Record) -> u64 {
        self.queue.push(Item::Started(Arc::new(record.clone())), size(record))
    }

    /// Queues the end of a request.
    pub(super) fn finished(&self, record: &Arc<Record>) -> u64 {
        self.queue.push(Item::Finished(record.clone()), size(record))
    }

    /// Queues a change: the event `seq`.
    pub(super) fn changed(&self, seq: u64, at: Micros, kind: EventKind) -> u64 {
        let change = Changed { wall: self.host.clock().wall(), event: Event { seq, at, kind } };
        self.queue.push(Item::Changed(change), ITEM)
    }

    /// How many items the sink did not get.
    pub(super) fn lost(&self) -> u64 {
        self.queue.lost()
    }

    /// The state of the ledger, if the sink is one.
    pub(super) fn ledger(&self) -> Option<LedgerState> {
        self.to.upgrade()?.ledger()
    }

    /// Waits until the sink has received what is queued now, but at most 1 s. Call it without holding a lock.
    pub(super) fn flush(&self) {
        let clock = self.host.clock();
        self.queue.flush(clock, clock.now().saturating_add(PATIENCE));
    }
}

fn hand_over(to: &dyn RecordSink, item: &Handed<Item>) {
    match item {
        Handed::Item(Item::Started(record)) => to.started(record),
        Handed::Item(Item::Finished(record)) => to.finished(record),
        Handed::Item(Item::Changed(change)) => to.changed(change),
        Handed::Lost(count) => to.lost(*count),
    }
}

/// The size of a queued record, in bytes.
fn size(record: &Record) -> usize {
    let sum = |list: &[Box<[u8]>]| list.iter().map(|s| s.len() + size_of::<Box<[u8]>>()).sum::<usize>();
    let args = match &record.args {
        Args::Module => 0,
        Args::List(list) => sum(list),
    };
    let output = record.output.as_ref().map_or(0, |o| o.bytes());
    ITEM + args + sum(&record.env) + record.title().len() + output
}
