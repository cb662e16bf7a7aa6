//! ctrl-c.

use std::io::{BufRead, BufReader, Read};
use std::process::{Child, Stdio};

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::{Value, json};

use crate::{Helpers, khelper};

/// khelper with a helper that has started and does not end by itself, the helper's pid, and a pipe that the helper
/// alone holds open.
fn started(helpers: &Helpers) -> (Child, std::process::ChildStdout, Pid, impl Read) {
    let path = helpers.path("alive");
    nix::unistd::mkfifo(&path, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    let script = format!("exec 9> {}; echo $$ >&9; exec sleep 600", path.display());
    let mut command = khelper();
    command.args(["run", "--json", "--", "/bin/sh", "-c", &script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opens once the helper has opened its end.
    let mut alive = BufReader::new(std::fs::File::open(path).unwrap());
    let mut pid = String::new();
    alive.read_line(&mut pid).unwrap();
    let helper = Pid::from_raw(pid.trim().parse().unwrap());
    let stdout = child.stdout.take().unwrap();
    (child, stdout, helper, alive)
}

fn interrupt(child: &Child) {
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
}

#[test]
fn umh_4_the_first_abandons_and_the_second_kills() {
    let helpers = Helpers::new();
    let (mut child, stdout, helper, mut alive) = started(&helpers);
    interrupt(&child);
    let mut stdout = BufReader::new(stdout);
    let mut line = String::new();
    stdout.read_line(&mut line).unwrap();
    let record: Value = serde_json::from_str(&line).unwrap();
    assert_eq!(
        (&record["outcome"], &record["errno"], &record["result"]),
        (&json!("abandoned"), &json!("EINTR"), &json!(-4))
    );
    // The helper may run before the engine has heard of it; then the answer was given while the call was queued.
    assert!(record["pid"].is_null() || record["pid"] == helper.as_raw(), "{record}");
    kill(helper, None).expect("an abandoned helper lives on");
    let (mut stderr, mut said) = (BufReader::new(child.stderr.take().unwrap()), String::new());
    while !said.contains("press ctrl-c again to kill") {
        assert!(stderr.read_line(&mut said).unwrap() > 0, "{said}");
    }
    interrupt(&child);
    // Read to its end when the helper is dead.
    alive.read_to_end(&mut Vec::new()).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    stderr.read_to_string(&mut said).unwrap();
    assert!(!said.contains("still runs; its next write"), "{said}");
}

#[test]
fn umh_14_what_outlives_the_command_is_named() {
    let helpers = Helpers::new();
    let (mut child, stdout, helper, mut alive) = started(&helpers);
    interrupt(&child);
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let mut stderr = String::new();
    child.stderr.take().unwrap().read_to_string(&mut stderr).unwrap();
    let record: Value = serde_json::from_reader(stdout).unwrap();
    assert_eq!(record["outcome"], "abandoned");
    assert!(stderr.contains(&format!("(pid {helper}) still runs")), "{stderr}");
    kill(helper, Signal::SIGKILL).expect("it was left running");
    alive.read_to_end(&mut Vec::new()).unwrap();
}

#[test]
fn nothing_is_begun_after_it() {
    let helpers = Helpers::new();
    let mut barrier = helpers.barrier();
    let count = helpers.path("count");
    let script = helpers.script("once", &format!("echo >> {}; {}", count.display(), barrier.wait()));
    let mut command = khelper();
    command.args(crate::modprobe(&script)).args(["request", "--json", "--repeat", "1000", "x"]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    while !count.exists() {
        std::thread::yield_now();
    }
    interrupt(&child);
    let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let record: Value = serde_json::from_str(&lines.next().unwrap().unwrap()).unwrap();
    assert_eq!(record["outcome"], "abandoned");
    barrier.release(1);
    assert!(lines.next().is_none());
    assert_eq!(child.wait().unwrap().code(), Some(130));
}

#[test]
fn a_command_started_with_sigint_ignored_is_not_interrupted() {
    let helpers = Helpers::new();
    let mut barrier = helpers.barrier();
    let told = helpers.path("told");
    let script = helpers.script("wait", &format!(": > {}; {}", told.display(), barrier.wait()));
    let mut sh = std::process::Command::new("/bin/sh");
    sh.args(["-c", "trap '' INT; exec \"$0\" run --json -- \"$1\""]).arg(env!("CARGO_BIN_EXE_khelper")).arg(&script);
    let mut child = sh.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap();
    while !told.exists() {
        std::thread::yield_now();
    }
    interrupt(&child);
    barrier.release(1);
    let record: Value = serde_json::from_reader(child.stdout.take().unwrap()).unwrap();
    assert_eq!(record["outcome"], "exited");
    assert_eq!(child.wait().unwrap().code(), Some(0));
}
