//! `ps`, `kill`, `abandon`, `status`, `log` and `watch` over the kernel, and names that try to forge a line.

use std::io::{BufRead, BufReader};
use std::os::unix::ffi::OsStrExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::asker::Asker;
use crate::{Fixture, errors, khelper, text};

fn objects(text: &str) -> Vec<Value> {
    text.lines().map(|line| serde_json::from_str(line).unwrap_or_else(|e| panic!("{line}: {e}"))).collect()
}

#[test]
fn what_runs_is_shown_and_ended_and_nothing_else_is_signalled() {
    let Some(fixture) = Fixture::new() else { return };
    let agent = fixture.hierarchy.agent();
    let agent = agent.to_str().unwrap();
    let asker = Asker::start(&fixture.hierarchy, 0, None, b"mount", "7-w1000");
    // Told as started once it has run for a while.
    let started = |said: &str| said.contains("started, pid") && said.contains(agent);
    fixture.until(&["log", "--outcome", "running"], |said| said.lines().any(started));
    for own in [false, true] {
        let ps =
            |args: &[&str]| if own { khelper(&[&["--target", "kernel"], args].concat()) } else { fixture.over(args) };
        let rows = objects(&text(&ps(&["ps", "--json"])));
        let row = rows.iter().find(|row| row["path"] == agent).unwrap_or_else(|| panic!("{rows:?}"));
        assert_eq!((&row["outcome"], &row["state"]), (&"running".into(), &"running".into()), "{row}");
        assert!(row["argv"][1].as_str().unwrap().ends_with("/7-w1000"), "{row}");
        match own {
            // A daemon has seen who asked.
            false => assert_eq!(row["requester"]["pid"], asker.pid(), "{row}"),
            true => assert_eq!((&row["requester"], &row["unknown"][0]["why"]), (&Value::Null, &"before_watch".into())),
        }
        assert!(row["elapsed_us"].as_u64().unwrap() < 3_600_000_000, "{row}");
        let table = text(&ps(&["ps"]));
        let line = table.lines().find(|line| line.contains(agent)).unwrap_or_else(|| panic!("{table}"));
        let by = if own {
            "it happened before the watch began".to_owned()
        } else {
            format!("\"mount\" pid {}", asker.pid())
        };
        assert!(line.contains(&by), "{table}");
    }
    // Without a target of its own it stands in the daemon's table, with its target's name.
    let engine = format!("unix:{}", fixture.daemon.socket.display());
    let table = text(&khelper(&["--target", &engine, "ps"]));
    assert!(table.lines().any(|line| line.starts_with(&fixture.target()) && line.contains(agent)), "{table}");
    let rows = objects(&text(&khelper(&["--target", &engine, "ps", "--json"])));
    assert!(rows.iter().any(|row| row["target"] == fixture.target() && row["path"] == agent), "{rows:?}");
    let rows = objects(&text(&fixture.over(&["ps", "--json"])));
    let row = rows.iter().find(|row| row["path"] == agent).unwrap();
    let (id, pid) = (row["id"].to_string(), format!("pid:{}", row["pid"]));
    // What the kernel's target cannot do is refused in words.
    for (args, code, words) in [
        (vec!["abandon", &id], 69, "the kernel waits for its helpers itself"),
        (vec!["kill", "--chain", &id], 69, "no chain is known"),
        (vec!["gate", "disabled"], 69, "EOPNOTSUPP"),
        (vec!["kill", "999999999"], 1, "there is no helper #999999999"),
        (vec!["kill", "pid:1"], 1, "pid 1 is no helper of this target"),
    ] {
        let said = fixture.over(&args);
        assert_eq!((said.status.code(), errors(&said).contains(words)), (Some(code), true), "{args:?} {said:?}");
    }
    // Numbers of a watch that ended with its command name nothing.
    let own = khelper(&["--target", "kernel", "kill", "1"]);
    assert!(own.status.code() == Some(64) && errors(&own).contains("name the process"), "{own:?}");
    let stopped = fixture.over(&["kill", "-s", "TERM", &id]);
    assert_eq!((stopped.status.code(), text(&stopped)), (Some(0), format!("#{id}: SIGTERM\n")), "{stopped:?}");
    let log = fixture.until(&["--target", "kernel", "log", "--outcome", "killed"], |said| said.contains(agent));
    assert!(log.contains("killed by SIGTERM") && log.contains(&format!("by \"mount\" pid {}", asker.pid())), "{log}");
    let acts = text(&fixture.ledger(&["log"]));
    assert!(acts.contains(&format!("kernel #{id} SIGTERM sent to pid ")), "{acts}");
    // It has ended: its number is no process of the kernel's any more, whoever may have it now.
    let again = fixture.over(&["kill", &id]);
    assert!(again.status.code() == Some(1) && errors(&again).contains("has ended"), "{again:?}");
    let by_pid = fixture.over(&["kill", &pid]);
    assert!(by_pid.status.code() == Some(1) && errors(&by_pid).contains("no helper"), "{by_pid:?}");
    let status = &objects(&text(&fixture.over(&["status", "--json"])))[0];
    assert!(status["helpers"].as_u64() >= Some(1) && status["states"].as_array().unwrap().len() == 3, "{status}");
    assert!(text(&fixture.over(&["status"])).contains("kernel watcher: since "));
}

