//! The registry: live requests, the newest 10,000 records, totals and events. Only `snapshot` takes other locks under
//! the registry's lock.

mod ended;
pub(super) mod kept;
mod lookup;

use std::collections::{BTreeMap, VecDeque};
use std::sync::Arc;

use crate::abi::actor::Actor;
use crate::abi::time::Micros;

use super::bus::Bus;
use super::call::Call;
use super::cancel::Cancel;
use super::lineage::Lineage;
use super::sink::Sink;
use super::totals;
use crate::abi::event::{EventKind, Level};
use crate::abi::knob_value::{Change, Provenance};
use crate::abi::log::{LogKind, LogLine};
use crate::abi::record::{Record, State};
use crate::abi::sink::Changed;
use crate::abi::snapshot::{Live, Totals};
use crate::policy::recursion::Asker;

use ended::Ended;

/// Records kept.
const RECORDS: usize = 10_000;
/// Warnings kept for the snapshot.
const WARNINGS: usize = 16;

/// A request that has not ended.
struct Entry {
    live: Live,
    cancel: Cancel,
    draft: Arc<Record>,
    call: Option<Arc<Call>>,
    /// The actor that ended the caller's wait, if any did.
    abandoned_by: Option<Arc<Actor>>,
    /// The request whose helper made it.
    asked_by: Option<Arc<Asker>>,
}

/// Live requests, ended records, totals and events.
pub(super) struct Registry {
    pub(super) bus: Bus,
    /// The id of the last request.
    last_id: u64,
    /// The id of this run's first request, less 1.
    before_first: u64,
    live: BTreeMap<u64, Entry>,
    ended: Ended,
    /// How many records were dropped, which is the serial number of the first record in `ended`.
    first: u64,
    /// Serial numbers of the records that still have text, oldest first.
    texts: VecDeque<u64>,
    text_bytes: usize,
    text_budget: usize,
    pub(super) totals: Totals,
    pub(super) warnings: VecDeque<LogLine>,
    /// The last change of each knob, in the order of the changes.
    pub(super) provenance: Vec<Provenance>,
    /// Helper processes alive (`khelper.live`).
    pub(super) processes: u32,
    /// Calls queued for a worker (`khelper.queued`).
    pub(super) queued: u32,
    /// Receives every record and change, in the order in which the registry does.
    pub(super) sink: Option<Arc<Sink>>,
    /// The number of lost items at which the next log line about the sink is due.
    lost_to_log: u64,
    /// Which request came from which.
    pub(super) lineage: Lineage,
}

impl Registry {
    pub(super) fn new(text_budget: usize, sink: Option<Arc<Sink>>, first_id: u64) -> Self {
        let before_first = first_id.saturating_sub(1);
        Self {
            bus: Bus::default(),
            last_id: before_first,
            before_first,
            live: BTreeMap::new(),
            ended: Ended::new(RECORDS),
            first: 0,
            texts: VecDeque::new(),
            text_bytes: 0,
            text_budget,
            totals: Totals::default(),
            warnings: VecDeque::new(),
            provenance: Vec::new(),
            processes: 0,
            queued: 0,
            sink,
            lost_to_log: 1,
            lineage: Lineage::default(),
        }
    }

    /// Starts a request: gives it an id and adds it to the live requests.
    pub(super) fn begin(&mut self, record: &mut Record, cancel: Cancel, asked_by: Option<Arc<Asker>>) {
        self.last_id += 1;
        self.totals.requests += 1;
        record.id = self.last_id;
        let live = Live {
            id: record.id,
            kind: record.kind,
            title: record.title().into(),
            state: record.state,
            abandoned: false,
            at: record.at,
            pid: None,
            actor: record.actor.clone(),
            asked_by: record.asked_by,
        };
        let draft = Arc::new(record.clone());
        self.live.insert(record.id, Entry { live, cancel, draft, call: None, abandoned_by: None, asked_by });
    }

    /// Marks a request as queued for a worker.
    pub(super) fn queue(&mut self, at: Micros, call: Arc<Call>) {
        let id = call.id;
        if let Some(entry) = self.live.get_mut(&id) {
            entry.live.state = State::Queued;
            entry.call = Some(call);
            self.queued += 1;
            self.bus.emit(at, EventKind::Queued { id });
        }
    }

