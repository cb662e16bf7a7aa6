//! The group of readers (AUTH-4).

use std::io::{BufRead, BufReader, Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Stdio};
use std::time::{Duration, Instant};

use serde_json::{Value, json};

use crate::common::{Dir, am_root, skipped};
use crate::daemon::{Client, Daemon, command, message, run};

const READERS: u32 = 54321;
const SECRET: &str = "hunter2";

/// A bridge that runs as another user.
fn bridge(daemon: &Daemon, gid: u32, groups: &'static [u32]) -> Child {
    let mut bridge = Command::new(env!("CARGO_BIN_EXE_khelper"));
    bridge.arg("bridge").arg("--socket").arg(&daemon.socket).stdin(Stdio::piped()).stdout(Stdio::piped());
    let change = move || {
        let groups: Vec<_> = groups.iter().map(|gid| nix::unistd::Gid::from_raw(*gid)).collect();
        nix::unistd::setgroups(&groups)?;
        nix::unistd::setgid(nix::unistd::Gid::from_raw(gid))?;
        nix::unistd::setuid(nix::unistd::Uid::from_raw(65534))?;
        Ok(())
    };
    // SAFETY: system calls only.
    unsafe { bridge.pre_exec(change) };
    bridge.spawn().unwrap()
}

/// The answers that another user gets, through the bridge.
fn as_user(daemon: &Daemon, gid: u32, groups: &'static [u32], calls: &[Vec<u8>]) -> Vec<Value> {
    let mut bridge = bridge(daemon, gid, groups);
    // It fails if the bridge cannot connect.
    let _ = bridge.stdin.take().unwrap().write_all(&calls.concat());
    let mut all = Vec::new();
    bridge.stdout.take().unwrap().read_to_end(&mut all).unwrap();
    bridge.wait().unwrap();
    all.split(|byte| *byte == 0).filter(|one| !one.is_empty()).map(|one| serde_json::from_slice(one).unwrap()).collect()
}

