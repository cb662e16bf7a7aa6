//! The second ctrl-c: KILL, also for a helper that ignores everything that can be ignored.

use std::io::{BufRead, BufReader, Read};
use std::process::Stdio;

use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use serde_json::Value;

use crate::Helpers;

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
