//! The verbs of the real program against a real `khelper serve`: helpers that wait at a named pipe.

use std::fs::File;
use std::io::{BufRead, BufReader};
use std::path::PathBuf;
use std::process::{Child, Command, Output, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

/// A daemon in a folder of its own, which is ended with this value.
struct Daemon {
    folder: tempfile::TempDir,
    child: Child,
    /// Held open, so that the helpers wait in their read.
    _gate: File,
}

impl Drop for Daemon {
    fn drop(&mut self) {
        let _ = kill(Pid::from_raw(self.child.id().cast_signed()), Signal::SIGTERM);
        let _ = self.child.wait();
    }
}

impl Daemon {
    fn start() -> Self {
        let folder = tempfile::tempdir().unwrap();
        let path = |name: &str| folder.path().join(name);
        nix::unistd::mkfifo(&path("gate"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        let gate = File::options().read(true).write(true).open(path("gate")).unwrap();
        std::fs::create_dir(path("conf")).unwrap();
        let mut serve = Command::new(env!("CARGO_BIN_EXE_khelper"));
        serve
            .arg("serve")
            .arg("--socket")
            .arg(path("s"))
            .arg("--ledger")
            .arg(path("l"))
            .arg("--config")
            .arg(path("conf"));
        let mut child = serve.stdin(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
        let mut log = BufReader::new(child.stderr.take().unwrap()).lines().map(Result::unwrap);
        assert!(log.by_ref().any(|line| line.contains("serving on")), "the daemon did not start");
        // What it says later is not of interest, but must not block it.
        std::thread::spawn(move || log.for_each(drop));
        Self { folder, child, _gate: gate }
    }

    fn gate(&self) -> PathBuf {
        self.folder.path().join("gate")
    }

    fn khelper(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
        command.arg("--target").arg(format!("unix:{}/s", self.folder.path().display())).args(args);
        command.stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
        command
    }

    #[track_caller]
    fn says(&self, code: i32, args: &[&str]) -> String {
        let Output { status, stdout, stderr } = self.khelper(args).output().unwrap();
        let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
        assert_eq!(status.code(), Some(code), "{args:?}: {out}{err}");
        if code == 0 { out } else { format!("{out}{err}") }
    }

    /// Starts a helper that waits at the named pipe.
    fn waits(&self) {
        let gate = self.gate();
        self.says(0, &["run", "--wait", "exec", "--", "/bin/cat", gate.to_str().unwrap()]);
    }
}

#[test]
fn the_verbs_work_over_a_daemon() {
    let daemon = Daemon::start();
    let socket = format!("unix:{}/s", daemon.folder.path().display());
    let mut watch = super::hears_ctrl_c(&mut daemon.khelper(&["watch", "--json"])).spawn().unwrap();
    let mut events = BufReader::new(watch.stdout.take().unwrap()).lines();
    let mut next = move || serde_json::from_str::<Value>(&events.next().unwrap().unwrap()).unwrap();
    // The watch is active once the daemon counts it.
    while !daemon.says(0, &["metrics"]).contains("\nkhelper_watchers 1\n") {
        std::thread::yield_now();
    }
    daemon.waits();
    daemon.waits();
    let ps = daemon.says(0, &["ps"]);
    let rows: Vec<&str> = ps.lines().collect();
    assert!(rows.len() == 3 && rows[0].starts_with("TARGET ") && rows[1].contains(" run \"/bin/cat\" "), "{ps}");
    assert!(rows[1].starts_with(&socket) && rows[1].contains("  #1  ") && rows[2].contains("  #2  "), "{ps}");
    assert_eq!(daemon.says(0, &["ps", "--tree"]).lines().count(), 2);
    let json = daemon.says(0, &["ps", "--json"]);
    let of = |line: &str| serde_json::from_str::<Value>(line).unwrap();
    let ids: Vec<Value> = json.lines().map(|line| of(line)["id"].clone()).collect();
    assert_eq!((ids, of(json.lines().next().unwrap())["target"].as_str()), (vec![1.into(), 2.into()], Some(&*socket)));

    let status = daemon.says(0, &["status"]);
    assert!(status.contains("; engine: 2 running, 0 queued, gate enabled, era 3.4\n"), "{status}");
    assert!(status.contains(" watchers: 1, 0 events missed\nrules: off; 0 rules; "), "{status}");
    assert!(status.contains(" 0 would be denied\nledger: "), "{status}");
    let status = of(&daemon.says(0, &["status", "--json"]));
    assert!(status["ledger"]["lost"] == 0 && status["pid"] == daemon.child.id(), "{status}");
    assert_eq!(status["drift"], 0, "{status}");
    daemon.says(0, &["set", "khelper.max_concurrent=49"]);
    let drifted = daemon.says(0, &["status"]);
    assert!(drifted.ends_with("\nconfiguration: 1 drift (khelper diff)\n"), "{drifted}");
    let metrics = daemon.says(0, &["metrics"]);
    assert!(metrics.contains("\nkhelper_ledger_lost_total 0\n") && metrics.contains("\nkhelper_helpers_running 2\n"));

    // The daemon's requests are completed.
    let mut complete = Command::new(env!("CARGO_BIN_EXE_khelper"));
    let complete = complete.args(["__complete", "--target", &socket, "kill", "1", ""]).output().unwrap();
    assert_eq!(String::from_utf8(complete.stdout).unwrap(), "1\n2\n");

    // Nobody waits for these helpers, so the drain does not either (GATE-3).
    assert_eq!(daemon.says(0, &["gate", "freezing"]), format!("{socket} khelper.gate: enabled → freezing\n"));
    assert_eq!(daemon.says(0, &["kill", "--signal", "KILL", "#1"]), "#1: SIGKILL\n");
    assert_eq!(daemon.says(0, &["kill", "--chain", "2"]), "#2: SIGTERM to its chain: #2 signalled\n");
    assert!(daemon.says(1, &["kill", "99"]).contains("there is no request 99 (ESRCH)"));
    assert!(daemon.says(1, &["abandon", "1"]).contains("(ESRCH)"));
    assert_eq!(daemon.says(0, &["gate", "disabled"]), format!("{socket} khelper.gate: freezing → disabled\n"));
    daemon.says(75, &["run", "--", "/bin/true"]);
    assert_eq!(daemon.says(0, &["gate", "enabled"]), format!("{socket} khelper.gate: disabled → enabled\n"));
    let rehearsed = daemon.says(0, &["rehearse", "--", "/bin/true"]);
    assert!(rehearsed.ends_with("no difference: the draft is the live masks, so this proves nothing\n"), "{rehearsed}");
    let both = of(&daemon.says(0, &["rehearse", "--json", "--", "/bin/true"]));
    assert_eq!((&both["draft"]["outcome"], &both["live"]["exit_code"]), (&"exited".into(), &0.into()), "{both}");

    // Every event came, each once and in its order.
    let (mut seen, mut last) = (Vec::new(), None);
    loop {
        let event = next();
        let seq = event["seq"].as_u64().unwrap();
        assert!(last.is_none_or(|last| seq == last + 1), "{last:?}: {event}");
        last = Some(seq);
        let name = event["event"].as_str().unwrap().to_owned();
        let is_last = name == "gate_changed" && event["to"] == "enabled" && event["from"] == "disabled";
        seen.push(name);
        if is_last {
            assert_eq!(event["by"]["uid"], nix::unistd::getuid().as_raw(), "{event}");
            break;
        }
    }
    for wanted in ["queued", "started", "signalled", "finished", "gate_changed"] {
        assert!(seen.iter().any(|name| name == wanted), "{wanted}: {seen:?}");
    }
    kill(Pid::from_raw(watch.id().cast_signed()), Signal::SIGINT).unwrap();
    assert_eq!(watch.wait().unwrap().code(), Some(130));
}

#[test]
fn a_watch_ends_with_69_when_its_daemon_ends() {
    let daemon = Daemon::start();
    let mut watch = daemon.khelper(&["watch"]).spawn().unwrap();
    while !daemon.says(0, &["metrics"]).contains("\nkhelper_watchers 1\n") {
        std::thread::yield_now();
    }
    let socket = daemon.folder.path().join("s");
    let mut daemon = daemon;
    daemon.child.kill().unwrap();
    daemon.child.wait().unwrap();
    let code = watch.wait().unwrap().code();
    assert_eq!((code, socket.exists()), (Some(69), true));
    let text = daemon.says(69, &["ps"]);
    assert!(text.contains("nothing listens on the socket (ECONNREFUSED); start one with `khelper serve`"), "{text}");
}

#[test]
fn without_a_daemon_the_other_targets_are_named() {
    let folder = tempfile::tempdir().unwrap();
    for verb in
        [&["ps"][..], &["status"], &["metrics"], &["kill", "1"], &["abandon", "1"], &["gate", "enabled"], &["watch"]]
    {
        let target = format!("unix:{}/none", folder.path().display());
        let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
        let output = command.args(["-t", &target]).args(verb).output().unwrap();
        let err = String::from_utf8(output.stderr).unwrap();
        assert_eq!((output.status.code(), output.stdout.len()), (Some(69), 0), "{verb:?}: {err}");
        assert!(err.contains("no daemon at ") && err.contains("(ENOENT)"), "{err}");
    }
}
