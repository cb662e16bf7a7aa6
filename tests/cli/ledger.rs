//! `--ledger`, `log` and `why`: a day in the life of an engine, read back from its ledger.

use std::os::fd::AsFd;

use khelper::ledger::folder::default_path;
use khelper::sys::process;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use super::{Ran, is_root, khelper, run};

/// A ledger in a folder of this user.
struct Kept(tempfile::TempDir);

impl Kept {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }
    fn path(&self) -> String {
        self.0.path().join("ledger").to_str().unwrap().to_owned()
    }
    fn run(&self, args: &[&str]) -> Ran {
        run([&["--ledger", &self.path()], args].concat())
    }
    fn log(&self, args: &[&str]) -> Ran {
        run([&["log", "--utc", "--ledger", &self.path()], args].concat())
    }
    fn why(&self, what: &str) -> Ran {
        run(["why", "--utc", "--ledger", &self.path(), what])
    }
    /// The lines of the log about requests, without their times, durations and requesters.
    fn requests(&self, args: &[&str]) -> Vec<String> {
        let ran = self.log(args);
        let words = |line: &str| line.split("  ").take(2).collect::<Vec<_>>().join("  ");
        let about = |line: &&str| line.contains(" embedded #");
        ran.exits(0).text().lines().filter(about).map(|line| words(&line[10..])).collect()
    }
}

/// A ledger with a few requests of three engines.
fn day() -> Kept {
    let kept = Kept::new();
    kept.run(&["--set", "kernel.modprobe=/bin/true", "--set", "khelper.deny=evil*", "request", "good", "evil\x1b"])
        .exits(77);
    kept.run(&["--set", "kernel.modprobe=/bin/false", "request", "good", "bad"]).exits(1);
    kept.run(&["run", "--", "/bin/sh", "-c", "echo oops >&2; kill -9 $$"]).exits(137);
    kept
}

#[test]
fn the_log_tells_what_was_asked_and_how_it_ended() {
    let kept = day();
    let all = [
        "embedded #1 module \"good\"  exit 0",
        "embedded #2 module \"evil\\x1b\"  denied by khelper.deny (EPERM)",
        "embedded #3 module \"good\"  exit 1",
        "embedded #4 module \"bad\"  exit 1",
        "embedded #5 run \"/bin/sh\"  killed by SIGKILL",
    ];
    let of = |indexes: &[usize]| indexes.iter().map(|at| all[*at].to_owned()).collect::<Vec<_>>();
    assert_eq!(kept.requests(&[]), all);
    let me = nix::unistd::getuid().to_string();
    for (args, expected) in [
        (&["--outcome", "killed"][..], &[4][..]),
        (&["--outcome", "exited"], &[0, 2, 3]),
        (&["--outcome", "refused"], &[1]),
        (&["--outcome", "lost"], &[]),
        (&["--module", "goo?"], &[0, 2]),
        (&["--module", "goo?", "--outcome", "exited", "--uid", &me], &[0, 2]),
        (&["--uid", &me], &[0, 1, 2, 3, 4]),
        (&["--uid", "4000000000"], &[]),
        (&["--unit", "x.service"], &[]),
        (&["--since", "1h"], &[0, 1, 2, 3, 4]),
        (&["--until", "1h"], &[]),
        (&["--since", "now"], &[]),
        (&["--since", "1970-01-01", "--until", "2100-01-01T00:00:00Z"], &[0, 1, 2, 3, 4]),
    ] {
        assert_eq!(kept.requests(args), of(expected), "{args:?}");
    }
    let starts = kept.log(&["--outcome", "running"]);
    assert_eq!(starts.exits(0).text().matches("started, pid ").count(), 4);
    let log = kept.log(&[]);
    assert!(log.text().contains(" embedded set kernel.modprobe \"/sbin/modprobe\" → \"/bin/true\" by \"khelper\" uid"));
    assert!(log.text().contains("gate disabled → enabled") && log.stderr.is_empty(), "{}", log.stderr);
    assert!(!log.text().contains('\x1b'));
}

