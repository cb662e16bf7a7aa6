//! An event as JSON: one object, with the same names as in records.

use std::time::{Duration, SystemTime};

use serde::Serialize;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::escape::json;
use crate::abi::event::{Event, EventKind, Level};
use crate::abi::record::Record;
use crate::abi::snapshot::Snapshot;
use crate::abi::time::{Micros, rfc3339};

use super::record_json::{Entry, Source, V};

/// A wall clock reading and the engine's clock at the same moment: converts the times of events.
#[derive(Clone, Copy, Debug)]
pub struct Clock {
    wall: SystemTime,
    now: Micros,
}

impl Clock {
    /// These times are the same moment.
    pub const fn at(wall: SystemTime, now: Micros) -> Self {
        Self { wall, now }
    }

    /// The clocks of this state.
    pub const fn of(s: &Snapshot) -> Self {
        Self { wall: s.wall, now: s.now }
    }

    /// When an event happened, by the wall clock.
    pub fn wall(&self, at: Micros) -> SystemTime {
        let time = if at >= self.now {
            self.wall.checked_add(Duration::from_micros(at - self.now))
        } else {
            self.wall.checked_sub(Duration::from_micros(self.now - at))
        };
        time.unwrap_or(self.wall)
    }
}

/// The process behind an event.
#[derive(Serialize)]
struct By {
    origin: &'static str,
    pid: i32,
    uid: u32,
    loginuid: Option<u32>,
    comm: String,
}

impl From<&Actor> for By {
    fn from(actor: &Actor) -> Self {
        let comm = json(actor.comm.as_bytes());
        Self { origin: actor.origin.name(), pid: actor.pid, uid: actor.uid, loginuid: actor.loginuid, comm }
    }
}

/// One event; fields that it does not have are left out.
#[derive(Serialize)]
struct Object<'a> {
    v: u8,
    target: &'a str,
    run: &'a str,
    #[serde(skip_serializing_if = "Option::is_none")]
    seq: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    at: Option<String>,
    event: &'static str,
    #[serde(flatten)]
    more: More<'a>,
}

#[derive(Serialize)]
#[serde(untagged)]
enum More<'a> {
    Missed { count: u64 },
    Asked { id: u64, module: String, wait: bool, requester: By },
    Request { id: u64 },
    Started { id: u64, pid: i32 },
    Abandoned { id: u64, by: By },
    Signalled { id: u64, pid: i32, signal: i32, by: By },
    Knob { key: &'static str, before: String, after: String, not_granted: CapMask, warnings: Vec<&'a str>, by: By },
    Gate { from: &'static str, to: &'static str, by: By },
    DrainFailed { holdouts: &'a [u64], by: By },
    Lost { source: &'static str, count: Option<u64> },
    Unpersisted { keys: Vec<&'static str>, by: By },
    Denied { method: &'a str, why: &'a str, more: u64, by: By },
    Log { level: Level, text: String },
}

/// The end of a request: the fields of its record, then those of the event.
#[derive(Serialize)]
struct Ended<'a> {
    #[serde(flatten)]
    record: Entry<'a>,
    seq: u64,
    at: String,
    event: &'static str,
}

/// The object of an event. The end of a request has the fields of its record.
pub fn event(source: &Source, clock: Clock, event: &Event) -> String {
    let (seq, at) = (event.seq, rfc3339(clock.wall(event.at)));
    match parts(&event.kind) {
        (event, Ok(more)) => object(source, Some(seq), Some(at), event, more),
        (event, Err(record)) => text(&Ended { record: Entry::of(record, source), seq, at, event }),
    }
}

/// The object of a gap: this many events were lost here.
pub fn missed(source: &Source, count: u64) -> String {
    object(source, None, None, "missed", More::Missed { count })
}

fn object(source: &Source, seq: Option<u64>, at: Option<String>, event: &'static str, more: More<'_>) -> String {
    text(&Object { v: V, target: &source.target, run: &source.run, seq, at, event, more })
}

/// It has only strings, numbers and lists of them, which always serialize.
fn text(object: &impl Serialize) -> String {
    serde_json::to_string(object).unwrap_or_default()
}

/// The name of an event, and its own fields or its record.
fn parts(kind: &EventKind) -> (&'static str, Result<More<'_>, &Record>) {
    let (name, more) = match kind {
        EventKind::Finished(record) => return ("finished", Err(record)),
        EventKind::ModuleRequest { id, name, wait, actor } => {
            let (module, requester) = (json(name), By::from(&**actor));
            ("module_request", More::Asked { id: *id, module, wait: *wait, requester })
        }
        EventKind::Waiting { id } => ("waiting", More::Request { id: *id }),
        EventKind::Queued { id } => ("queued", More::Request { id: *id }),
        EventKind::Started { id, pid } => ("started", More::Started { id: *id, pid: *pid }),
        EventKind::Released { id } => ("released", More::Request { id: *id }),
        EventKind::Abandoned { id, actor } => ("abandoned", More::Abandoned { id: *id, by: By::from(&**actor) }),
        EventKind::Signalled { id, pid, signal, actor } => {
            ("signalled", More::Signalled { id: *id, pid: *pid, signal: *signal, by: By::from(&**actor) })
        }
        EventKind::KnobChanged { change, actor } => {
            let (before, after) = (change.before.text(), change.after.text());
            let warnings = change.warnings.iter().map(|warning| warning.as_str()).collect();
            let (key, not_granted, by) = (change.key.name(), change.not_granted, By::from(&**actor));
            ("knob_changed", More::Knob { key, before, after, not_granted, warnings, by })
        }
        EventKind::GateChanged { from, to, actor } => {
            ("gate_changed", More::Gate { from: from.name(), to: to.name(), by: By::from(&**actor) })
        }
        EventKind::DrainFailed { holdouts, actor } => {
            ("drain_failed", More::DrainFailed { holdouts, by: By::from(&**actor) })
        }
        EventKind::Unpersisted { keys, actor } => {
            let keys = keys.iter().map(|key| key.name()).collect();
            ("unpersisted", More::Unpersisted { keys, by: By::from(&**actor) })
        }
        EventKind::Denied { method, why, more, actor } => {
            ("denied", More::Denied { method, why, more: *more, by: By::from(&**actor) })
        }
        EventKind::Lost { source, count } => ("lost", More::Lost { source: source.name(), count: *count }),
        EventKind::Log(line) => ("log", More::Log { level: line.level(), text: line.text().into() }),
    };
    (name, Ok(more))
}

#[cfg(test)]
mod tests {
    use std::time::UNIX_EPOCH;

    use super::*;

    #[test]
    fn the_time_of_an_event_is_counted_from_a_state() {
        let clock = Clock { wall: UNIX_EPOCH + Duration::from_secs(10), now: 3_000_000 };
        assert_eq!(clock.wall(3_000_001), UNIX_EPOCH + Duration::from_micros(10_000_001));
        assert_eq!(clock.wall(2_000_000), UNIX_EPOCH + Duration::from_secs(9));
    }
}