/// Runs khelper where nothing of the kernel can be watched: as an ordinary user, in a network namespace of its own.
fn where_nothing_can_be_watched(args: &[&str]) -> std::process::Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    // SAFETY: the closure makes system calls alone.
    unsafe {
        command.args(args).pre_exec(|| {
            nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNET)?;
            nix::unistd::setgroups(&[])?;
            nix::unistd::setgid(65534.into())?;
            Ok(nix::unistd::setuid(65534.into())?)
        })
    };
    command.output().unwrap()
}

#[test]
fn what_runs_is_listed_without_a_watch_and_without_rights() {
    let Some(fixture) = Fixture::new() else { return };
    let agent = fixture.hierarchy.agent();
    let _asker = Asker::start(&fixture.hierarchy, 0, None, b"mount", "8-w1000");
    fixture.until(&["log", "--outcome", "running"], |said| said.contains(agent.to_str().unwrap()));
    for args in [&["ps", "--json"][..], &["status", "--json"], &["status"]] {
        let args = [&["--target", "kernel"], args].concat();
        let (own, other) = (khelper(&args), where_nothing_can_be_watched(&args));
        assert_eq!((own.status.code(), other.status.code()), (Some(0), Some(0)), "{args:?} {own:?} {other:?}");
        for (output, rights) in [(own, true), (other, false)] {
            let said = text(&output);
            match (args[2], args.get(3)) {
                ("ps", _) => assert!(objects(&said).iter().any(|row| row["path"] == agent.to_str().unwrap()), "{said}"),
                ("status", Some(_)) => {
                    let status = &objects(&said)[0];
                    let known =
                        status["states"].as_array().unwrap().iter().filter(|state| state["known"] != "").count();
                    assert_eq!(
                        (&status["since"], status["running"].as_u64() >= Some(1)),
                        (&Value::Null, true),
                        "{said}"
                    );
                    assert_eq!(known, if rights { 3 } else { 0 }, "{said}");
                }
                _ => {
                    assert!(said.contains(" running, listed by pid ") && said.contains("watcher: none"), "{said}");
                }
            }
        }
    }
    let said = where_nothing_can_be_watched(&["--target", "kernel", "watch"]);
    assert_eq!((said.status.code(), errors(&said).lines().count()), (Some(69), 3), "{said:?}");
}

