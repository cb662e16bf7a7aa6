//! A daemon that ends while helpers run, and the next one.

use nix::sys::signal::Signal;
use serde_json::Value;

use crate::asker::Asker;
use crate::daemon::{self, Daemon};
use crate::{Fixture, text};

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

impl Fixture {
    fn restart(&mut self, signal: Signal) {
        self.daemon.signal(signal);
        self.daemon.child.wait().unwrap();
        self.daemon = Daemon::of(&self.dir, daemon::command(&self.dir).arg("--watch-kernel"));
    }

    /// The agents among the helpers of this answer.
    fn agents(&self, text: &str) -> Vec<Value> {
        let agent = self.hierarchy.agent();
        let mut rows = objects(text);
        rows.retain(|row| row["path"].as_str() == agent.to_str());
        rows
    }
}

#[test]
fn a_helper_that_outlives_its_watch_keeps_its_record() {
    let Some(mut fixture) = Fixture::new() else { return };
    let agent = fixture.hierarchy.agent().to_str().unwrap().to_owned();
    let asker = Asker::start(&fixture.hierarchy, 0, None, b"mount", "9-w1000");
    fixture.until(&["log", "--outcome", "running"], |said| said.contains(&agent));
    let running = |fixture: &Fixture| match &fixture.agents(&text(&fixture.over(&["ps", "--json"])))[..] {
        [one] => (one["id"].as_u64().unwrap(), one["requester"]["pid"].as_u64(), one["asked_at"].clone()),
        other => panic!("{other:?}"),
    };
    let first = running(&fixture);
    assert_eq!(first.1, Some(asker.pid().into()));
    for signal in [Signal::SIGKILL, Signal::SIGTERM] {
        fixture.restart(signal);
        assert_eq!(running(&fixture), first, "{signal}");
    }
    let id = first.0.to_string();
    assert!(fixture.over(&["kill", "-s", "KILL", &id]).status.success());
    fixture.until(&["log", "--outcome", "killed"], |said| said.contains(&agent));
    let log = fixture.agents(&text(&fixture.ledger(&["log", "--json"])));
    let [one] = &log[..] else { panic!("{log:?}") };
    assert_eq!(
        (&one["id"], &one["outcome"], &one["requester"]["pid"]),
        (&first.0.into(), &"killed".into(), &asker.pid().into())
    );
    assert_eq!((&one["asked_at"], &one["signal"]), (&first.2, &9.into()), "{one}");
    assert_eq!(one["ended_us"].as_u64().zip(one["started_us"].as_u64()).map(|(end, start)| end > start), Some(true));
    let starts = fixture.agents(&text(&fixture.ledger(&["log", "--json", "--outcome", "running"])));
    assert_eq!(starts.len(), 1, "{starts:?}");
    let why = text(&fixture.ledger(&["why", &format!("#{id}")]));
    assert!(why.contains("Killed by SIGKILL") && why.contains("SIGKILL sent to pid "), "{why}");
}
