//! REQ-12 and the limit with a daemon: a modprobe that asks again through its socket.

use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::common::Dir;
use crate::daemon::Daemon;

/// A folder for a daemon with the demo `asking` as modprobe, which finds the program and the socket beside it.
fn folder(era: &str, limit: u32) -> Dir {
    let dir = Dir::new();
    let demo = std::path::Path::new(env!("CARGO_MANIFEST_DIR")).join("assets/demo/asking");
    let asking = dir.script("asking", &std::fs::read_to_string(demo).unwrap());
    std::os::unix::fs::symlink(env!("CARGO_BIN_EXE_khelper"), dir.path().join("khelper")).unwrap();
    std::os::unix::fs::symlink(dir.path().join("s"), dir.path().join("khelper.sock")).unwrap();
    std::fs::create_dir(dir.path().join("config")).unwrap();
    let text = format!("kernel.modprobe = {asking}\nkhelper.max_concurrent = {limit}\nkhelper.era = {era}\n");
    std::fs::write(dir.path().join("config/10.conf"), text).unwrap();
    dir
}

fn khelper(dir: &Dir, args: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    command.arg("--target").arg(format!("unix:{}", dir.path().join("s").display())).args(args).stdin(Stdio::null());
    command
}

fn shown(output: &Output) -> (Option<i32>, String, String) {
    let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
    (output.status.code(), text(&output.stdout), text(&output.stderr))
}

/// What a loop must leave behind: nothing.
fn check_gone(dir: &Dir, daemon: &Daemon) {
    let mut client = daemon.connect();
    // A slot is given back just after its request has been answered.
    while client.call("Status", json!({}))["state"]["slots"]["concurrent"] != 0 {}
    let (_, table, _) = shown(&khelper(dir, &["ps"]).output().unwrap());
    assert_eq!(table.lines().count(), 1, "{table}");
    let mine = format!("{}/", dir.path().display()).into_bytes();
    let processes = std::fs::read_dir("/proc").unwrap().flatten().filter(|entry| {
        let is_process = entry.file_name().to_str().is_some_and(|name| name.parse::<u32>().is_ok());
        let line = std::fs::read(entry.path().join("cmdline")).unwrap_or_default();
        // The daemon itself has the folder in its arguments.
        is_process && !line.windows(5).any(|w| w == b"serve") && line.windows(mine.len()).any(|w| w == mine)
    });
    assert_eq!(processes.count(), 0);
}

#[test]
fn req_4_loops_are_refused_at_the_limit_and_named() {
    for (length, limit) in [(1, 6), (2, 6), (3, 6), (2, 50)] {
        let dir = folder("3.4", limit);
        let daemon = Daemon::start(&dir);
        let (code, stdout, stderr) = shown(&khelper(&dir, &["request", &format!("1-of-{length}")]).output().unwrap());
        assert_eq!(code, Some(75), "{stdout}{stderr}");
        assert_eq!(stdout.matches("refused by the limit (ENOMEM)").count(), 1, "{stdout}");
        let names: Vec<String> = (0..=length).map(|at| format!("{}-of-{length}", at % length + 1)).collect();
        let named = format!(
            "it belongs to a loop, {}, which holds {limit} slots: `khelper kill --chain '#1'` ends it",
            names.join(" → ")
        );
        assert!(stderr.contains(&named) || limit == 50, "{named}: {stderr}");
        let record = daemon.connect().call("Record", json!({"id": limit + 1}))["record"].take();
        assert_eq!((&record["asked_by"], &record["outcome"]), (&json!(limit), &json!("refused")), "{record}");
        assert!(
            record["reason"].as_str().or(record["said"].as_str()).is_some_and(|why| why.contains(&named)),
            "{record}"
        );
        check_gone(&dir, &daemon);
    }
}

#[test]
fn req_5_a_loop_is_throttled() {
    let dir = folder("current", 3);
    let daemon = Daemon::start(&dir);
    let (code, stdout, stderr) = shown(&khelper(&dir, &["request", "1-of-3"]).output().unwrap());
    assert_eq!((code, stdout.matches("throttled, no slot in 5 s (ETIME)").count()), (Some(75), 1), "{stdout}{stderr}");
    assert!(stderr.contains("a loop, 1-of-3 → 2-of-3 → 3-of-3 → 1-of-3, which holds 3 slots"), "{stderr}");
    check_gone(&dir, &daemon);
}

