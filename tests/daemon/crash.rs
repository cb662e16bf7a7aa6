//! The daemon is killed at any moment: its ledger has lost no line that is older than a second, and the next start knows
//! what still runs. `KHELPER_KILLS=20` is the long form; `$KHELPER_SEED` repeats the moments of an earlier run.

use std::collections::{BTreeMap, BTreeSet};
use std::io::BufRead;
use std::sync::mpsc::{Receiver, RecvTimeoutError, channel};
use std::time::{Duration, Instant, SystemTime};

use nix::sys::signal::Signal;
use serde_json::{Value, json};

use crate::common::Dir;
use crate::daemon::{Client, Daemon, end_all, run};

const HELPERS: usize = 50;
/// How old a line must be not to be lost.
const BOUND: Duration = Duration::from_secs(1);

/// Every line of every segment. A line that is cut, or no JSON, fails the test.
fn ledger(dir: &Dir) -> Vec<Value> {
    let segments = std::fs::read_dir(dir.path().join("ledger")).unwrap().flatten().map(|entry| entry.path());
    let mut lines = Vec::new();
    for path in segments.filter(|path| path.is_file()) {
        let text = std::fs::read(&path).unwrap();
        assert!(text.is_empty() || text.ends_with(b"\n"), "the last line of {path:?} is cut");
        lines.extend(text.lines().map(|line| serde_json::from_str::<Value>(&line.unwrap()).unwrap()));
    }
    lines
}

/// The requests that have a line of this kind; an end has no `event`.
fn ids(lines: &[Value], event: Option<&str>) -> BTreeSet<u64> {
    lines.iter().filter(|line| line["event"].as_str() == event).filter_map(|line| line["id"].as_u64()).collect()
}

/// What a client has seen: that a request's helper has started, or ended, and when it saw that.
struct Seen {
    id: u64,
    ended: bool,
    at: Instant,
}

/// Runs one program after another until the daemon is gone.
fn keep_asking(mut client: Client, seen: &std::sync::mpsc::Sender<Seen>) {
    loop {
        let call = crate::daemon::message("Run", run(&["/bin/true"]), false);
        if std::io::Write::write_all(&mut client.stream, &call).is_err() {
            return;
        }
        let Some(answer) = client.answer() else { return };
        let id = answer["parameters"]["record"]["id"].as_u64().unwrap();
        seen.send(Seen { id, ended: true, at: Instant::now() }).unwrap();
    }
}

/// Starts the helpers, and waits for a client's answer to each. Returns their pids by request.
fn start_helpers(daemon: &Daemon, fifo: &str, seen: &std::sync::mpsc::Sender<Seen>) -> BTreeMap<u64, i64> {
    let mut waiting: Vec<Client> = (0..HELPERS).map(|_| daemon.connect()).collect();
    for waiting in &mut waiting {
        waiting.send("Run", json!({"path": "/bin/cat", "args": [fifo], "wait": "exec"}));
    }
    let answers = waiting.iter_mut().map(|client| {
        let answer = client.values();
        let id = answer["id"].as_u64().unwrap();
        seen.send(Seen { id, ended: false, at: Instant::now() }).unwrap();
        (id, answer["pid"].as_i64().unwrap())
    });
    answers.collect()
}

/// The events that were seen more than [`BOUND`] before the kill, and are not in the ledger.
fn lost(seen: &[Seen], killed: Instant, lines: &[Value]) -> (usize, Vec<(u64, Duration)>) {
    let (started, ended) = (ids(lines, Some("started")), ids(lines, None));
    let old: Vec<&Seen> = seen.iter().filter(|seen| killed.saturating_duration_since(seen.at) > BOUND).collect();
    let missing = old.iter().filter(|seen| !if seen.ended { &ended } else { &started }.contains(&seen.id));
    (old.len(), missing.map(|seen| (seen.id, killed - seen.at)).collect())
}