#[test]
fn an_engine_of_a_daemon_that_does_not_watch_says_so() {
    let dir = crate::common::Dir::new();
    let daemon = crate::daemon::Daemon::start(&dir);
    let target = format!("unix:{}/kernel", daemon.socket.display());
    let said = khelper(&["--target", &target, "ps"]);
    assert!(said.status.code() == Some(69) && errors(&said).contains("start it with --watch-kernel"), "{said:?}");
}

/// A newline, an escape sequence, a backslash, a quote, a right-to-left override, a byte that is no UTF-8.
pub const HOSTILE: &[u8] = b"a\n9 x\x1b[2J\\\"\xe2\x80\xae\xff";

fn is_hostile(c: char) -> bool {
    c.is_control() || ('\u{202a}'..='\u{202e}').contains(&c) || c == '\u{fffd}'
}

#[test]
fn hostile_names_reach_neither_a_terminal_nor_another_line() {
    let Some(fixture) = Fixture::new() else { return };
    // The agent's path, in a folder of that name.
    let folder = fixture.hierarchy.agent().parent().unwrap().join(std::ffi::OsStr::from_bytes(HOSTILE));
    std::fs::create_dir(&folder).unwrap();
    let agent = folder.join("agent");
    crate::common::program::write_program(&agent, std::fs::read(fixture.hierarchy.agent()).unwrap());
    let mut watch = Command::new(env!("CARGO_BIN_EXE_khelper"))
        .args(["--target", &fixture.target(), "watch"])
        .stdout(Stdio::piped())
        .stderr(Stdio::piped())
        .spawn()
        .unwrap();
    // It says so when it watches.
    let said = BufReader::new(watch.stderr.take().unwrap()).lines().any(|line| line.unwrap().contains("watching this"));
    assert!(said);
    std::fs::write(fixture.hierarchy.root().join("release_agent"), agent.as_os_str().as_bytes()).unwrap();
    let asker = Asker::start(&fixture.hierarchy, 65534, None, HOSTILE, "5-e5");
    let by = format!("pid {}", asker.pid());
    let log = fixture.until(&["log"], |said| said.contains(&by));
    let mut events = BufReader::new(watch.stdout.take().unwrap()).lines().map(Result::unwrap);
    let event = events.find(|line| line.contains(&by)).unwrap();
    kill(Pid::from_raw(watch.id().cast_signed()), Signal::SIGTERM).unwrap();
    watch.wait().unwrap();
    let why = text(&fixture.ledger(&["why", &format!("pid:{}", asker.pid())]));
    let json = text(&fixture.ledger(&["log", "--json"]));
    for line in log.lines().chain(json.lines()).chain(why.lines()).chain([&*event]) {
        assert!(!line.chars().any(is_hostile), "{line:?}");
    }
    assert_eq!(log.lines().filter(|line| line.contains(&by)).count(), 1, "{log}");
    assert!(!log.lines().any(|line| line.starts_with("9 x")), "{log}");
    // Every byte can be read back, but those that do not fit into a command name.
    let of_us = |row: &&Value| row["requester"]["pid"] == asker.pid();
    let rows = objects(&json);
    let row = rows.iter().find(of_us).unwrap_or_else(|| panic!("{json}"));
    let bytes = |value: &Value| khelper::abi::escape::unescape(value.as_str().unwrap()).unwrap();
    assert_eq!(bytes(&row["requester"]["comm"]), HOSTILE[..15.min(HOSTILE.len())]);
    assert_eq!(bytes(&row["path"]), agent.as_os_str().as_bytes());
    // The lines of the ledger itself.
    for entry in std::fs::read_dir(fixture.dir.path().join("ledger")).unwrap().flatten() {
        let Ok(bytes) = std::fs::read(entry.path()) else { continue };
        for line in String::from_utf8(bytes).unwrap().lines() {
            serde_json::from_str::<Value>(line).unwrap_or_else(|e| panic!("{line:?}: {e}"));
            assert!(!line.chars().any(is_hostile), "{line:?}");
        }
    }
}
