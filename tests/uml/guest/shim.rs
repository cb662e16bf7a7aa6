//! The shim before the modprobe of a real kernel: installed, asked, and taken away again.

use std::fs;
use std::os::unix::fs::symlink;
use std::os::unix::net::UnixDatagram;
use std::path::Path;
use std::process::{Command, Stdio};

use nix::mount::{MsFlags, mount};
use serde_json::Value;

use super::KHELPER;
use super::asking::{LOG, module};
use super::init::Serial;

const KNOB: &str = "/proc/sys/kernel/modprobe";
const SHIM: &str = "/usr/local/lib/khelper/shim";
const FOLDER: &str = "/usr/local/lib/khelper";
const SYSCTL: &str = "/etc/sysctl.d";
const MODPROBE: &str = "/sbin/modprobe";

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

/// Takes the shim away: the exit code, the words, and what the knob is then.
fn taken_away() -> (Option<i32>, String, String) {
    let (code, said) = shim(&["uninstall"]);
    (code, said, knob())
}

/// Installs it in a machine that has none.
fn installed(options: &[&str]) {
    let nothing = fs::symlink_metadata(FOLDER).is_err();
    assert!(nothing && knob() == MODPROBE, "{} {:?}", knob(), fs::read_dir(FOLDER));
    let (code, said) = shim(&[&["install"], options].concat());
    assert_eq!((code, knob().as_str()), (Some(0), SHIM), "{said}");
}

/// A module that is asked for now is the helper's.
fn helper_runs() -> bool {
    noted();
    module("asked-e0");
    noted() == ["module asked-e0"]
}

/// The file is another's now. Nothing is guessed while the knob names it, and it is left and named afterwards.
fn another_file(what: &str, put: fn(&Path)) {
    installed(&[]);
    fs::remove_file(SHIM).unwrap();
    put(Path::new(SHIM));
    let (code, said, now) = taken_away();
    assert!(code != Some(0) && now == SHIM && said.contains("what it replaced is not known"), "{what}: {said}");
    assert!(said.contains("khelper -t kernel set kernel.modprobe=/sbin/modprobe"), "{what}: {said}");
    let (code, said) =
        super::boots::khelper(&["-t", "kernel", "set", "--until-reboot", "kernel.modprobe=/sbin/modprobe"]);
    assert_eq!(code, Some(0), "{said}");
    let (code, said, now) = taken_away();
    assert_eq!((code, now.as_str()), (Some(0), MODPROBE), "{what}: {said}");
    assert!(said.contains(what), "{what}: {said}");
    assert_eq!(said.contains("was left as it is"), fs::symlink_metadata(SHIM).is_ok(), "{what}: {said}");
    let _ = fs::remove_dir_all(FOLDER);
    assert!(helper_runs(), "{what}");
}

/// Every state in which a shim may be found: what has our value is put back, and the rest is named.
pub fn taken_away_from_every_state(serial: &mut Serial) {
    fs::write(LOG, "").unwrap();
    fs::remove_dir_all(FOLDER).unwrap();
    fs::create_dir_all(SYSCTL).unwrap();
    another_file("no shim of khelper's", |file| fs::write(file, "#!/bin/sh\n").unwrap());
    another_file("is not a regular file", |file| fs::create_dir(file).unwrap());
    another_file("is a symbolic link", |file| symlink("/vm/helper", file).unwrap());
    another_file("no shim is installed", |_| {});
    // Installed twice, and then killed before it set the knob again; and killed while it wrote.
    installed(&[]);
    assert_eq!(shim(&["install", "--socket", "/run/other.sock"]).0, Some(0));
    fs::write(KNOB, MODPROBE).unwrap();
    fs::write(format!("{FOLDER}/.shim.77-0"), "half").unwrap();
    let (code, said, now) = taken_away();
    assert_eq!((code, now.as_str(), fs::exists(FOLDER).unwrap()), (Some(0), MODPROBE, false), "{said}");
    assert!(said.contains("/sbin/modprobe already, as before the shim") && !said.contains("another"), "{said}");
    // The knob is another's, and so is a line of our own file.
    installed(&["--persist"]);
    let kept = format!("{SYSCTL}/zz-khelper.conf");
    assert!(fs::read_to_string(&kept).unwrap().contains(SHIM));
    fs::write(KNOB, "/vm/helper").unwrap();
    fs::write(&kept, "kernel.modprobe = /sbin/third\n").unwrap();
    let (code, said, now) = taken_away();
    assert_eq!((code, now.as_str(), fs::exists(FOLDER).unwrap()), (Some(0), "/vm/helper", false), "{said}");
    for named in ["/vm/helper, which another has set", "/sbin/third is kept for the next start, which another has set"]
    {
        assert!(said.contains(named), "{said}");
    }
    assert_eq!(fs::read_to_string(&kept).unwrap(), "kernel.modprobe = /sbin/third\n");
    fs::remove_file(&kept).unwrap();
    fs::write(KNOB, MODPROBE).unwrap();
    // A file of the administrator's names it for the next start: the knob is put back, the shim stays, and both are said.
    installed(&[]);
    let site = format!("{SYSCTL}/50-site.conf");
    fs::write(&site, format!("kernel.modprobe = {SHIM}\n")).unwrap();
    let (code, said, now) = taken_away();
    assert!(code != Some(0) && now == MODPROBE && fs::exists(SHIM).unwrap(), "{said}");
    assert!(said.contains("kernel.modprobe is /sbin/modprobe again") && said.contains("50-site.conf:1"), "{said}");
    fs::remove_file(&site).unwrap();
    assert_eq!(taken_away().0, Some(0));
    // A program that the distribution has moved since: what was there is put back, and said to be missing.
    fs::copy("/vm/helper", "/sbin/modprobe.old").unwrap();
    fs::write(KNOB, "/sbin/modprobe.old").unwrap();
    assert_eq!(shim(&["install"]).0, Some(0));
    fs::remove_file("/sbin/modprobe.old").unwrap();
    let (code, said, now) = taken_away();
    assert_eq!((code, now.as_str(), fs::exists(FOLDER).unwrap()), (Some(0), "/sbin/modprobe.old", false), "{said}");
    assert!(said.contains("kernel.modprobe: warning: "), "{said}");
    serial.note(said.trim());
    fs::write(KNOB, MODPROBE).unwrap();
    // A file system that is read-only: the knob is put back, what stays is named, and once it is writable all of it goes.
    installed(&["--persist"]);
    let remount = |flags| mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REMOUNT | flags, None::<&str>).unwrap();
    remount(MsFlags::MS_RDONLY);
    let (code, said, now) = taken_away();
    assert_eq!((code, now.as_str()), (Some(69), MODPROBE), "{said}");
    assert!(said.contains("is /sbin/modprobe again") && said.contains("Read-only file system"), "{said}");
    assert!(helper_runs());
    remount(MsFlags::empty());
    let (code, said, now) = taken_away();
    assert_eq!((code, now.as_str(), fs::exists(FOLDER).unwrap()), (Some(0), MODPROBE, false), "{said}");
    assert!(!fs::read_to_string(&kept).unwrap_or_default().contains(SHIM), "{said}");
    assert!(helper_runs());
}
