//! The shim before the modprobe of a real kernel: installed, asked, and taken away again.

use std::fs;
use std::os::unix::net::UnixDatagram;
use std::process::{Command, Stdio};

use serde_json::Value;

use super::KHELPER;
use super::asking::{LOG, module};
use super::init::Serial;

const KNOB: &str = "/proc/sys/kernel/modprobe";
const SHIM: &str = "/usr/local/lib/khelper/shim";

/// Runs `khelper shim`. Returns its exit code and its answer.
pub fn shim(args: &[&str]) -> (Option<i32>, String) {
    let mut command = Command::new(KHELPER);
    command.arg("shim").args(args).env_clear().stdin(Stdio::null());
    let output = command.output().unwrap();
    (output.status.code(), String::from_utf8([output.stdout, output.stderr].concat()).unwrap())
}

/// What the helpers noted since the last call: pids differ, so they are left out.
fn noted() -> Vec<String> {
    let log = fs::read_to_string(LOG).unwrap();
    fs::write(LOG, "").unwrap();
    log.lines().map(|line| line.split_once(' ').unwrap().1.to_owned()).collect()
}

pub fn knob() -> String {
    fs::read_to_string(KNOB).unwrap().trim_end().to_owned()
}

pub fn before_modprobe(serial: &mut Serial) {
    fs::write(LOG, "").unwrap();
    // That of the machines that start with it.
    fs::remove_dir_all("/usr/local/lib/khelper").unwrap();
    assert_eq!(knob(), "/sbin/modprobe");
    assert_eq!(shim(&["status"]).0, Some(1));
    let (code, said) = shim(&["install"]);
    assert_eq!((code, knob().as_str()), (Some(0), SHIM), "{said}");
    serial.note(said.trim());
    // Without a daemon every helper runs, and its end is its own.
    for name in ["one-e0", "two-e3"] {
        module(name);
        assert_eq!(noted(), [format!("module {name}")]);
    }
    let status: Value = serde_json::from_str(&shim(&["status", "--json"]).1).unwrap();
    assert_eq!((&status["in_force"], &status["stands_before"]), (&true.into(), &"/sbin/modprobe".into()));
    // An upgrade in place.
    assert_eq!(shim(&["install", "--fail-closed"]).0, Some(0));
    module("three-e0");
    assert_eq!(noted(), [""; 0], "nothing runs without a daemon now");
    // Something else took the knob: it keeps it.
    fs::write(KNOB, "/vm/helper").unwrap();
    let (code, said) = shim(&["uninstall"]);
    assert_eq!((code, knob().as_str(), fs::exists(SHIM).unwrap()), (Some(0), "/vm/helper", false), "{said}");
    assert!(said.contains("another has set"), "{said}");
    fs::write(KNOB, "/sbin/modprobe").unwrap();
    assert_eq!(shim(&["install"]).0, Some(0));
    // A socket that is none of a daemon's for verdicts is no daemon.
    fs::create_dir_all("/run/khelper").unwrap();
    let _other = UnixDatagram::bind("/run/khelper/shim.sock").unwrap();
    module("four-e0");
    let (code, said) = shim(&["uninstall"]);
    assert_eq!(
        (code, knob().as_str(), fs::exists("/usr/local/lib/khelper").unwrap()),
        (Some(0), "/sbin/modprobe", false),
        "{said}"
    );
    noted();
    module("five-e0");
    assert_eq!(noted(), ["module five-e0"]);
}
