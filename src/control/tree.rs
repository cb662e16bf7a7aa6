//! The tree of requests at a target: who asked whom (REQ-12).

use std::collections::{BTreeMap, BTreeSet};
use std::sync::Arc;

use crate::abi::actor::Actor;
use crate::abi::error::ControlError;
use crate::abi::record::{Kind, Outcome, Record, State};
use crate::abi::snapshot::{Live, Snapshot};
use crate::policy::recursion::{Node, Row, forest};

use super::ask::ask;
use super::command::{Command, Reply};
use super::target::Target;

/// How often requests are read that led to those already read. Each time leads one request further up.
const WAYS_UP: usize = 64;

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

    /// The tree of these requests, and of those that led to them although they have ended.
    pub fn read(target: &dyn Target, by: &Actor, s: &Snapshot, live: &[Live]) -> Result<Self, ControlError> {
        let mut tree = Self::of(s, live);
        for _ in 0..WAYS_UP {
            let has = |id: &u64| tree.entries.binary_search_by_key(id, |entry| entry.id).is_ok();
            let missing: BTreeSet<u64> =
                tree.entries.iter().filter_map(|entry| entry.asked_by).filter(|id| !has(id)).collect();
            if missing.is_empty() {
                break;
            }
            let Reply::Records(records) = ask(target, by, Command::Records(missing.into_iter().collect()))? else {
                break;
            };
            if records.is_empty() {
                break;
            }
            tree.entries.extend(records.into_iter().map(Entry::ended));
            tree = Self::with(s, tree.entries);
        }
        Ok(tree)
    }

    /// These requests, with the refusals that the snapshot still has of requests below them.
    fn with(s: &Snapshot, entries: Vec<Entry>) -> Self {
        let mut all: BTreeMap<u64, Entry> = entries.into_iter().map(|entry| (entry.id, entry)).collect();
        let refused = s.last.iter().filter(|record| {
            record.outcome == Outcome::Refused && record.asked_by.is_some_and(|id| all.contains_key(&id))
        });
        let refused: Vec<Entry> = once_each(refused.cloned().map(Entry::ended).collect());
        all.extend(refused.into_iter().map(|entry| (entry.id, entry)));
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

    fn ended(record: Arc<Record>) -> Self {
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

#[cfg(test)]
mod tests {
    use super::*;
    use crate::abi::actor::{Comm, Origin};
    use crate::abi::knob_value::KnobValue;
    use crate::abi::process::Process;
    use crate::control::local::Local;
    use crate::control::testing::actor;
    use crate::control::text::tree::lines;
    use crate::engine::{Caller, Engine};
    use crate::sys::fake::{FOREVER, FakeHost, Script};

    /// Makes a request from a process of the helper's session.
    fn from(host: &FakeHost, engine: &Engine, helper: i32, name: &str) -> std::thread::JoinHandle<Arc<Record>> {
        let pid = helper + 5000;
        let process = Process { pid, comm: Comm::new(b"sh"), parent: 1, session: helper, start_time: 7, started: 0 };
        host.change(|m| m.processes.push(process));
        let by = Caller { actor: Some(Actor::new(Origin::Outside, pid, 0, 0, b"sh").into()), ..Caller::default() };
        let (engine, name) = (engine.clone(), name.to_owned());
        std::thread::spawn(move || engine.request_module_as(name, true, &by))
    }

    #[test]
    fn req_12_the_tree_has_ended_parents_and_refused_children() {
        let host = FakeHost::new();
        host.script("/sbin/modprobe", Script { runs: FOREVER, ..Script::default() });
        let engine = Engine::builder().host(host.clone()).start().unwrap();
        let target = Local::new(engine.clone());
        let limit = Command::Write(vec![(crate::abi::knob::Key::MaxConcurrent, KnobValue::Number(2))]);
        ask(&target, &actor(), limit).unwrap();
        let first = std::thread::spawn({
            let engine = engine.clone();
            move || engine.request_module("a", true)
        });
        host.wait_for("a helper", |now| now.running == 1);
        let second = from(&host, &engine, 1001, "b");
        host.wait_for("a helper", |now| now.running == 2);
        for _ in 0..3 {
            from(&host, &engine, 1002, "a").join().unwrap();
        }
        engine.kill(1, 9).unwrap();
        first.join().unwrap();
        let tree = || Tree::read(&target, &actor(), &engine.snapshot(), &engine.snapshot().running).unwrap();
        let all = lines(&tree());
        let expected = [
            "#1 request \"a\"  ended, killed by SIGKILL (raw 9)",
            "└ #2 request \"b\"  pid 1002  holds a slot",
            "  └ #5 request \"a\"  refused ENOMEM  3 times   loop: a → b → a, 1 slot; `khelper kill --chain '#1'`",
        ];
        assert_eq!(all, expected);
        let end = Command::KillChain { id: 1, signal: 15 };
        let Ok(Reply::ChainEnded(ended)) = ask(&target, &actor(), end) else { panic!() };
        // The two processes that asked belong to the chain too.
        assert_eq!((ended.signalled, ended.processes, ended.left), (vec![2], 2, vec![]));
        second.join().unwrap();
        assert_eq!(tree(), Tree::default());
    }
}
