//! Watches.

use std::net::Shutdown;

use serde_json::{Value, json};

use crate::common::Dir;
use crate::daemon::{Client, Daemon, run};

fn watch(daemon: &Daemon, parameters: Value) -> Client {
    let mut client = daemon.connect();
    client.send_more("Watch", parameters);
    assert!(client.values()["run"].is_object());
    client
}

#[test]
fn every_watch_gets_the_events_of_its_kinds_in_their_order() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut all = watch(&daemon, json!({}));
    let mut some: Vec<Client> = (0..5).map(|_| watch(&daemon, json!({"kinds": ["knob_changed"]}))).collect();
    let mut client = daemon.connect();
    client.set("khelper.deny", "a");
    client.call("Run", run(&["/bin/true"]));
    client.set("khelper.deny", "b");
    for one in &mut some {
        for text in ["a", "b"] {
            let event = one.values()["event"].take();
            assert_eq!(event["kind"]["knob_changed"]["change"]["after"]["globs"], text, "{event}");
        }
    }
    let mut last = None;
    loop {
        let event = all.values()["event"].take();
        let seq = event["seq"].as_u64().unwrap();
        assert!(last.is_none_or(|last| seq == last + 1), "no gap and no repetition: {event}");
        last = Some(seq);
        if event["kind"]["knob_changed"]["change"]["after"]["globs"] == "b" {
            break;
        }
    }
}

#[test]
fn a_watch_that_is_half_closed_goes_on() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut half = watch(&daemon, json!({"kinds": ["knob_changed"]}));
    half.stream.shutdown(Shutdown::Write).unwrap();
    let mut client = daemon.connect();
    client.set("khelper.deny", "a");
    assert!(half.values()["event"].is_object());
    daemon.stop();
    assert_eq!(half.answer(), Some(json!({"parameters": {}})), "the last answer");
    assert!(half.answer().is_none());
}

#[test]
fn a_watch_that_returns_learns_how_many_events_it_missed() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut client = daemon.connect();
    let status = client.call("Status", json!({}));
    let (run_id, seen) = (status["run"].clone(), status["state"]["seq"].as_u64().unwrap());
    for n in 0..7 {
        client.set("khelper.deny", &format!("x{n}"));
    }
    let mut back = watch(&daemon, json!({"run": run_id, "after": seen}));
    assert_eq!(back.values()["missed"], 7);
    client.set("khelper.deny", "y");
    assert_eq!(back.values()["event"]["seq"], seen + 8);
    let mut current = watch(&daemon, json!({"run": run_id, "after": seen + 8}));
    let mut other = watch(&daemon, json!({"run": {"started": 1, "pid": 1}, "after": 1_000_000}));
    assert_eq!(other.values()["missed"], seen + 8, "every event of this run is new");
    client.set("khelper.deny", "z");
    assert_eq!(current.values()["event"]["seq"], seen + 9);
}

/// A watch that does not read holds up nothing, and is told what it lost once it reads again.
#[test]
fn a_watch_that_does_not_read_loses_events_and_is_told_how_many() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut deaf = watch(&daemon, json!({"kinds": ["knob_changed"]}));
    let mut client = daemon.connect();
    const CHANGES: u64 = 3000;
    for n in 0..CHANGES {
        client.set("khelper.deny", &format!("x{n}"));
    }
    let memory = daemon.status("VmRSS");
    let (mut seen, mut missed) = (0, 0);
    let marker = |seen: u64, missed: u64| seen + missed == CHANGES;
    while !marker(seen, missed) {
        let values = deaf.values();
        match values["missed"].as_u64() {
            Some(count) => missed += count,
            None => {
                assert!(values["event"].is_object(), "{values}");
                seen += 1;
            }
        }
    }
    assert!(missed > 0 && seen > 100, "{seen} seen, {missed} missed");
    client.set("khelper.deny", "after");
    let event = deaf.values()["event"].take();
    assert_eq!(event["kind"]["knob_changed"]["change"]["after"]["globs"], "after", "it goes on");
    assert!(memory < 64 * 1024, "{memory} KiB");
}
