//! A daemon that is out of descriptors refuses, and recovers.

use std::os::unix::process::CommandExt;
use std::time::{Duration, Instant};

use serde_json::json;

use crate::common::Dir;
use crate::daemon::{Client, Daemon, command};

fn limited(dir: &Dir, descriptors: u64) -> Daemon {
    let mut command = command(dir);
    let set = move || {
        let limit = libc::rlimit { rlim_cur: descriptors, rlim_max: descriptors };
        // SAFETY: it reads one struct, which lives on this stack.
        if unsafe { libc::setrlimit(libc::RLIMIT_NOFILE, &raw const limit) } == 0 {
            Ok(())
        } else {
            Err(std::io::Error::last_os_error())
        }
    };
    // SAFETY: setrlimit is one system call.
    unsafe { command.pre_exec(set) };
    Daemon::of(dir, &mut command)
}

#[test]
fn more_connections_than_it_may_have_are_refused() {
    let dir = Dir::new();
    let daemon = limited(&dir, 80);
    // The ledger's first segment is open.
    let mut client = daemon.connect();
    client.set("khelper.deny", "x");
    let late = Instant::now() + Duration::from_secs(60);
    while client.call("Log", json!({}))["lines"].as_array().is_none_or(Vec::is_empty) {
        assert!(Instant::now() < late, "the ledger has no line");
    }
    drop(client);
    let before = daemon.descriptors();
    let mut open = Vec::new();
    let refused = loop {
        let mut client = daemon.connect();
        client.send("Get", json!({"key": "khelper.era"}));
        let answer = client.answer().unwrap();
        match answer["error"].as_str() {
            None => open.push(client),
            Some(name) => {
                assert_eq!(name, "io.khelper.Control.Busy");
                break answer;
            }
        }
    };
    let why = refused["parameters"]["reason"].as_str().unwrap();
    assert!(why.contains("connections, and accepts no more"), "{why}");
    assert_eq!(open.len(), 20, "half of the descriptors, two for each");
    assert_eq!(open[0].get("khelper.era"), "3.4", "those that are open go on");
    drop(open);
    while daemon.descriptors() > before {
        std::thread::yield_now();
    }
    assert_eq!(daemon.connect().get("khelper.era"), "3.4");
}

/// The soft limit of the daemon. Returns the one before.
fn set_limit(daemon: &Daemon, soft: u64) -> u64 {
    let mut before = libc::rlimit { rlim_cur: 0, rlim_max: 0 };
    let pid = daemon.pid().as_raw();
    // SAFETY: the kernel writes one struct, which lives on this stack.
    assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, std::ptr::null(), &raw mut before) }, 0);
    let new = libc::rlimit { rlim_cur: soft, rlim_max: before.rlim_max };
    // SAFETY: the kernel reads one struct, which lives on this stack.
    assert_eq!(unsafe { libc::prlimit(pid, libc::RLIMIT_NOFILE, &raw const new, std::ptr::null_mut()) }, 0);
    before.rlim_cur
}

/// The processor time that the daemon has used, in clock ticks.
fn ticks(daemon: &Daemon) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{}/stat", daemon.pid())).unwrap();
    let fields = stat.rsplit_once(')').unwrap().1.split_whitespace().skip(11).take(2);
    fields.map(|ticks| ticks.parse::<u64>().unwrap()).sum()
}

#[test]
fn without_any_descriptor_left_it_refuses_sleeps_and_recovers() {
    let dir = Dir::new();
    let daemon = Daemon::start(&dir);
    let mut first = daemon.connect();
    first.set("khelper.deny", "x");
    let before = set_limit(&daemon, daemon.descriptors() as u64);
    // The kernel cannot attach a pidfd, so nothing is known about the sender: reading needs none, writing does.
    assert_eq!(first.get("khelper.deny"), "x");
    let (name, why) = first.refused("Set", json!({"writes": [{"key": "khelper.deny", "text": "y"}]}));
    assert!(name == "Busy" && why.starts_with("no descriptor is left"), "{name}: {why}");
    // A connection is accepted with the spare descriptor and refused; then the listener rests. A few may still fit.
    let (mut fitted, mut refused) = (Vec::new(), 0);
    while refused < 3 {
        let mut client = daemon.connect();
        client.send("Get", json!({"key": "khelper.deny"}));
        let answer = client.answer().unwrap();
        if answer.get("error").is_none() {
            assert!(fitted.len() < 8, "{answer}");
            fitted.push(client);
            continue;
        }
        assert_eq!(answer["error"], "io.khelper.Control.Busy", "{answer}");
        assert_eq!(answer["parameters"]["reason"], "the daemon has no descriptor left");
        refused += 1;
    }
    let waiting: Vec<Client> = (0..5).map(|_| daemon.connect()).collect();
    let used = ticks(&daemon);
    std::thread::sleep(std::time::Duration::from_millis(500));
    assert!(ticks(&daemon) - used < 20, "it does not spin");
    assert_eq!(first.get("khelper.deny"), "x", "the others go on");
    drop((waiting, fitted));
    set_limit(&daemon, before);
    assert_eq!(daemon.connect().get("khelper.deny"), "x");
    first.set("khelper.deny", "y");
}