/// Waits for a time, or until the daemon's clients have ended, which fails the test.
fn wait(clients: &Receiver<()>, time: Duration) {
    assert_eq!(clients.recv_timeout(time), Err(RecvTimeoutError::Timeout), "the daemon has ended by itself");
}

/// One life of a daemon, killed `delay` after its helpers have been started. Returns the helpers, and how many events
/// were old enough to be checked.
fn killed_after(dir: &Dir, fifo: &str, delay: Duration) -> (BTreeMap<u64, i64>, usize) {
    let daemon = Daemon::start(dir);
    let (seen, all) = channel();
    let (ends, ended) = channel();
    let mut sleepers = BTreeMap::new();
    let mut killed = Instant::now();
    std::thread::scope(|scope| {
        for _ in 0..2 {
            let (client, seen, ends) = (daemon.connect(), seen.clone(), ends.clone());
            scope.spawn(move || {
                keep_asking(client, &seen);
                // The test has gone on.
                let _ = ends.send(());
            });
        }
        sleepers = start_helpers(&daemon, fifo, &seen);
        wait(&ended, delay);
        killed = Instant::now();
        daemon.signal(Signal::SIGKILL);
    });
    drop((daemon, seen));
    let (checked, lost) = lost(&all.iter().collect::<Vec<_>>(), killed, &ledger(dir));
    assert!(
        lost.is_empty(),
        "killed {delay:?} after the start of the helpers: lines older than 1 s are lost: {lost:?}"
    );
    (sleepers, checked)
}

/// Numbers that look random; the same for the same seed.
struct Random(u64);

impl Random {
    fn seeded() -> Self {
        let now = || SystemTime::UNIX_EPOCH.elapsed().unwrap().as_micros() as u64;
        let seed = std::env::var("KHELPER_SEED").ok().and_then(|text| text.parse().ok()).unwrap_or_else(now);
        println!("KHELPER_SEED={seed}");
        Self(seed | 1)
    }

    fn below(&mut self, end: u64) -> u64 {
        self.0 ^= self.0 << 13;
        self.0 ^= self.0 >> 7;
        self.0 ^= self.0 << 17;
        self.0 % end
    }
}

#[test]
fn a_kill_loses_no_line_older_than_a_second_and_the_next_start_knows_what_lives() {
    let rounds = std::env::var("KHELPER_KILLS").ok().and_then(|text| text.parse().ok()).unwrap_or(2);
    let dir = Dir::new();
    let fifo = dir.fifo("end");
    let (mut random, mut last, mut checked) = (Random::seeded(), 0, 0);
    for round in 1..=rounds {
        // In every second round some lines are certainly old enough.
        let least = if round % 2 == 0 { 1_200 } else { 0 };
        let delay = Duration::from_millis(least + random.below(1_300));
        let (sleepers, old) = killed_after(&dir, &fifo, delay);
        checked += old;
        let lines = ledger(&dir);
        let (started, known) = (ids(&lines, Some("started")), ids(&lines, Some("still_running")));
        let daemon = Daemon::start(&dir);
        let named = &ids(&ledger(&dir), Some("still_running")) - &known;
        // A start that is younger than a second may be unknown. Each of those that are known lives, and is named.
        let live: BTreeSet<u64> = sleepers.keys().copied().filter(|id| started.contains(id)).collect();
        assert!(live.is_subset(&named), "not named: {:?}", &live - &named);
        assert!(sleepers.values().all(|pid| std::path::Path::new(&format!("/proc/{pid}")).exists()));
        let id = daemon.connect().call("Run", run(&["/bin/true"]))["id"].as_u64().unwrap();
        assert!(id > last && started.iter().all(|started| id > *started), "the numbers go on: {id}");
        last = id;
        end_all(&fifo, &sleepers.values().copied().collect::<Vec<_>>());
        daemon.stop();
    }
    println!("{rounds} kills, {checked} lines older than a second");
    assert!(rounds < 2 || checked >= HELPERS, "{checked}");
}
