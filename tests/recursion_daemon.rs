//! REQ-12: loops through a daemon leave nothing behind. A test binary of its own, because it counts.
//! `cargo test --test recursion_daemon -- --nocapture` prints the figures; `$KHELPER_LOOPS` is another number of loops.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/mod.rs"]
mod common;
#[path = "common/served.rs"]
mod daemon;
#[path = "common/looping.rs"]
mod looping;

use std::sync::atomic::{AtomicU32, Ordering};
use std::time::{Duration, Instant};

use daemon::Daemon;
use looping::{folder, processes};
use serde_json::json;

/// As many loops are under way at once; the limit leaves each about two helpers.
const CALLERS: u32 = 4;
const LIMIT: u32 = 8;
/// As many idle workers are kept.
const IDLE: usize = 12;

/// What a daemon holds.
#[derive(Clone, Copy, Debug)]
struct Held {
    descriptors: usize,
    threads: usize,
    kib: usize,
}

impl Held {
    fn of(daemon: &Daemon) -> Self {
        let number = |name| daemon.status(name);
        Self { descriptors: daemon.descriptors(), threads: number("Threads"), kib: number("VmRSS") }
    }
}

/// Requests `loops` loops of one to three modules, and waits until all have ended. Returns how many were refused.
fn run(daemon: &Daemon, loops: u32) -> u32 {
    let left = AtomicU32::new(loops);
    let work = || {
        let (mut client, mut refused) = (daemon.connect(), 0);
        while let Ok(n) = left.fetch_update(Ordering::AcqRel, Ordering::Acquire, |left| left.checked_sub(1)) {
            let name = format!("1-of-{}", n % 3 + 1);
            let record = client.call("Request", json!({"name": name, "wait": true}))["record"].take();
            // Refused itself, or it has passed on what its helper was told.
            refused += u32::from(record["result"] != 0);
        }
        refused
    };
    std::thread::scope(|scope| {
        let callers: Vec<_> = (0..CALLERS).map(|_| scope.spawn(work)).collect();
        callers.into_iter().map(|caller| caller.join().unwrap()).sum()
    })
}

/// Waits until the daemon holds as little as `before`: a connection is closed just after its client has gone, a slot is
/// given back just after its request was answered, and idle workers end after a while.
fn come_back(daemon: &Daemon, before: Held) -> Held {
    let begun = Instant::now();
    loop {
        let now = Held::of(daemon);
        if now.descriptors <= before.descriptors && now.threads <= before.threads {
            return now;
        }
        assert!(begun.elapsed() < Duration::from_secs(60), "{before:?}, then {now:?}");
        std::thread::sleep(Duration::from_millis(10));
    }
}

#[test]
fn req_12_loops_through_the_daemon_leave_nothing_behind() {
    let loops = std::env::var("KHELPER_LOOPS").ok().and_then(|text| text.parse().ok()).unwrap_or(1000);
    let dir = folder("3.4", LIMIT);
    let daemon = Daemon::start(&dir);
    // What is opened once, and the buffers, are not of one loop.
    let idle = Held::of(&daemon);
    run(&daemon, 40);
    let before =
        come_back(&daemon, Held { threads: idle.threads + IDLE, descriptors: idle.descriptors + 3 * IDLE, ..idle });
    let begun = Instant::now();
    assert_eq!(run(&daemon, loops), loops, "no loop gets through");
    let took = begun.elapsed();
    let after = come_back(&daemon, before);
    let state = daemon.connect().call("Status", json!({}))["state"].take();
    println!("{loops} loops in {took:?}: {idle:?}, {before:?}, then {after:?}; {}", state["totals"]["requests"]);
    let requests = state["totals"]["requests"].as_u64().unwrap();
    assert!(requests > u64::from(loops), "{state}");
    let held = ["live_total", "running_helpers", "queued", "live"].map(|name| state[name].as_u64().unwrap());
    assert_eq!((held, &state["slots"]["concurrent"]), ([0; 4], &json!(0)));
    assert_eq!(processes(&dir), 0);
    // The engine keeps the newest 10,000 records, each with its chain of requesters, and 2 MiB of output.
    let kept = after.kib.saturating_sub(before.kib);
    assert!(kept < 4 * (1024 + requests.min(10_000) as usize), "{kept} KiB");
}