#[test]
fn json_has_the_fields_of_every_other_record() {
    let kept = day();
    let records: Vec<_> = kept.log(&["--json", "--outcome", "exited"]).records();
    assert_eq!(records.len(), 3);
    for record in &records {
        assert_eq!((&record["v"], &record["target"]), (&1.into(), &"embedded".into()));
        assert_eq!(record["env"][0], "HOME=/", "what the line leaves out is restored");
        assert_eq!(record["argv"].as_array().unwrap().len(), 4);
        assert_eq!(record["origin"], "command_line");
    }
    let runs: std::collections::BTreeSet<String> = records.iter().map(|r| r["run"].to_string()).collect();
    assert_eq!((runs.len(), records[1]["raw"].as_i64(), records[1]["id"].as_u64()), (2, Some(256), Some(3)));
    let failed = &kept.log(&["--json", "--outcome", "killed"]).record();
    assert_eq!((failed["stderr"].as_str(), failed["signal"].as_i64()), (Some("oops\n"), Some(9)));
    let events = kept.log(&["--json"]).records();
    let knobs = events.iter().filter(|event| event["event"] == "knob_changed" && event["key"] == "kernel.modprobe");
    assert_eq!(knobs.map(|event| event["after"].as_str().unwrap()).collect::<Vec<_>>(), ["/bin/true", "/bin/false"]);
}

#[test]
fn why_tells_the_newest_request_that_fits() {
    let kept = day();
    let of = |what: &str| kept.why(what).exits(0).text().to_owned();
    let good = of("good");
    assert!(good.starts_with("#3 module \"good\", ") && good.contains("\nExit 1 after "), "{good}");
    assert!(good.contains("Asked by \"khelper\" (pid ") && good.contains("\nAllowed. /bin/false ran with "), "{good}");
    assert_eq!(kept.why("good").stderr, "khelper: 1 earlier request; khelper log --module=good\n");
    assert!(of("#1").contains("\nExit 0 after "));
    let evil = of("#2");
    assert!(
        evil.contains("\nNot run: khelper.deny has `evil*`") && evil.contains("The chain of requesters: "),
        "{evil}"
    );
    let sh = of("sh");
    assert_eq!(sh, of("/bin/sh"));
    assert!(sh.contains("Killed by SIGKILL after ") && sh.ends_with("The last line on its stderr: \"oops\"\n"), "{sh}");
    let pid = kept.log(&["--json", "--outcome", "killed"]).record()["pid"].to_string();
    assert_eq!(of(&format!("pid:{pid}")), sh);
    for unknown in ["nobody", "#99", "pid:999999999"] {
        let ran = kept.why(unknown);
        assert_eq!((ran.exits(1).text(), ran.stderr.lines().count()), ("", 1));
    }
}

#[test]
fn why_as_json_has_the_sentences_and_the_record() {
    let kept = day();
    let json = |what: &str| run(["why", "--utc", "--json", "--ledger", &kept.path(), what]);
    let good = json("good");
    assert_eq!((good.exits(0).text().lines().count(), &*good.stderr), (1, ""));
    let good = good.record();
    assert_eq!((good["v"].as_u64(), good["earlier"].as_u64(), &good["alive"]), (Some(1), Some(1), &Value::Null));
    assert_eq!((good["record"]["id"].as_u64(), good["record"]["exit_code"].as_u64()), (Some(3), Some(1)));
    let story: Vec<&str> = good["story"].as_array().unwrap().iter().map(|line| line.as_str().unwrap()).collect();
    assert_eq!(story.join("\n") + "\n", kept.why("good").text());
    let evil = json("#2").record();
    assert_eq!((&evil["record"]["module"], &evil["record"]["errno"]), (&"evil\u{1b}".into(), &"EPERM".into()));
    assert!(evil["story"].to_string().contains("Not run: khelper.deny has `evil*`"), "{evil}");
    assert_eq!(json("nobody").exits(1).text(), "");
}

