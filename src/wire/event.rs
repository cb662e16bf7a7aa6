//! The method `Watch`: its parameters, and its answers, which are events.

use std::sync::Arc;

use serde::{Deserialize, Serialize};
use serde_json::{Map, Value};

use crate::abi::event::{Event, EventKinds};
use crate::control::from_json;
use crate::control::target_info::{RunId, Seq};

use super::frame;
use super::method::Wrong;
use super::translate::{inward, outward};

/// The name of the method.
pub const WATCH: &str = "Watch";

/// The kinds of events, by the names of their fields in the interface. A failure is a `finished` event.
const KINDS: [(&str, EventKinds); 18] = [
    ("module_request", EventKinds::MODULE_REQUEST),
    ("waiting", EventKinds::WAITING),
    ("queued", EventKinds::QUEUED),
    ("started", EventKinds::STARTED),
    ("finished", EventKinds::FINISHED),
    ("finished_well", EventKinds::FINISHED_WELL),
    ("failed", EventKinds::FAILED),
    ("failed_no_wait", EventKinds::FAILED_NO_WAIT),
    ("released", EventKinds::RELEASED),
    ("abandoned", EventKinds::ABANDONED),
    ("signalled", EventKinds::SIGNALLED),
    ("knob_changed", EventKinds::KNOB_CHANGED),
    ("gate_changed", EventKinds::GATE_CHANGED),
    ("drain_failed", EventKinds::DRAIN_FAILED),
    ("lost", EventKinds::LOST),
    ("unpersisted", EventKinds::UNPERSISTED),
    ("denied", EventKinds::DENIED),
    ("log", EventKinds::LOG),
];

/// A subscription to events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Subscribe {
    /// Which events.
    pub kinds: EventKinds,
    /// Begin after this event of this run.
    pub from: Option<(RunId, Seq)>,
}

#[derive(Serialize, Deserialize)]
struct Parameters {
    kinds: Option<Vec<String>>,
    run: Option<RunId>,
    after: Option<Seq>,
}

impl Subscribe {
    /// The parameters of the call.
    pub fn parameters(&self) -> impl Serialize {
        let all = self.kinds == EventKinds::ALL;
        let mut left = self.kinds;
        let mut names = Vec::new();
        for (name, kinds) in KINDS {
            if left.contains(kinds) {
                left = left.without(kinds);
                names.push(name.to_owned());
            }
        }
        let (run, after) = self.from.unzip();
        Parameters { kinds: (!all).then_some(names), run, after }
    }

    /// Reads the parameters of a call.
    pub(super) fn read(parameters: Map<String, Value>) -> Result<Self, Wrong> {
        if let Some(unknown) = parameters.keys().find(|name| !["kinds", "run", "after"].contains(&name.as_str())) {
            return Err(Wrong::Parameter(unknown.clone()));
        }
        let parameters: Parameters =
            from_json::read(&Value::Object(parameters)).map_err(|error| Wrong::Parameter(error.to_string()))?;
        let kind = |name: String| {
            let found = KINDS.iter().find(|(own, _)| *own == name).map(|(_, kinds)| *kinds);
            found.ok_or_else(|| Wrong::Parameter(format!("kinds: {name}")))
        };
        let kinds = match parameters.kinds {
            None => EventKinds::ALL,
            Some(names) => {
                let kinds = names.into_iter().map(kind).collect::<Result<Vec<_>, _>>()?;
                kinds.into_iter().fold(EventKinds::NONE, EventKinds::or)
            }
        };
        match (parameters.run, parameters.after) {
            (None, Some(_)) => Err(Wrong::Parameter("run".to_owned())),
            (run, after) => Ok(Self { kinds, from: run.zip(Some(after.unwrap_or_default())) }),
        }
    }
}

#[derive(Default, Serialize)]
struct Answer {
    #[serde(skip_serializing_if = "Option::is_none")]
    run: Option<RunId>,
    #[serde(skip_serializing_if = "Option::is_none")]
    event: Option<Value>,
    #[serde(skip_serializing_if = "Option::is_none")]
    missed: Option<u64>,
    #[serde(skip_serializing_if = "Option::is_none")]
    withheld: Option<bool>,
}

/// The first answer to a watch: it is active from now on, and the engine has this run. `withheld`: its events come
/// without argv, environment and output (AUTH-4).
pub fn started(run: RunId, withheld: bool) -> Vec<u8> {
    frame::answer(&Answer { run: Some(run), withheld: withheld.then_some(true), ..Answer::default() }, true)
}

/// The answer for one event. It is the same for every watch, so it can be shared.
pub fn event(event: &Event) -> Arc<[u8]> {
    let mut value = from_json::value(event).unwrap_or_default();
    outward(&mut value);
    frame::answer(&Answer { event: Some(value), ..Answer::default() }, true).into()
}

/// The answer that reports a gap: this many events of the watch were lost here.
pub fn missed(count: u64) -> Vec<u8> {
    frame::answer(&Answer { missed: Some(count), ..Answer::default() }, true)
}

/// The last answer to a watch: the engine has ended.
pub fn ended() -> Vec<u8> {
    frame::answer(&Answer::default(), false)
}

/// An answer to a watch, as the client reads it.
#[derive(Clone, Debug, PartialEq)]
pub enum Item {
    /// The watch is active, and the engine has this run.
    Started(RunId),
    /// An event.
    Event(Arc<Event>),
    /// This many events were lost. An event of a kind that this version does not know counts as one.
    Missed(u64),
    /// The engine has ended.
    Ended,
}

/// Reads the values of an answer. The error says what is wrong with them.
pub(super) fn read(parameters: &str, continues: bool) -> Result<Item, String> {
    #[derive(Deserialize)]
    struct Read {
        run: Option<RunId>,
        event: Option<Value>,
        missed: Option<u64>,
    }
    let read: Read = from_json::parse(parameters.as_bytes()).map_err(|error| error.to_string())?;
    Ok(match read {
        Read { run: Some(run), .. } => Item::Started(run),
        Read { event: Some(mut event), .. } => {
            inward(&mut event)?;
            from_json::read(&event).map_or(Item::Missed(1), |event| Item::Event(Arc::new(event)))
        }
        Read { missed: Some(count), .. } => Item::Missed(count),
        _ if continues => return Err("an answer to Watch without an event".to_owned()),
        _ => Item::Ended,
    })
}
