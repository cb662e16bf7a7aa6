//! The memory of a console with as many records as the engine keeps.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;

use std::fs;
use std::io::Write;

use pty::{Pty, Start};

/// As many records as the engine keeps.
const RECORDS: u32 = 10_000;
/// How many are asked for at once.
const PIECE: u32 = 1_000;
/// The most anonymous memory that they take, in KiB: a record has 56 bytes, its place in the list of Activity 60.
const MOST: u64 = 9 * 256;

fn anonymous(pty: &Pty) -> u64 {
    let status = fs::read_to_string(format!("/proc/{}/status", pty.pid())).unwrap();
    let line = status.lines().find_map(|line| line.strip_prefix("RssAnon:")).unwrap();
    line.trim().trim_end_matches(" kB").parse().unwrap()
}

#[test]
fn ten_thousand_records_take_little_memory() {
    let mut pty = Start::khelper(120, 40).args(["--set", "kernel.modprobe="]).start();
    pty.shows("[1 Overview]");
    let before = anonymous(&pty);
    pty.press("3", "no requests yet");
    for piece in 1..=RECORDS / PIECE {
        pty.press(":", "Command");
        pty.send(format!("request --repeat {PIECE} flood-{piece}\r"));
        pty.shows(&format!("{} requests so far, 0 still running", piece * PIECE));
    }
    ["4", "2", "1"].iter().for_each(|screen| pty.press(screen, &format!("[{screen} ")));
    let after = anonymous(&pty);
    writeln!(std::io::stderr(), "anonymous memory: {before} KiB, with {RECORDS} records {after} KiB").unwrap();
    assert!(after - before < MOST, "{} KiB", after - before);
    pty.send("q");
    assert_eq!(pty.ends(), 0);
}