#[test]
fn a_helper_that_outlives_its_engine_is_found_by_the_next_one() {
    let kept = Kept::new();
    let started = kept.run(&["run", "--wait", "exec", "--json", "--", "/bin/sleep", "1000"]);
    let pid = i32::try_from(started.exits(0).record()["pid"].as_i64().unwrap()).unwrap();
    assert!(kept.why("sleep").exits(0).text().ends_with(&format!("It still runs, pid {pid}.\n")));
    kept.run(&["get", "khelper.era"]).exits(0);
    let log = kept.log(&[]);
    let found = format!("#1 run \"/bin/sleep\"  still running, started by an earlier run, pid {pid}");
    assert!(log.exits(0).text().contains(&found), "{}", log.text());
    let process = process::open(pid, process::start_time(pid).unwrap()).unwrap();
    kill(Pid::from_raw(pid), Signal::SIGKILL).unwrap();
    // It becomes readable when the process has ended.
    poll(&mut [PollFd::new(process.as_fd(), PollFlags::POLLIN)], PollTimeout::NONE).unwrap();
    kept.run(&["get", "khelper.era"]).exits(0);
    let why = kept.why("#1");
    assert!(why.exits(0).text().contains("Lost: how the helper ended is unknown (ECHILD)"), "{}", why.text());
    assert!(why.text().contains("The reason: the helper ended while no engine ran"), "{}", why.text());
}

#[test]
fn the_output_that_is_kept_can_be_chosen() {
    for (which, kept) in [("none", [false; 2]), ("failures", [false, true]), ("all", [true; 2])] {
        let ledger = Kept::new();
        let path = ledger.path();
        for code in ["0", "3"] {
            let script = format!("echo out; exit {code}");
            run(["run", "--ledger", &path, "--ledger-output", which, "--", "/bin/sh", "-c", &script]);
        }
        let records = ledger.log(&["--json", "--outcome", "exited"]).records();
        assert_eq!(records.iter().map(|r| r["stdout"] == "out\n").collect::<Vec<_>>(), kept, "{which}");
    }
}

#[test]
fn a_ledger_that_cannot_be_used_ends_the_command_before_anything_runs() {
    let dir = tempfile::tempdir().unwrap();
    let open = dir.path().join("open");
    std::fs::create_dir(&open).unwrap();
    std::fs::set_permissions(&open, std::os::unix::fs::PermissionsExt::from_mode(0o755)).unwrap();
    let open = open.to_str().unwrap();
    let ran = run(["run", "--ledger", open, "--", "/bin/echo", "x"]);
    assert_eq!(ran.exits(69).text(), "");
    assert!(ran.stderr.contains("has mode 0755") && ran.stderr.contains("chmod 0700"), "{}", ran.stderr);
    run(["log", "--ledger", open]).exits(69);
    run(["why", "--ledger", dir.path().join("none").to_str().unwrap(), "x"]).exits(69);
    for usage in [&["log", "--since", "soon"][..], &["log", "--outcome", "x"], &["why"], &["--ledger", open, "log"]] {
        run(usage).exits(64);
    }
}

#[test]
fn the_default_folder_is_that_of_the_user() {
    let dir = tempfile::tempdir().unwrap();
    if is_root() {
        // This machine's own ledger is not this test's to read.
        return assert_eq!(default_path(), Some("/var/lib/khelper/ledger".into()));
    }
    let ledger = dir.path().join("khelper/ledger");
    run(["request", "--ledger", ledger.to_str().unwrap(), "--set", "kernel.modprobe=/bin/true", "x"]).exits(0);
    let mut log = khelper();
    let log = Ran::of(log.arg("log").env("XDG_STATE_HOME", dir.path()).output().unwrap());
    assert!(log.exits(0).text().contains("#1 module \"x\""), "{}", log.text());
}
