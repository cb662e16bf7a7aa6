//! What a ledger has recorded, for those who ask the engine that writes it. The ledger itself is on a higher floor: it
//! answers through [`LedgerView`].

use std::sync::Arc;

use serde::{Deserialize, Serialize};

use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::event::Event;
use crate::abi::glob::Globs;
use crate::abi::record::{Outcome, Record};
use crate::abi::safe_text::SafeText;
use crate::abi::wire;

use super::activity::query::Query;
use super::target_info::RunId;

/// Reads a ledger. Each question may take long, and none changes anything.
pub trait LedgerView: Send + Sync {
    /// The next lines of a query, oldest first.
    ///
    /// # Errors
    /// The ledger cannot be read; `EINVAL` for a `from` that no page gave.
    fn log(&self, question: &LogRequest) -> Result<LogPage, ControlError>;

    /// The newest request that fits.
    ///
    /// # Errors
    /// The ledger cannot be read.
    fn why(&self, question: &WhyRequest) -> Result<Told, ControlError>;
}

/// Selects lines; a line must match all that is given.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
#[serde(default)]
pub struct LogRequest {
    /// Written at this time or later, in microseconds since 1970.
    pub since: Option<i64>,
    /// Written before this time.
    pub until: Option<i64>,
    /// Requests that are over, with this outcome; [`Outcome::Running`] selects starts of helpers.
    pub outcome: Option<Outcome>,
    /// Requests whose module matches one of these.
    pub module: Globs,
    /// Requests and changes by a process with this uid.
    pub uid: Option<u32>,
    /// Requests by a process of this systemd unit.
    pub unit: Option<String>,
    /// Go on where a page ended ([`LogPage::next`]).
    pub from: Option<String>,
    /// The most lines of the page; 0 for as many as the ledger gives at once.
    pub most: usize,
    /// Requests that are over and match this, as a page of records would have them.
    pub query: Option<Box<Query>>,
    /// The newest lines first; only requests that are over.
    pub newest_first: bool,
    /// Lines of this target alone: `embedded`, `daemon` or `kernel`. It does not go over the wire, where the target of
    /// the call says it.
    #[serde(skip)]
    pub of: Option<String>,
}

/// Some lines of a query.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct LogPage {
    /// The lines.
    pub lines: Vec<Recorded>,
    /// Where the next page begins; `None` if this is the last one.
    pub next: Option<String>,
    /// Lines that were passed over because a newer program wrote them.
    pub newer: u64,
    /// Lines that cannot be read.
    pub unreadable: u64,
}

/// One line of a ledger.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Recorded {
    /// When it was written, in microseconds since 1970.
    pub at: i64,
    /// Its number in its run.
    pub n: u64,
    /// The start of the engine that it is about.
    pub run: RunId,
    /// The target of that engine.
    pub target: SafeText,
    /// Every capability that the kernel knew.
    pub known: CapMask,
    /// What it says.
    pub what: What,
}

/// What a line says.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum What {
    /// A request is over.
    Ended(Arc<Record>),
    /// A helper was started.
    Started(Running),
    /// A helper of an earlier run was alive when the ledger was opened.
    StillRunning(Running),
    /// A change of a knob or the gate, or what an operator did to a request.
    Changed(Event),
    /// Lines before this one could not be written.
    Lost {
        /// How many.
        count: u64,
        /// Why, if a write failed: the number of the errno.
        errno: Option<i32>,
    },
}

/// A helper that ran when the line was written.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
pub struct Running {
    /// The record as it was then.
    pub record: Arc<Record>,
    /// When its process started, in clock ticks since boot.
    pub start_time: Option<u64>,
}

/// Which request is meant: the newest one that fits.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
#[serde(rename_all = "snake_case")]
pub enum Which {
    /// By the module's name, the program's path or its file name.
    Name(#[serde(with = "wire::bytes")] Vec<u8>),
    /// By its number.
    Id(u64),
    /// By the pid of its helper or its requester.
    Pid(i32),
}

/// A question about one request.
#[derive(Clone, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(try_from = "Named")]
pub struct WhyRequest {
    /// The request.
    #[serde(flatten)]
    pub which: Which,
    /// Of this target alone, as in [`LogRequest::of`].
    #[serde(skip)]
    pub of: Option<String>,
}

/// [`WhyRequest`], as it is read: one of these.
#[derive(Deserialize)]
struct Named {
    #[serde(default, with = "wire::bytes")]
    name: Option<Arc<[u8]>>,
    id: Option<u64>,
    pid: Option<i32>,
}

impl TryFrom<Named> for WhyRequest {
    type Error = &'static str;

    fn try_from(named: Named) -> Result<Self, Self::Error> {
        let which = match named {
            Named { name: Some(name), id: None, pid: None } => Which::Name(name.to_vec()),
            Named { name: None, id: Some(id), pid: None } => Which::Id(id),
            Named { name: None, id: None, pid: Some(pid) } => Which::Pid(pid),
            Named { .. } => return Err("one of name, id and pid is needed"),
        };
        Ok(Self { which, of: None })
    }
}

/// What is known about one request.
#[derive(Clone, Debug, Default, PartialEq, Serialize, Deserialize)]
pub struct Told {
    /// Its newest line: an end, or a start; `None` if nothing is known.
    pub line: Option<Box<Recorded>>,
    /// Of a start: whether the helper's process lives.
    pub alive: Option<bool>,
    /// What operators did to it.
    pub acts: Vec<Recorded>,
    /// How many other requests fit and are over.
    pub earlier: u64,
    /// Lines that were passed over because a newer program wrote them.
    pub newer: u64,
    /// Lines that cannot be read.
    pub unreadable: u64,
}

impl Recorded {
    /// The record of a request or a helper.
    pub fn record(&self) -> Option<&Arc<Record>> {
        match &self.what {
            What::Ended(record) => Some(record),
            What::Started(running) | What::StillRunning(running) => Some(&running.record),
            What::Changed(_) | What::Lost { .. } => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::control::from_json;

    #[test]
    fn a_question_names_one_request() {
        for which in [Which::Name(b"a\xff".to_vec()), Which::Id(3), Which::Pid(4)] {
            let question = WhyRequest { which, of: None };
            let value = from_json::value(&question).unwrap();
            assert_eq!(from_json::read::<WhyRequest>(&value).unwrap(), question, "{value}");
        }
        let read = |text: &str| from_json::parse::<WhyRequest>(text.as_bytes()).map(|question| question.which);
        assert_eq!(read("{\"name\":null,\"id\":3,\"pid\":null}").unwrap(), Which::Id(3));
        let why = |text: &str| read(text).unwrap_err().to_string();
        assert_eq!(why("{\"id\":3,\"pid\":3}"), "one of name, id and pid is needed");
        assert_eq!(why("{}"), "one of name, id and pid is needed");
        assert_eq!(why("{\"id\":-3}"), "invalid value: integer `-3`, expected u64");
    }
}
