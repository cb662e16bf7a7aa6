//! The second ctrl-c: KILL, also for a helper that ignores everything that can be ignored.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::Helpers;

/// One ctrl-c, and a helper that outlives it by more than khelper's patience: it is named, and its name is whatever the
/// requester made up.
#[test]
fn umh_14_the_name_of_what_runs_on_is_escaped() {
    let helpers = Helpers::new();
    let alive = helpers.path("alive");
    nix::unistd::mkfifo(&alive, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    let script = helpers.script("stay", &format!("exec 9> {}; echo $$ >&9; exec sleep 600", alive.display()));
    let mut command = crate::khelper();
    command.args(crate::modprobe(&script)).args(["request", "--json", "na\x1b[2Jme"]);
    let mut child = command.stdout(Stdio::null()).stderr(Stdio::piped()).spawn().unwrap();
    let mut alive = BufReader::new(std::fs::File::open(alive).unwrap());
    let mut pid = String::new();
    alive.read_line(&mut pid).unwrap();
    let helper = Pid::from_raw(pid.trim().parse().unwrap());
    kill(Pid::from_raw(child.id().cast_signed()), Signal::SIGINT).unwrap();
    let mut stderr = Vec::new();
    child.stderr.take().unwrap().read_to_end(&mut stderr).unwrap();
    assert_eq!(child.wait().unwrap().code(), Some(130));
    kill(helper, Signal::SIGKILL).expect("it was left running");
    alive.read_to_end(&mut Vec::new()).unwrap();
    let stderr = String::from_utf8(stderr).unwrap();
    assert!(stderr.contains(&format!("#1 na\\x1b[2Jme (pid {helper}) still runs")), "{stderr:?}");
    assert!(!stderr.contains('\x1b'), "{stderr:?}");
}

#[test]
fn umh_14_the_second_ctrl_c_kills_a_helper_that_ignores_term() {
    let helpers = Helpers::new();
    let alive = helpers.path("alive");
    nix::unistd::mkfifo(&alive, nix::sys::stat::Mode::from_bits_truncate(0o666)).unwrap();
    // Signals that are ignored stay so across exec: this one dies of nothing but KILL.
    let script = format!("trap '' TERM INT HUP QUIT; exec 9> {}; echo $$ >&9; exec sleep 600", alive.display());
    let mut command = crate::khelper();
    command.args(["run", "--json", "--", "/bin/sh", "-c", &script]);
    let mut child = command.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    // Opens once the helper has opened its end, and reads its end when the helper is dead.
    let mut alive = BufReader::new(std::fs::File::open(alive).unwrap());
    let mut pid = String::new();
    alive.read_line(&mut pid).unwrap();
    let helper = Pid::from_raw(pid.trim().parse().unwrap());
    let khelper = Pid::from_raw(child.id().cast_signed());
    let interrupt = || kill(khelper, Signal::SIGINT).unwrap();

    interrupt();
    let mut answer = String::new();
    BufReader::new(child.stdout.take().unwrap()).read_line(&mut answer).unwrap();
    assert_eq!(serde_json::from_str::<Value>(&answer).unwrap()["outcome"], "abandoned");
    kill(helper, None).expect("an abandoned helper lives on");
    interrupt();
    // It ends at once; otherwise khelper gives up after its patience and leaves the helper running.
    assert_eq!(child.wait().unwrap().code(), Some(130));
    let killed = kill(helper, None).is_err();
    if !killed {
        let _ = kill(helper, Signal::SIGKILL);
    }
    alive.read_to_end(&mut Vec::new()).unwrap();
    assert!(killed, "it outlived the second ctrl-c");
}
