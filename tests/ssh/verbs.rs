//! One machine: every verb gives what it gives there, and every failure has its reason.

use std::fs;
use std::io::{BufRead, BufReader};
use std::process::{Child, ChildStdout, Stdio};

use khelper::control::{Command, Key, Reply};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

use crate::far::{Far, Near, script};
use crate::{logged, ran};

/// Starts a verb and returns it after its first line.
fn starts(near: &Near, args: &[&str]) -> (Child, BufReader<ChildStdout>, String) {
    let mut child = near.khelper(args).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    let mut out = BufReader::new(child.stdout.take().unwrap());
    let mut line = String::new();
    out.read_line(&mut line).unwrap();
    (child, out, line)
}

#[test]
fn each_verb_gives_what_it_gives_on_the_machine_itself() {
    let Some(far) = Far::that_acts() else { return };
    let near = Near::new(&[("web1", &far)]);
    let on = |args: &[&str], code| ran(&mut near.khelper(&[&["-t", "ssh://web1"], args].concat()), code);
    far.daemon.set(Key::Modprobe, b"/bin/true");
    assert_eq!(on(&["get", "kernel.modprobe"], 0).out, "kernel.modprobe = /bin/true\n");
    assert_eq!(on(&["set", "khelper.deny=evil*"], 0).out, "khelper.deny = evil*\n");
    let narrowed = on(&["set", "kernel.usermodehelper.bset=-cap_sys_rawio"], 0).out;
    assert!(narrowed.starts_with("ssh://web1 kernel.usermodehelper.bset: "), "{narrowed}");
    assert!(on(&["request", "evil1"], 77).out.starts_with("evil1: denied by khelper.deny"));
    assert!(on(&["request", "good"], 0).out.starts_with("good: exit 0"));
    let record = on(&["run", "--json", "--", "/bin/sh", "-c", "echo out; exit 3"], 3).out;
    let record: serde_json::Value = serde_json::from_str(&record).unwrap();
    assert_eq!((&record["target"], &record["stdout"]), (&"ssh://web1".into(), &"out\n".into()));
    assert!(on(&["status"], 0).out.starts_with("daemon ssh://web1 "));
    assert!(on(&["why", "good"], 0).out.contains("module \"good\""));
    assert_eq!(on(&["gate", "enabled"], 0).out, "ssh://web1 khelper.gate: enabled → enabled\n");
    assert!(on(&["--json", "x"], 64).err.contains("unexpected"));
    let kernel = ran(&mut near.khelper(&["-t", "ssh://web1/kernel", "ps"]), 69).err;
    assert!(kernel.contains("does not watch the kernel"), "{kernel}");
    // A long answer arrives whole, however slowly it is read.
    for at in 0..400 {
        let name = format!("m{at}").into_bytes();
        far.daemon.ask(&Command::RequestModule { name, wait: true, profile: None });
    }
    let here = logged(400, || near.khelper(&["-t", &far.daemon.target(), "log", "--json", "--module", "m*"]));
    let (mut child, mut out, first) = starts(&near, &["-t", "ssh://web1", "log", "--json", "--module", "m*"]);
    let mut there = first;
    while out.read_line(&mut there).unwrap() > 0 {}
    assert!(child.wait().unwrap().success() && here.lines().count() == 400 && here.len() > 256 << 10);
    assert!(here == there, "the same lines");
    assert_eq!(far.log().lines().filter(|line| *line != "-c khelper bridge").count(), 0, "{}", far.log());
}

#[test]
fn names_reach_no_shell() {
    let Some(far) = Far::that_acts() else { return };
    let near = Near::new(&[("web1", &far)]);
    far.daemon.set(Key::Modprobe, b"/bin/true");
    let trap = far.path("trap");
    let touch = format!("touch {}", trap.display());
    let names = [format!(";{touch}"), format!("$({touch})"), format!("`{touch}`"), format!("a\n{touch}"), "-v".into()];
    for name in &names {
        // Some are no names of modules: too long, or a line of their own.
        near.khelper(&["-t", "ssh://web1", "request", "--", name]).output().unwrap();
        ran(&mut near.khelper(&["-t", "ssh://web1", "run", "--", "/bin/true", name]), 0);
        ran(&mut near.khelper(&["--sudo", "--host", "web1", "run", "--", "/bin/true", name]), 69);
    }
    script(&far.path("bin/sudo"), "shift; exec \"$@\"");
    ran(&mut near.khelper(&["--sudo", "--host", "web1", "run", "--", "/bin/true", &names[0]]), 0);
    let log = far.log();
    let bad = log.lines().filter(|line| !["-c khelper bridge", "-c sudo -n khelper bridge"].contains(line));
    assert_eq!(bad.collect::<Vec<_>>(), Vec::<&str>::new());
    assert!(log.lines().count() > 15 && !trap.exists());
    // A host that ssh or a shell could take for something else is refused before ssh starts.
    let before = near.calls();
    let option = format!("-oProxyCommand={touch}");
    for host in names.iter().chain([&option, &"a b".to_owned(), &"web1/x".to_owned(), &"op@-v".to_owned()]) {
        ran(&mut near.khelper(&["-t", &format!("ssh://{host}"), "status"]), 64);
        ran(&mut near.khelper(&[&format!("--host={host}"), "status"]), 64);
    }
    assert!(near.calls() == before && !trap.exists(), "{}", near.calls());
}

