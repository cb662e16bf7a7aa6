//! The tree of requests: who asked whom (REQ-12).

use std::sync::Arc;

use crate::abi::record::{Kind, Outcome, Record, State};
use crate::abi::snapshot::{Live, Snapshot};
use crate::abi::sorted::map;
use crate::policy::recursion::{Node, Row, forest};

/// A request in the tree.
#[derive(Clone, Debug, PartialEq)]
pub struct Entry {
    /// The request.
    pub id: u64,
    /// The request whose helper made it.
    pub asked_by: Option<u64>,
    /// Module request or helper call.
    pub kind: Kind,
    /// Module name or path (hostile bytes).
    pub title: Arc<[u8]>,
    /// Its state.
    pub state: State,
    /// Its helper, while it has one.
    pub pid: Option<i32>,
    /// Whether it holds a slot.
    pub slot: bool,
    /// Whether its caller has stopped waiting.
    pub abandoned: bool,
    /// Its record, if it has ended.
    pub ended: Option<Arc<Record>>,
    /// How often the same request was refused, this time included.
    pub times: usize,
}

/// The requests that have not ended, those that led to them, and those that were refused below them.
#[derive(Clone, Debug, Default, PartialEq)]
pub struct Tree {
    /// In the order of their ids.
    pub entries: Vec<Entry>,
}

impl Tree {
    /// The tree of these requests, which have not ended; `s` is the state of the engine.
    pub fn of(s: &Snapshot, live: &[Live]) -> Self {
        Self::with(s, live.iter().map(|live| Entry::live(live, s.slots.holders.contains(&live.id))).collect())
    }

    /// These requests, with the refusals that the snapshot still has of requests below them.
    pub(super) fn with(s: &Snapshot, entries: Vec<Entry>) -> Self {
        let mut all = map(entries.into_iter().map(|entry| (entry.id, entry)));
        let refused = s.last.iter().filter(|record| {
            record.outcome == Outcome::Refused && record.asked_by.is_some_and(|id| all.contains_key(&id))
        });
        let refused: Vec<Entry> = once_each(refused.cloned().map(Entry::ended).collect());
        for entry in refused {
            all.insert(entry.id, entry);
        }
        Self { entries: all.into_values().collect() }
    }

    /// The rows to show: each request below the one that asked for it.
    pub fn rows(&self) -> Vec<Row> {
        let nodes = self.entries.iter().map(|entry| Node {
            id: entry.id,
            asked_by: entry.asked_by,
            module: entry.kind == Kind::Module,
            name: &entry.title,
            slot: entry.slot,
        });
        forest(&nodes.collect::<Vec<_>>())
    }
}

impl Entry {
    fn live(live: &Live, slot: bool) -> Self {
        Self {
            id: live.id,
            asked_by: live.asked_by,
            kind: live.kind,
            title: live.title.clone(),
            state: live.state,
            pid: live.pid,
            slot,
            abandoned: live.abandoned,
            ended: None,
            times: 1,
        }
    }

    pub(super) fn ended(record: Arc<Record>) -> Self {
        Self {
            id: record.id,
            asked_by: record.asked_by,
            kind: record.kind,
            title: record.title().into(),
            state: record.state,
            pid: None,
            slot: false,
            abandoned: record.abandoned,
            ended: Some(record),
            times: 1,
        }
    }
}

/// Of refusals that are alike, the first in the list, with their number.
fn once_each(refused: Vec<Entry>) -> Vec<Entry> {
    let mut all: Vec<Entry> = Vec::new();
    let what = |entry: &Entry| (entry.asked_by, entry.title.clone(), entry.ended.as_ref().map(|r| (r.stage, r.errno)));
    for entry in refused {
        match all.iter_mut().find(|other| what(other) == what(&entry)) {
            Some(other) => other.times += 1,
            None => all.push(entry),
        }
    }
    all
}
