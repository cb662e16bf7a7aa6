//! REQ-12 and the limit with a daemon: a modprobe that asks again through its socket.

use std::process::{Command, Output, Stdio};

use serde_json::json;

use crate::common::Dir;
use crate::daemon::Daemon;
use crate::looping::{folder, loop_of, processes};

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
    assert_eq!(processes(dir), 0);
}

#[test]
fn req_4_loops_are_refused_at_the_limit_and_named() {
    for (length, limit) in [(1, 6), (2, 6), (3, 6), (2, 50)] {
        let dir = folder("3.4", limit);
        let daemon = Daemon::start(&dir);
        let (code, stdout, stderr) = shown(&khelper(&dir, &["request", &format!("1-of-{length}")]).output().unwrap());
        assert_eq!(code, Some(75), "{stdout}{stderr}");
        assert_eq!(stdout.matches("refused by the limit (ENOMEM)").count(), 1, "{stdout}");
        let named = format!(
            "it belongs to a loop, {}, which holds {limit} slots: `khelper kill --chain '#1'` ends it",
            loop_of(length)
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

/// What the limit of 50 exists for, as an era of today treats it.
#[test]
fn req_5_loops_are_throttled_at_50_and_named() {
    std::thread::scope(|scope| {
        for length in 1..=3 {
            scope.spawn(move || is_throttled_at_50(length));
        }
    });
}

fn is_throttled_at_50(length: usize) {
    let dir = folder("current", 50);
    let daemon = Daemon::start(&dir);
    let (code, stdout, stderr) = shown(&khelper(&dir, &["request", &format!("1-of-{length}")]).output().unwrap());
    // Each helper passes on what it is told.
    assert_eq!(code, Some(75), "{stdout}{stderr}");
    let record = daemon.connect().call("Record", json!({"id": 51}))["record"].take();
    let found = ["asked_by", "stage", "errno"].map(|field| &record[field]);
    assert_eq!(found, [&json!(50), &json!("throttle"), &json!(libc::ETIME)], "{record}");
    let named = format!("a loop, {}, which holds 50 slots: `khelper kill --chain '#1'` ends it", loop_of(length));
    assert!(record["reason"].as_str().or(record["said"].as_str()).is_some_and(|why| why.contains(&named)), "{record}");
    check_gone(&dir, &daemon);
}

/// `ps --tree` shows the loop and the command that ends it; the command does.
#[test]
fn req_12_the_command_that_the_tree_prints_ends_the_loop() {
    for (length, limit) in [(1, 4), (2, 50), (3, 50)] {
        let dir = folder("current", limit);
        let daemon = Daemon::start(&dir);
        let mut watch = daemon.connect();
        watch.send_more("Watch", json!({"kinds": ["waiting"]}));
        assert!(watch.values()["run"].is_object());
        let mut asked = khelper(&dir, &["request", &format!("1-of-{length}")]);
        let asked = asked.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        assert_eq!(watch.values()["event"]["kind"]["waiting"]["id"], limit + 1);
        let (_, tree, _) = shown(&khelper(&dir, &["ps", "--tree"]).output().unwrap());
        check_tree(&tree, length, limit as usize);
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

/// A helper that ends at once and leaves a process that ignores SIGUSR1 and says so once its program runs.
const DEAF: &str = "#!/bin/sh
sh -c 'trap \"\" USR1; echo >\"$1/ready\"; read -r line <\"$1/never\"' sh \"${0%/*}\" >/dev/null 2>&1 &
read -r line <\"${0%/*}/ready\"
";

#[test]
fn req_12_what_outlives_the_command_is_named_and_the_exit_code_is_1() {
    let dir = folder("3.4", 2);
    dir.fifo("ready");
    dir.fifo("never");
    dir.script("asking", DEAF);
    let daemon = Daemon::start(&dir);
    let (code, stdout, stderr) = shown(&khelper(&dir, &["request", "a"]).output().unwrap());
    assert_eq!(code, Some(0), "{stdout}{stderr}");
    let end = |signal: &str| shown(&khelper(&dir, &["kill", "--chain", "-s", signal, "1"]).output().unwrap());
    let (code, stdout, _) = end("USR1");
    let named = "#1: SIGUSR1 to its chain: no helper and 1 other process signalled; still running: pid ";
    assert!(code == Some(1) && stdout.starts_with(named) && stdout.ends_with(" \"sh\"\n"), "{code:?} {stdout}");
    let (code, stdout, _) = end("TERM");
    let ended = "#1: SIGTERM to its chain: no helper and 1 other process signalled\n";
    assert_eq!((code, stdout.as_str()), (Some(0), ended));
    check_gone(&dir, &daemon);
}

fn check_tree(tree: &str, length: usize, limit: usize) {
    let name = |at: usize| format!("{}-of-{length}", at % length + 1);
    let lines: Vec<&str> = tree.lines().collect();
    assert_eq!(lines.len(), limit + 1, "{tree}");
    for (at, line) in lines.iter().enumerate() {
        let lead = if at == 0 { String::new() } else { format!("{}└ ", "  ".repeat(at - 1)) };
        let request = format!("{lead}#{} request \"{}\"  ", at + 1, name(at));
        let rest = line.strip_prefix(&request).unwrap_or_else(|| panic!("{request}: {tree}"));
        match at {
            _ if at == limit => {
                let looped =
                    format!("waits for a slot   loop: {}, {limit} slots; `khelper kill --chain '#1'`", loop_of(length));
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