/// `ps --tree` shows the loop and the command that ends it; the command does.
#[test]
fn req_12_the_command_that_the_tree_prints_ends_the_loop() {
    for length in 1..=3 {
        let dir = folder("current", 4);
        let daemon = Daemon::start(&dir);
        let mut watch = daemon.connect();
        watch.send_more("Watch", json!({"kinds": ["waiting"]}));
        assert!(watch.values()["run"].is_object());
        let mut asked = khelper(&dir, &["request", &format!("1-of-{length}")]);
        let asked = asked.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        assert_eq!(watch.values()["event"]["kind"]["waiting"]["id"], 5);
        let (_, tree, _) = shown(&khelper(&dir, &["ps", "--tree"]).output().unwrap());
        check_tree(&tree, length);
        let command = tree.split('`').nth(1).unwrap();
        assert_eq!(command, "khelper kill --chain '#1'", "{tree}");
        let (code, stdout, stderr) = shown(&khelper(&dir, &["kill", "--chain", "#1"]).output().unwrap());
        assert_eq!(code, Some(0), "{stdout}{stderr}");
        // A helper whose request has been answered may end by itself before its signal.
        assert!(stdout.starts_with("#1: SIGTERM to its chain: ") && stdout.ends_with(" signalled\n"), "{stdout}");
        assert_ne!(asked.wait_with_output().unwrap().status.code(), Some(0));
        drop(watch);
        check_gone(&dir, &daemon);
    }
}

/// A helper that ends at once and leaves a process that ignores SIGUSR1.
const DEAF: &str = "#!/bin/sh
(trap '' USR1; echo >\"${0%/*}/ready\"; exec sleep 1000) >/dev/null 2>&1 &
read -r line <\"${0%/*}/ready\"
";

#[test]
fn req_12_what_outlives_the_command_is_named_and_the_exit_code_is_1() {
    let dir = folder("3.4", 2);
    dir.fifo("ready");
    dir.script("asking", DEAF);
    let daemon = Daemon::start(&dir);
    let (code, stdout, stderr) = shown(&khelper(&dir, &["request", "a"]).output().unwrap());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let end = |signal: &str| shown(&khelper(&dir, &["kill", "--chain", "-s", signal, "1"]).output().unwrap());
    let (code, stdout, _) = end("USR1");
    let named = "#1: SIGUSR1 to its chain: no helper and 1 other process signalled; still running: pid ";
    assert!(code == Some(1) && stdout.starts_with(named) && stdout.ends_with(" \"sleep\"\n"), "{code:?} {stdout}");
    let (code, stdout, _) = end("TERM");
    let ended = "#1: SIGTERM to its chain: no helper and 1 other process signalled\n";
    assert_eq!((code, stdout.as_str()), (Some(0), ended));
    check_gone(&dir, &daemon);
}

fn check_tree(tree: &str, length: usize) {
    let name = |at: usize| format!("{}-of-{length}", at % length + 1);
    let members: Vec<String> = (0..=length).map(name).collect();
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!(lines.len(), 5, "{tree}");
    for (at, line) in lines.iter().enumerate() {
        let lead = if at == 0 { String::new() } else { format!("{}└ ", "  ".repeat(at - 1)) };
        let request = format!("{lead}#{} request \"{}\"  ", at + 1, name(at));
        let rest = line.strip_prefix(&request).unwrap_or_else(|| panic!("{request}: {tree}"));
        match at {
            4 => {
                let looped =
                    format!("waits for a slot   loop: {}, 4 slots; `khelper kill --chain '#1'`", members.join(" → "));
                assert_eq!(rest, looped, "{tree}");
            }
            _ => assert!(rest.starts_with("pid ") && rest.ends_with("  holds a slot"), "{tree}"),
        }
    }
}

/// A chain of whose beginning nothing is left.
#[test]
fn req_12_a_chain_that_has_ended_is_an_error() {
    let dir = folder("3.4", 2);
    let _daemon = Daemon::start(&dir);
    khelper(&dir, &["request", "1-of-1"]).output().unwrap();
    let (code, _, stderr) = shown(&khelper(&dir, &["kill", "--chain", "#3"]).output().unwrap());
    assert_eq!(code, Some(1), "{stderr}");
    assert!(
        stderr.contains("nothing of the chain of request 3 runs (ESRCH); its chain began with request 1"),
        "{stderr}"
    );
}

/// Loops leave the daemon as it was: after some the descriptors that it opens once are open.
#[test]
fn req_12_loops_leave_no_descriptor_behind() {
    let dir = folder("3.4", 3);
    let daemon = Daemon::start(&dir);
    let loops = |n: usize| {
        for _ in 0..n {
            assert_eq!(khelper(&dir, &["request", "1-of-2"]).output().unwrap().status.code(), Some(75));
        }
        check_gone(&dir, &daemon);
    };
    loops(3);
    let before = daemon.descriptors();
    loops(20);
    // A connection is closed just after its client has gone.
    let began = std::time::Instant::now();
    while daemon.descriptors() > before && began.elapsed() < std::time::Duration::from_secs(20) {}
    let after = daemon.descriptors();
    assert!(after <= before, "{before} descriptors, then {after}");
}
