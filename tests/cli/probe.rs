//! The probe: what it tells of its birth, as a helper and on its own.

use std::process::Command;

use serde_json::{Value, json};

use crate::{Ran, run};

/// The probe started by hand, from a shell that first does `prepare`.
fn by_hand(prepare: &str, redirect: &str) -> Value {
    let script = format!("{prepare}\nexec \"$0\" --khelper-probe {redirect}");
    let output = Command::new("/bin/sh").args(["-c", &script, env!("CARGO_BIN_EXE_khelper")]).output().unwrap();
    Ran::of(output).exits(0).record()
}

#[test]
fn umh_9_a_helper_is_born_clean() {
    let record = run(["probe", "--json"]).exits(0).record();
    let probe = &record["probe"];
    assert_eq!(probe["argv"], json!([env!("CARGO_BIN_EXE_khelper"), "--khelper-probe"]));
    assert_eq!(probe["env"], json!(["HOME=/", "TERM=linux", "PATH=/sbin:/usr/sbin:/bin:/usr/bin"]));
    assert_eq!((&probe["cwd"], &probe["umask"]), (&json!("/"), &json!("022")));
    assert_eq!(probe["scheduler"], "SCHED_OTHER");
    assert_eq!(probe["signals"], json!({"blocked": [], "ignored": [], "caught": [], "pending": []}));
    assert_eq!((&probe["session"], &probe["pgid"]), (&record["pid"], &record["pid"]));
    assert_eq!((&probe["pid"], &probe["ppid"]), (&record["pid"], &record["requester"]["pid"]));
    assert_eq!(probe["terminal"], false);
    let fds: Vec<_> = probe["fds"].as_object().unwrap().keys().collect();
    assert_eq!(fds, ["0", "1", "2"]);
    assert_eq!(probe["fds"]["0"], "/dev/null");
    assert!(probe["affinity"].as_array().is_some_and(|cpus| !cpus.is_empty()));
    assert_eq!(probe["limits"].as_object().unwrap().len(), 16);
    assert_eq!(serde_json::from_str::<Value>(record["stdout"].as_str().unwrap()).unwrap(), *probe);
}

#[test]
fn the_text_for_people_tells_the_same() {
    let ran = run(["probe"]);
    for row in [
        "bounding ",
        "effective ",
        "umask          022",
        "terminal       none",
        "fd             0 /dev/null",
        ": exit 0",
    ] {
        assert!(ran.exits(0).text().contains(row), "{row}: {}", ran.text());
    }
}

/// What masks do not do to root is said where a helper's powers are shown; of another user, what holds for that one.
#[test]
fn umh_11_the_probe_says_what_masks_leave_to_root() {
    let wanted = match nix::unistd::geteuid().as_raw() {
        0 => format!("masks          {}\n", khelper::control::text::outcome::MASKS_AND_ROOT),
        uid => format!("masks          the engine is not root (uid {uid}): its helpers have no capabilities; "),
    };
    for set in ["kernel.usermodehelper.bset=empty", "kernel.usermodehelper.bset=full"] {
        let ran = run(["--set", set, "probe"]);
        assert!(ran.exits(0).text().contains(&wanted), "{wanted}{}", ran.text());
    }
}

#[test]
fn what_it_ignores_is_what_it_was_born_with() {
    // Rust's own runtime ignores SIGPIPE before main in every case. What else is ignored here is this test's own
    // inheritance.
    let ignored = |prepare: &str| by_hand(prepare, "")["signals"]["ignored"].as_array().unwrap().clone();
    assert!(!ignored("trap - PIPE").contains(&json!("SIGPIPE")));
    let both = ignored("trap '' PIPE USR1");
    assert!(both.contains(&json!("SIGPIPE")) && both.contains(&json!("SIGUSR1")), "{both:?}");
    assert_eq!(by_hand("", "")["signals"]["caught"], json!([]));
}

#[test]
fn fds_that_were_closed_are_not_told_as_open() {
    // The runtime opens /dev/null there before main. What is open above 9 is this test's own inheritance.
    let probe = by_hand("", "<&- 2>&- 3>&- 4>&- 5>&- 6>&- 7</dev/null 8>&- 9>&-");
    let fds = probe["fds"].as_object().unwrap().keys().filter(|fd| fd.len() == 1);
    assert_eq!(fds.collect::<Vec<_>>(), ["1", "7"]);
}

#[test]
fn umask_directory_and_limits() {
    let probe = by_hand("umask 077; cd /tmp; ulimit -c 0; ulimit -n 64", "");
    assert_eq!((&probe["umask"], &probe["cwd"]), (&json!("077"), &json!("/tmp")));
    assert_eq!(probe["limits"]["core"], json!({"soft": 0, "hard": 0}));
    assert_eq!(probe["limits"]["nofile"], json!({"soft": 64, "hard": 64}));
}

#[test]
fn hostile_arguments_and_environment_are_told_byte_for_byte() {
    use std::os::unix::ffi::OsStrExt;
    let hostile = std::ffi::OsStr::from_bytes(b"a\xff\x1b\\\n");
    let output = Command::new(env!("CARGO_BIN_EXE_khelper"))
        .arg("--khelper-probe")
        .arg(hostile)
        .env_clear()
        .env("H", hostile)
        .output()
        .unwrap();
    let probe = Ran::of(output).exits(0).record();
    assert_eq!(probe["argv"][2], "a\\xff\u{1b}\\\\\n");
    assert_eq!(probe["env"], json!(["H=a\\xff\u{1b}\\\\\n"]));
}
