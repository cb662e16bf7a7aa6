//! `--target` and the targets that commands have without it.

use std::io::Read;
use std::os::unix::net::UnixListener;
use std::process::{Command, Stdio};

use khelper::control::Key;
use serde_json::json;

use crate::daemon::Daemon;
use crate::{Ran, khelper};

#[test]
fn a_command_reaches_the_daemon_that_is_named() {
    let daemon = Daemon::start();
    let target = daemon.target();
    daemon.set(Key::Modprobe, b"/bin/echo");
    let get = khelper(&target, &["get", "khelper.era", "kernel/modprobe"]);
    assert_eq!(get.exits(0).out, "khelper.era = 3.4\nkernel.modprobe = /bin/echo\n");
    assert_eq!(get.err, "");
    let record = khelper(&target, &["request", "--json", "dummy"]).exits(0).record();
    assert_eq!((&record["target"], &record["stdout"]), (&json!(target), &json!("-q -- dummy\n")));
    assert_eq!((&record["origin"], &record["id"]), (&json!("outside"), &json!(1)));
    // The chain begins with this run of khelper, below this test.
    let me = i64::from(std::process::id());
    let chain = record["chain"].as_array().unwrap();
    assert_eq!(chain[0]["pid"], record["requester"]["pid"]);
    assert!(chain.iter().any(|link| link["pid"] == me), "{chain:?}");
    let text = khelper(&target, &["run", "--", "/bin/sh", "-c", "echo out; echo err >&2; exit 7"]);
    assert!(text.exits(7).out.starts_with("out\n/bin/sh: exit 7 (raw 1792), "), "{}", text.out);
    assert_eq!(text.err, "err\n", "the target was chosen, so it is not named");
    let probe = khelper(&target, &["probe", "--json"]).exits(0).record();
    assert_eq!((&probe["id"], &probe["probe"]["ppid"]), (&json!(3), &json!(daemon.pid())));
    let status = khelper(&target, &["status", "--json"]).exits(0).record();
    assert_eq!((&status["target"], &status["pid"]), (&json!(target), &json!(daemon.pid())));
    assert_eq!(status["totals"]["requests"], 3);
}

#[test]
fn each_name_of_a_list_is_requested_in_parallel_over_the_socket() {
    let daemon = Daemon::start();
    daemon.set(Key::Modprobe, b"/bin/true");
    let args = ["request", "--parallel", "20", "--repeat", "20", "--json", "a", "b", "c"];
    let ran = khelper(&daemon.target(), &args);
    let mut names: Vec<String> = ran
        .exits(0)
        .out
        .lines()
        .map(|line| {
            let record: serde_json::Value = serde_json::from_str(line).unwrap();
            record["module"].as_str().unwrap().to_owned()
        })
        .collect();
    names.sort();
    assert_eq!((names.len(), names[19].as_str(), names[20].as_str(), names[59].as_str()), (60, "a", "b", "c"));
}

#[test]
fn a_refusal_of_the_daemon_has_its_exit_code_and_advice() {
    let daemon = Daemon::start();
    let target = daemon.target();
    daemon.set(Key::Deny, b"evil*");
    let denied = khelper(&target, &["request", "evil-module"]);
    assert!(denied.exits(77).err.contains("khelper.deny has `evil*`"), "{}", denied.err);
    assert_eq!(khelper(&target, &["gate", "disabled"]).exits(0).err, "");
    let refused = khelper(&target, &["request", "--json", "x"]).exits(75).record();
    assert_eq!((&refused["stage"], &refused["errno"]), (&json!("gate"), &json!("EBUSY")));
    assert!(refused["reason"].as_str().unwrap().contains("enable the gate"));
    let unknown = khelper(&target, &["get", "no.such", "khelper.gate"]);
    assert_eq!(unknown.exits(64).out, "khelper.gate = disabled\n");
    let gone = khelper(&target, &["kill", "99"]);
    assert!(gone.err.contains("99") && gone.code != Some(0), "{}", gone.err);
}