#[test]
fn what_fails_says_why_and_what_to_do() {
    let Some(mut far) = Far::start() else { return };
    let near = Near::new(&[("web1", &far)]);
    let fails = |sudo: bool, code, words: &[&str]| {
        let args: &[&str] =
            if sudo { &["--sudo", "-t", "ssh://web1", "status"] } else { &["-t", "ssh://web1", "status"] };
        let ran = ran(&mut near.khelper(args), code);
        assert!(ran.out.is_empty() && ran.err.lines().count() == 1, "{}{}", ran.out, ran.err);
        words.iter().for_each(|words| assert!(ran.err.contains(words), "{words}: {}", ran.err));
    };
    fails(true, 69, &["sudo cannot be run on web1: ", "sudo", "not found"]);
    script(&far.path("bin/sudo"), "printf 'sudo: a password\\033[2J is required\\n' >&2; exit 1");
    fails(true, 77, &["sudo on web1 refuses: sudo: a password\\x1b[2J is required (EPERM)", "NOPASSWD"]);
    fs::remove_file(far.path("bin/khelper")).unwrap();
    fails(false, 69, &["khelper cannot be run on web1: ", "khelper: not found (ENOENT)", "in a folder of the PATH"]);
    script(&far.path("bin/khelper"), "echo hello");
    fails(false, 69, &["web1 has not answered as a daemon (EPROTO)", "must print nothing"]);
    far.installs();
    far.daemon.kill();
    fails(false, 69, &["web1: no daemon at ", "start one with `khelper serve`"]);
    far.cut();
    fails(false, 69, &["cannot reach web1 with ssh: ", "(EHOSTUNREACH); it must work without a question"]);
    let nothing = ran(near.khelper(&["-t", "ssh://web1", "status"]).env("PATH", "/nonexistent"), 69).err;
    assert!(nothing.contains("cannot start ssh: No such file or directory (ENOENT); install OpenSSH"), "{nothing}");
}

#[test]
fn a_connection_that_is_cut_leaves_the_outcome_unknown_and_says_so() {
    let Some(far) = Far::that_acts() else { return };
    let near = Near::new(&[("web1", &far)]);
    let (fifo, begun) = (far.path("hold"), far.path("begun"));
    for path in [&fifo, &begun] {
        nix::unistd::mkfifo(path, nix::sys::stat::Mode::S_IRWXU).unwrap();
    }
    let held = format!("echo > {}; read x < {}", begun.display(), fifo.display());
    let mut run = near.khelper(&["-t", "ssh://web1", "run", "--", "/bin/sh", "-c", &held]);
    let run = run.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    fs::read(&begun).unwrap();
    far.cut();
    let output = run.wait_with_output().unwrap();
    let err = String::from_utf8(output.stderr).unwrap();
    assert_eq!(output.status.code(), Some(69), "{err}");
    assert!(err.contains("lost the connection to the daemon ssh://web1") && err.contains("is unknown"), "{err}");
    // It goes on there.
    let Reply::Live(live) = far.daemon.ask(&Command::Live { after: 0, most: 9 }) else { panic!() };
    assert_eq!(live.len(), 1);
    fs::write(&fifo, "x").unwrap();
}

#[test]
fn nothing_is_left_on_either_side_however_the_command_ends() {
    let Some(far) = Far::start() else { return };
    let near = Near::new(&[("web1", &far)]);
    far.daemon.set(Key::Modprobe, b"/bin/true");
    for (signal, code) in [(Signal::SIGINT, Some(130)), (Signal::SIGTERM, Some(143)), (Signal::SIGKILL, None)] {
        // The first line shows that the watch is active: nothing else happens there afterwards.
        let mut child = near.khelper(&["-t", "ssh://web1", "watch"]);
        let mut child = child.stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
        let mut out = BufReader::new(child.stdout.take().unwrap());
        far.is_watched(1);
        far.daemon.ask(&Command::RequestModule { name: b"x".to_vec(), wait: true, profile: None });
        out.read_line(&mut String::new()).unwrap();
        kill(Pid::from_raw(i32::try_from(child.id()).unwrap()), signal).unwrap();
        assert_eq!(child.wait().unwrap().code(), code, "{signal}");
        // Each sshd ends when its ssh has ended; then the bridge ends, though the daemon says nothing more.
        far.is_left();
        far.is_watched(0);
    }
}