    /// Marks a request as running; `record` has the helper's pid.
    pub(super) fn started(&mut self, at: Micros, record: &Record) {
        let id = record.id;
        let (Some(entry), Some(pid)) = (self.live.get_mut(&id), record.pid) else { return };
        entry.live.state = State::Running;
        entry.live.pid = Some(pid);
        self.lineage.started(record, entry.live.title.clone(), pid, entry.asked_by.clone());
        self.queued -= 1;
        self.processes += 1;
        self.totals.launched += 1;
        self.totals.queue_times.add(record.started_us.unwrap_or_default());
        self.bus.emit(at, EventKind::Started { id, pid });
        self.give_sink(at, |sink| sink.started(record));
    }

    /// Marks a request as abandoned by its caller.
    pub(super) fn abandoned(&mut self, at: Micros, id: u64) {
        self.totals.abandoned += 1;
        if let Some(entry) = self.live.get_mut(&id) {
            entry.live.abandoned = true;
            let actor = entry.abandoned_by.take().unwrap_or_else(|| entry.live.actor.clone());
            self.emit(at, EventKind::Abandoned { id, actor });
        }
    }

    /// Ends a request: removes it from the live requests and keeps its record.
    pub(super) fn finish(&mut self, at: Micros, record: Arc<Record>) {
        if let Some(entry) = self.live.remove(&record.id) {
            match entry.live.state {
                State::Queued => self.queued -= 1,
                State::Running => self.processes -= 1,
                State::Waiting | State::Ended => {}
            }
            if let Some(pid) = entry.live.pid {
                self.lineage.ended(pid, record.id, at);
            }
        }
        totals::ended(&mut self.totals, at, &record);
        self.keep(record.clone());
        self.bus.emit(at, EventKind::Finished(record.clone()));
        self.give_sink(at, |sink| sink.finished(&record));
    }

    /// Emits an event that changes no request. The sink gets it too, if it is a change.
    pub(super) fn emit(&mut self, at: Micros, kind: EventKind) {
        let change = (self.sink.is_some() && Changed::includes(&kind)).then(|| kind.clone());
        self.bus.emit(at, kind);
        if let Some(kind) = change {
            let seq = self.bus.seq();
            self.give_sink(at, |sink| sink.changed(seq, at, kind));
        }
    }

    /// Puts an item into the sink's queue, if there is a sink. `put` returns how many items were lost so far; the
    /// first, the tenth, the hundredth and so on are logged.
    fn give_sink(&mut self, at: Micros, put: impl FnOnce(&Sink) -> u64) {
        let Some(lost) = self.sink.as_deref().map(put) else { return };
        if lost >= self.lost_to_log {
            while lost >= self.lost_to_log {
                self.lost_to_log = self.lost_to_log.saturating_mul(10);
            }
            self.log(at, LogKind::SinkLost { lost });
        }
    }

    /// Keeps the newest records, and the newest text within the budget (UMH-13).
    fn keep(&mut self, record: Arc<Record>) {
        if self.ended.len() == RECORDS {
            self.drop_text(self.first);
            self.ended.pop_oldest();
            self.first += 1;
            self.totals.records_dropped += 1;
        }
        let serial = self.first + self.ended.len() as u64;
        let bytes = record.output.as_ref().map_or(0, |output| output.bytes());
        self.ended.push(record);
        if bytes > 0 {
            self.texts.push_back(serial);
            self.text_bytes += bytes;
        }
        while self.text_bytes > self.text_budget
            && let Some(oldest) = self.texts.front().copied()
        {
            self.drop_text(oldest);
        }
    }

    /// Drops the output of the record with this serial number, if it is the oldest that still has any.
    fn drop_text(&mut self, serial: u64) {
        if self.texts.front() != Some(&serial) {
            return;
        }
        self.texts.pop_front();
        let bytes = self.ended.drop_output(usize::try_from(serial - self.first).unwrap_or(usize::MAX));
        self.text_bytes -= bytes;
        self.totals.text_dropped += bytes as u64;
    }

    /// Logs a line; the newest warnings are kept for the snapshot.
    pub(super) fn log(&mut self, at: Micros, kind: LogKind) {
        if kind.level() >= Level::Warning {
            self.warnings.truncate(WARNINGS - 1);
            self.warnings.push_front(LogLine { at, kind: kind.clone() });
        }
        self.bus.emit(at, EventKind::Log(kind));
    }

    /// Records a knob's change and emits `event`, under one hold of the lock, so that the event and the provenance
    /// agree.
    pub(super) fn changed(&mut self, provenance: Provenance, event: impl FnOnce(Arc<Change>, Arc<Actor>) -> EventKind) {
        let kind = event(provenance.change.clone(), provenance.actor.clone());
        self.emit(provenance.at, kind);
        self.provenance.retain(|last| last.change.key != provenance.change.key);
        self.provenance.push(provenance);
    }
}