#[test]
fn auth_4_a_reader_reads_without_argv_environment_and_output() {
    if !am_root() {
        return skipped("only root can become another user");
    }
    let dir = Dir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_khelper"));
    if program.ancestors().skip(1).any(|dir| std::fs::metadata(dir).unwrap().permissions().mode() & 0o005 != 0o005) {
        // The bridge would not be executable for another user; the table in control::authorize covers the decisions.
        crate::common::program::write_program(&dir.path().join("khelper"), std::fs::read(program).unwrap());
    }
    let daemon = Daemon::of(&dir, command(&dir).arg("--readers").arg(READERS.to_string()));
    let mut root = daemon.connect();
    let mut secret = run(&["/bin/echo", SECRET]);
    secret["env"] = json!([format!("PASSWORD={SECRET}")]);
    let full = root.call("Run", secret);
    assert_eq!(full.to_string().matches(SECRET).count(), 3, "argv, environment, output: {full}");
    // The ledger has its end a moment after the answer.
    let late = Instant::now() + Duration::from_secs(60);
    while root.call("Why", json!({"id": full["id"]}))["line"]["what"]["ended"].is_null() {
        assert!(Instant::now() < late, "its end is not in the ledger");
    }
    let page = json!({"query": {"words": [], "globs": "", "which": [], "sort": "newest", "reverse": false},
        "still": false, "anchor": {"row": "first"}, "around": 5});
    let reads = [
        message("Record", json!({"id": full["id"]}), false),
        message("Records", json!({"ids": [full["id"]]}), false),
        message("Status", json!({}), false),
        message("Activity", page, false),
        message("Log", json!({}), false),
        message("Why", json!({"id": full["id"]}), false),
        message("Get", json!({"key": "kernel.modprobe"}), false),
        message("Live", json!({"after": 0, "most": 9}), false),
    ];
    for (gid, groups) in [(READERS, &[][..]), (65534, &[READERS][..])] {
        let answers = as_user(&daemon, gid, groups, &reads);
        assert_eq!(answers.len(), reads.len());
        for answer in &answers {
            assert!(answer.get("error").is_none(), "{answer}");
            assert!(!answer.to_string().contains(SECRET), "{answer}");
        }
        for records in &answers[..6] {
            assert_eq!(records["parameters"]["withheld"], true, "{records}");
        }
        assert_eq!(answers[0]["parameters"]["record"]["id"], full["id"]);
        assert_eq!(answers[5]["parameters"]["line"]["what"]["ended"]["id"], full["id"], "{}", answers[5]);
        let writes = [
            message("Request", json!({"name": "x", "wait": true}), false),
            message("Run", run(&["/bin/true"]), false),
            message("Set", json!({"writes": [{"key": "khelper.deny", "text": "x"}]}), false),
            message("Kill", json!({"id": 1, "signal": 9}), false),
        ];
        for answer in as_user(&daemon, gid, groups, &writes) {
            assert_eq!(answer["error"], "io.khelper.Control.Denied", "{answer}");
        }
    }
    assert!(full.get("withheld").is_none_or(Value::is_null));
    // Each denied command is in the ledger, with who gave it and why.
    let denied = |root: &mut Client| {
        let lines = root.call("Log", json!({}))["lines"].take();
        let kinds = lines.as_array().unwrap().iter().map(|line| line["what"]["changed"]["kind"]["denied"].clone());
        kinds.filter(|denied| !denied.is_null()).collect::<Vec<_>>()
    };
    let all = loop {
        let all = denied(&mut root);
        if all.len() == 8 {
            break all;
        }
    };
    assert!(all.iter().all(|one| one["actor"]["uid"] == 65534 && one["more"] == 0), "{all:?}");
    assert_eq!(all[1]["method"], "Run");
    assert_eq!(all[7]["why"].as_str().map(|why| why.starts_with("this needs uid 0; process ")), Some(true), "{all:?}");
    let long = vec![b' '; 20 << 10];
    let answers = as_user(&daemon, READERS, &[], &[long]);
    assert!(answers[0]["parameters"]["reason"].as_str().unwrap().starts_with("the message is longer"), "{answers:?}");
    // The socket's mode keeps everybody else out.
    assert_eq!(as_user(&daemon, 65534, &[], &reads).len(), 0);
}

/// While the daemon stops, a reader is still a reader: it is told to come again later, and not that it may not read.
#[test]
fn auth_4_a_reader_is_refused_for_now_while_the_daemon_stops() {
    if !am_root() {
        return skipped("only root can become another user");
    }
    let dir = Dir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let fifo = dir.fifo("end");
    let daemon = Daemon::of(&dir, command(&dir).arg("--readers").arg(READERS.to_string()));
    let pid =
        daemon.connect().call("Run", json!({"path": "/bin/cat", "args": [&fifo], "wait": "exec"}))["pid"].as_i64();
    let mut bridge = bridge(&daemon, READERS, &[]);
    let (mut stdin, mut stdout) = (bridge.stdin.take().unwrap(), BufReader::new(bridge.stdout.take().unwrap()));
    let mut ask = || {
        stdin.write_all(&message("Get", json!({"key": "khelper.era"}), false)).unwrap();
        let mut answer = Vec::new();
        stdout.read_until(0, &mut answer).unwrap();
        serde_json::from_slice::<Value>(&answer[..answer.len() - 1]).unwrap()
    };
    assert_eq!(ask()["parameters"]["text"], "3.4");
    daemon.signal(nix::sys::signal::Signal::SIGTERM);
    while crate::daemon::told(&daemon.manager) != "STOPPING=1\n" {}
    let answer = ask();
    assert_eq!(answer["error"], "io.khelper.Control.Busy", "{answer}");
    // Its name is still taken.
    let second = command(&dir).output().unwrap();
    let said = String::from_utf8_lossy(&second.stderr).into_owned();
    assert!(second.status.code() == Some(69) && said.contains("a daemon serves"), "{said}");
    crate::daemon::end_all(&fifo, &[pid.unwrap()]);
    drop(stdin);
    bridge.wait().unwrap();
    let (status, log) = daemon.ended();
    assert!(status.success(), "{log}");
}
