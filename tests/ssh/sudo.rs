//! `--sudo` with a real sudo(8) on the other side: its user may not connect to the daemon, and its root may.

use std::fs;
use std::process::Stdio;

use khelper::control::{Command, Key};

use crate::console;
use crate::far::{Far, Near};
use crate::{logged, ran};

/// What docs/remote.md tells an operator to write.
const RULE: &str = "tester ALL=(root) NOPASSWD: BIN/khelper bridge";

/// As Debian has them: since sudo 1.9.14 everybody has `use_pty`, with which sudo passes on what is written.
const DEFAULTS: &str = "Defaults env_reset, secure_path=\"BIN:/usr/bin:/bin\", use_pty";
const WITHOUT_PTY: &str = "Defaults env_reset, secure_path=\"BIN:/usr/bin:/bin\", !use_pty";

fn with(defaults: &str, rule: &str) -> Option<(Far, Near)> {
    let far = Far::with_sudo(&format!("{defaults}\n{rule}"))?;
    let near = Near::new(&[("web1", &far)]);
    Some((far, near))
}

#[test]
fn a_user_who_may_not_connect_acts_as_root_with_sudo() {
    for defaults in [DEFAULTS, WITHOUT_PTY] {
        let Some((far, near)) = with(defaults, RULE) else { return };
        let on = |args: &[&str], code| ran(&mut near.khelper(args), code);
        let refused = on(&["-t", "ssh://web1", "status"], 77).err;
        assert!(refused.contains("web1: cannot connect to ") && refused.contains("or use --sudo"), "{refused}");
        assert!(on(&["--sudo", "-t", "ssh://web1", "status"], 0).out.starts_with("daemon ssh://web1 "));
        assert_eq!(on(&["--sudo", "-t", "ssh://web1", "set", "khelper.deny=evil*"], 0).out, "khelper.deny = evil*\n");
        assert_eq!(on(&["--sudo", "--host", "web1", "get", "khelper.deny"], 0).out, "web1: khelper.deny = evil*\n");
        let run =
            on(&["--sudo", "-t", "ssh://web1", "run", "--", "/bin/sh", "-c", "echo $*; id -u; exit 3", "-", "a b"], 3);
        assert!(run.out.contains("a b\n0\n"), "{}", run.out);
        // A long answer arrives whole.
        far.daemon.set(Key::Modprobe, b"/bin/true");
        for at in 0..400 {
            let name = format!("m{at}").into_bytes();
            far.daemon.ask(&Command::RequestModule { name, wait: true, profile: None });
        }
        let log = ["log", "--json", "--module", "m*"];
        let here = logged(400, || near.khelper(&[&["-t", &far.daemon.target()], &log[..]].concat()));
        let there = on(&[&["--sudo", "-t", "ssh://web1"], &log[..]].concat(), 0).out;
        assert!(here == there && here.len() > 256 << 10, "the same lines");
        let lines = far.log();
        assert!(
            lines.lines().all(|line| ["-c khelper bridge", "-c sudo -n khelper bridge"].contains(&line)),
            "{lines}"
        );
    }
}

#[test]
fn a_sudo_that_refuses_says_why_at_once() {
    for (defaults, rule, code, words) in [
        (
            DEFAULTS,
            "tester ALL=(root) BIN/khelper bridge",
            77,
            &["sudo on web1 refuses: sudo: a password is required (EPERM)", "with NOPASSWD"][..],
        ),
        // The user is in no rule.
        (DEFAULTS, "", 77, &["sudo on web1 refuses: sudo: ", "(EPERM)", "with NOPASSWD"]),
        // A rule for other arguments.
        (
            DEFAULTS,
            "tester ALL=(root) NOPASSWD: BIN/khelper status",
            77,
            &["sudo on web1 refuses: sudo: a password is required (EPERM)", "allow `khelper bridge` there"],
        ),
        (
            "Defaults requiretty, secure_path=\"BIN:/usr/bin:/bin\"",
            RULE,
            77,
            &["sudo on web1 refuses: sudo: sorry, you must have a tty to run sudo (EPERM)", "without requiretty"],
        ),
        (
            "Defaults secure_path=\"/usr/bin:/bin\"",
            "tester ALL=(root) NOPASSWD: ALL",
            69,
            &["khelper cannot be run on web1: sudo: khelper: command not found (ENOENT)", "secure_path of sudoers(5)"],
        ),
    ] {
        let Some((far, near)) = with(defaults, rule) else { return };
        // A reason on one line, and nothing that a terminal would have to answer.
        for args in [["-t", "ssh://web1"], ["--host", "web1"]] {
            let ran = ran(near.khelper(&["--sudo"]).args(args).arg("status"), code);
            assert!(ran.out.is_empty(), "{}", ran.out);
            words.iter().for_each(|words| assert!(ran.err.contains(words), "{words}: {}", ran.err));
        }
        if let Some((mut far, near)) = with(DEFAULTS, RULE).filter(|_| rule.is_empty()) {
            // What khelper itself says there comes through sudo.
            far.daemon.kill();
            let ran = ran(&mut near.khelper(&["--sudo", "-t", "ssh://web1", "status"]), 69);
            assert!(ran.err.contains("web1: no daemon at "), "{}", ran.err);
            fs::remove_file(far.path("bin/sudo")).unwrap();
            let ran = crate::ran(&mut near.khelper(&["--sudo", "-t", "ssh://web1", "status"]), 69);
            assert!(ran.err.contains("sudo cannot be run on web1: "), "{}", ran.err);
        }
        far.is_left();
    }
}

/// sudo stands between sshd and the bridge, and nobody tells the bridge that the reader of its stdout has gone.
#[test]
fn a_connection_that_is_cut_leaves_nothing_behind_a_sudo() {
    for defaults in [DEFAULTS, WITHOUT_PTY] {
        let Some((far, near)) = with(defaults, RULE) else { return };
        let mut watch = near.khelper(&["--sudo", "-t", "ssh://web1", "watch"]);
        let mut watch = watch.stdout(Stdio::null()).stderr(Stdio::null()).spawn().unwrap();
        far.is_watched(1);
        far.cut();
        assert_eq!(watch.wait().unwrap().code(), Some(69));
        // Nothing happens in that daemon meanwhile.
        far.is_watched(0);
    }
}

#[test]
fn a_console_with_sudo_is_cut_and_restored() {
    let Some((far, near)) = with(DEFAULTS, RULE) else { return };
    far.daemon.set(Key::Modprobe, b"/bin/true");
    let mut pty = console::start(&near, &["--sudo", "--target", "ssh://web1"], 80, 24);
    pty.shows("[web1]");
    pty.shows("enabled");
    far.cut();
    pty.shows("CONNECTION LOST");
    far.join();
    pty.hides("CONNECTION LOST");
    pty.press("m", "Ask for a module");
    pty.send("\x15foo\r");
    pty.says("foo: ✓ exit 0");
    console::quits(&mut pty);
    far.is_left();
    far.is_watched(0);
}
