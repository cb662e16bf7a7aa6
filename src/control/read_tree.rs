//! Reads the tree of requests at a target (REQ-12).

use crate::abi::actor::Actor;
use crate::abi::error::ControlError;
use crate::abi::snapshot::{Live, Snapshot};
use crate::abi::sorted::set;

use super::pages;
use super::target::Target;
use super::tree::{Entry, Tree};

/// How often requests are read that led to those already read. Each time leads one request further up.
const WAYS_UP: usize = 64;

/// The tree of these requests, which have not ended, and of those that led to them although they have ended. `s` is the
/// state of the target.
pub fn read_tree(target: &dyn Target, by: &Actor, s: &Snapshot, live: &[Live]) -> Result<Tree, ControlError> {
    let mut tree = Tree::of(s, live);
    for _ in 0..WAYS_UP {
        let has = |id: &u64| tree.entries.binary_search_by_key(id, |entry| entry.id).is_ok();
        let above = tree.entries.iter().filter_map(|entry| entry.asked_by);
        let missing = set(above.filter(|id| !has(id)));
        if missing.is_empty() {
            break;
        }
        let records = pages::records(target, by, &missing.into_keys().collect::<Vec<_>>())?;
        if records.is_empty() {
            break;
        }
        tree.entries.extend(records.into_iter().map(Entry::ended));
        tree = Tree::with(s, tree.entries);
    }
    Ok(tree)
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::actor::{Comm, Origin};
    use crate::abi::knob_value::KnobValue;
    use crate::abi::process::Process;
    use crate::abi::record::Record;
    use crate::control::ask::ask;
    use crate::control::command::{Command, Reply};
    use crate::control::local::Local;
    use crate::control::testing::actor;
    use crate::control::text::tree::lines;
    use crate::engine::{Caller, Engine};
    use crate::sys::fake::{FOREVER, FakeHost, Script};

    /// Makes a request from a process of the helper's session.
    fn from(host: &FakeHost, engine: &Engine, helper: i32, name: &str) -> std::thread::JoinHandle<Arc<Record>> {
        let pid = helper + 5000;
        let process =
            Process { pid, comm: Comm::new(b"sh"), lives: true, parent: 1, session: helper, start_time: 7, started: 0 };
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
        let tree = || read_tree(&target, &actor(), &engine.snapshot(), &engine.snapshot().running).unwrap();
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