#[test]
fn without_a_daemon_the_exit_code_is_69_and_the_alternatives_are_named() {
    if std::path::Path::new("/run/khelper/khelper.sock").exists() {
        return crate::skipped("a daemon of this machine runs");
    }
    let folder = tempfile::tempdir().unwrap();
    let nowhere = format!("unix:{}", folder.path().join("none").display());
    for args in [&["get", "khelper.era"][..], &["status"], &["ps"], &["gate", "enabled"], &["kill", "1"], &["metrics"]]
    {
        let without = khelper("", args);
        for words in ["no daemon at /run/khelper/khelper.sock", "khelper serve", "--target embedded"] {
            assert!(without.exits(69).err.contains(words), "{args:?}: {}", without.err);
        }
        assert_eq!((without.out.as_str(), without.err.lines().count()), ("", 1));
        let there = khelper(&nowhere, args);
        assert!(
            there.exits(69).err.contains("none: there is no such socket (ENOENT); start one with `khelper serve`"),
            "{}",
            there.err
        );
        assert_eq!(khelper("embedded", &["get", "khelper.era"]).exits(0).out, "khelper.era = 3.4\n");
    }
    // Requests have an engine of their own then, and say so.
    let own = khelper("", &["run", "--", "/bin/true"]);
    assert!(own.exits(0).err.starts_with("khelper: uses the embedded engine (pid "), "{}", own.err);
    assert!(own.err.contains("no daemon at ") && own.err.lines().count() == 1, "{}", own.err);
    // Where stderr is no terminal, an error of the command comes first.
    let fails = khelper("", &["run", "--", "/does/not/exist"]);
    let lines: Vec<&str> = fails.exits(127).err.lines().collect();
    assert!(lines[0].contains("/does/not/exist") && lines[lines.len() - 1].contains("no daemon at "), "{lines:?}");
    let json = khelper("", &["run", "--json", "--", "/bin/true"]);
    assert_eq!((json.exits(0).err.as_str(), &json.record()["target"]), ("", &json!("embedded")));
    let set = khelper("", &["--set", "khelper.era=current", "get", "khelper.era"]);
    assert_eq!((set.exits(0).out.as_str(), set.err.as_str()), ("khelper.era = current\n", ""));
    assert!(khelper(&nowhere, &["request", "x"]).exits(69).err.contains("no daemon at "));
    assert_eq!(khelper("kernel", &["get", "khelper.era"]).exits(69).out, "");
}

#[test]
fn an_ordinary_user_s_own_daemon_is_found_and_named() {
    if nix::unistd::geteuid().is_root() {
        // As root there is one usual socket, and tests leave /run alone.
        return;
    }
    let daemon = Daemon::start();
    let folder = daemon.folder().join("khelper");
    std::fs::create_dir(&folder).unwrap();
    std::os::unix::fs::symlink(daemon.socket(), folder.join("khelper.sock")).unwrap();
    let run = |args: &[&str]| -> Ran {
        let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
        command.env("XDG_RUNTIME_DIR", daemon.folder()).stdin(Stdio::null()).args(args).output().unwrap().into()
    };
    assert_eq!(run(&["get", "khelper.era"]).exits(0).out, "khelper.era = 3.4\n");
    let ran = run(&["run", "--", "/bin/true"]);
    let named = format!("khelper: uses the daemon (pid {})\n", daemon.pid());
    assert_eq!(ran.exits(0).err, named);
    let own = run(&["--set", "khelper.era=current", "run", "--json", "--", "/bin/true"]);
    assert_eq!((own.exits(0).err.as_str(), &own.record()["target"]), ("", &json!("embedded")));
    assert_eq!(run(&["-t", "daemon", "run", "--json", "--", "/bin/true"]).exits(0).record()["target"], "daemon");
}

/// While the daemon has not answered, the process has one thread and no child.
#[test]
fn a_question_needs_no_thread() {
    let folder = tempfile::tempdir().unwrap();
    let socket = folder.path().join("s");
    let listener = UnixListener::bind(&socket).unwrap();
    let mut child = Command::new(env!("CARGO_BIN_EXE_khelper"))
        .args(["--target", &format!("unix:{}", socket.display()), "get", "khelper.era"])
        .stdout(Stdio::null())
        .stderr(Stdio::null())
        .spawn()
        .unwrap();
    let (mut connection, _) = listener.accept().unwrap();
    let mut call = [0; 18];
    connection.read_exact(&mut call).unwrap();
    assert_eq!(&call, b"{\"method\":\"io.khel", "it asks at once");
    let threads = std::fs::read_dir(format!("/proc/{}/task", child.id())).unwrap().count();
    assert_eq!(threads, 1);
    child.kill().unwrap();
    child.wait().unwrap();
}
