//! `--set`: every one of them is written, wherever it stands and whatever stands beside it.

use serde_json::json;

use crate::{Helpers, Ran, khelper, modprobe, run};

/// The values of these knobs after such settings.
fn after(settings: &[&str], keys: &[&str]) -> String {
    let set = settings.iter().flat_map(|s| ["--set", s]);
    run(set.chain(["get", "-n"]).chain(keys.iter().copied())).exits(0).text().to_owned()
}

#[test]
fn sys_1_the_gate_is_written_beside_other_knobs_whatever_their_order() {
    let keys = ["khelper.gate", "khelper.era", "khelper.deny"];
    for settings in [
        &["khelper.gate=disabled", "khelper.era=current", "khelper.deny=a"][..],
        &["khelper.era=current", "khelper.gate=disabled", "khelper.deny=a"],
        &["khelper.era=current", "khelper.deny=a", "khelper.gate=disabled"],
        // Of one knob that is written twice the last value holds.
        &["khelper.gate=freezing", "khelper.era=current", "khelper.deny=a", "khelper.gate=disabled"],
        &["khelper.deny=b", "khelper.era=current", "khelper.gate=disabled", "khelper.deny=a"],
    ] {
        assert_eq!(after(settings, &keys), "disabled\ncurrent\na\n", "{settings:?}");
    }
    assert_eq!(after(&["khelper.gate=freezing"], &keys), "freezing\n3.4\n\n");
    // A gate that was shut beside another knob refuses what the command asks for.
    let ran =
        run(["--set", "khelper.gate=disabled", "--set", "khelper.era=current", "run", "--json", "--", "/bin/true"]);
    assert_eq!(ran.exits(75).record()["errno"], "EBUSY");
    // The gate stays as it was where another knob is refused.
    let bad = run(["--set", "khelper.gate=disabled", "--set", "khelper.era=2.6", "get", "-a"]);
    assert!(bad.exits(64).stdout.is_empty(), "{}", bad.text());
}

/// Every knob that can be written, each to a value of its own.
#[test]
fn sys_1_every_knob_that_can_be_written_is_written() {
    for (key, value, reads) in [
        ("kernel.modprobe", "/bin/echo", "/bin/echo"),
        ("kernel.usermodehelper.bset", "cap_sys_module", "65536\t0"),
        ("kernel.usermodehelper.inheritable", "cap_chown", "1\t0"),
        ("khelper.allow", "a? b*", "a? b*"),
        ("khelper.deny", "c d", "c d"),
        ("khelper.era", "current", "current"),
        ("khelper.gate", "freezing", "freezing"),
        ("khelper.max_concurrent", "7", "7"),
    ] {
        assert_eq!(after(&[&format!("{key}={value}")], &[key]), format!("{reads}\n"));
    }
}

/// Each command that starts an engine, with a setting before it and another one after it: both are in force.
#[test]
fn settings_after_each_command_are_in_force() {
    let bset = ["--set", "kernel.usermodehelper.bset=cap_sys_module,cap_chown"];
    let inheritable = ["--set", "kernel.usermodehelper.inheritable=cap_chown"];
    for command in [&["request"][..], &["run"], &["probe"]] {
        let target: &[&str] = match command[0] {
            "request" => &["dummy"],
            "run" => &["--", "/bin/true"],
            _ => &[],
        };
        let before = ["--set", "kernel.modprobe=/bin/true"];
        let args = [&before[..], &bset, command, &inheritable, &["--json"], target].concat();
        let record = run(&args).exits(0).record();
        assert_eq!(record["bset"], "0x0000000000010001", "{args:?}");
        assert_eq!(record["inheritable"], "0x0000000000000001", "{args:?}");
    }
    let keys = ["kernel.usermodehelper.bset", "kernel.usermodehelper.inheritable"];
    let args = [&bset[..], &["get"], &inheritable, &["-n"], &keys].concat();
    assert_eq!(run(&args).exits(0).text(), "65537\t0\n1\t0\n");
    // A wrong one is refused there too, and nothing runs.
    for command in [&["request", "--set", "no.such=1", "x"][..], &["run", "--set", "no.such=1", "--", "/bin/true"]] {
        assert!(run(command).exits(64).stdout.is_empty());
    }
    assert!(run(["probe", "--set", "no.such=1"]).exits(64).stdout.is_empty());
    assert!(run(["get", "--set", "no.such=1", "-a"]).exits(64).stdout.is_empty());
}

#[test]
fn req_2_every_glob_of_a_list_is_looked_at() {
    let helpers = Helpers::new();
    let script = helpers.script("modprobe", "exit 0");
    let ask = |list: &str, name: &str| {
        let output =
            khelper().args(modprobe(&script)).args(["--set", list, "request", "--json", name]).output().unwrap();
        Ran::of(output)
    };
    for name in ["snd-hda", "usbcore", "dm-crypt"] {
        let denied = ask("khelper.deny=snd-* usb* dm-crypt", name);
        assert_eq!(denied.exits(77).record()["errno"], json!("EPERM"), "{name}");
        ask("khelper.allow=snd-* usb* dm-crypt", name).exits(0);
    }
    ask("khelper.deny=snd-* usb* dm-crypt", "ext4").exits(0);
    ask("khelper.allow=snd-* usb* dm-crypt", "ext4").exits(77);
}
