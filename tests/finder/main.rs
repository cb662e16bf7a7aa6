//! The least privilege of real programs (`khelper profile find`), found by running them.
//!
//! What a program needs is judged by capabilities(7) and by the kernel's check that is named beside it.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "../common/mod.rs"]
mod common;
#[path = "../common/interrupt.rs"]
mod interrupt;
mod programs;

use std::io::{Read, Write};
use std::os::unix::process::CommandExt;
use std::process::{Child, Command, Output, Stdio};

use common::{am_root, skipped};
use interrupt::hears_ctrl_c;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use programs::Programs;
use serde_json::{Value, json};

/// `None` if this test cannot run.
fn programs() -> Option<Programs> {
    if am_root() {
        return Some(Programs::build());
    }
    skipped("only root has capabilities that could be taken away");
    None
}

fn khelper() -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    hears_ctrl_c(&mut command);
    command
}

fn find(options: &[&str], argv: &[&str]) -> Output {
    let mut khelper = khelper();
    let khelper = khelper.args(["profile", "find"]).args(options).arg("--").args(argv);
    khelper.stdin(Stdio::null()).output().unwrap()
}

fn found(options: &[&str], argv: &[&str]) -> Value {
    let output = find(&[&["--yes", "--json"], options].concat(), argv);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|_| panic!("{argv:?}: {output:?}"))
}

/// Finds the same set three times.
fn needs(capabilities: &[&str], options: &[&str], argv: &[&str]) {
    for _ in 0..3 {
        let found = found(options, argv);
        assert_eq!(
            (&found["verdict"], &found["capabilities"]),
            (&json!("found"), &json!(capabilities)),
            "{argv:?}: {found}"
        );
        let (runs, seconds, traced) = (&found["runs"], &found["seconds"], &found["traced"]);
        println!("{argv:?}: {capabilities:?}, {runs} runs, {seconds} s, traced {traced}");
    }
}

#[test]
fn programs_with_one_need_have_it_three_times() {
    let Some(at) = programs() else { return };
    let own = at.path();
    needs(&[], &[], &[own, "nothing"]);
    // ip_raw: inet_create asks for CAP_NET_RAW.
    needs(&["cap_net_raw"], &[], &[own, "raw_socket"]);
    // chroot(2)
    needs(&["cap_sys_chroot"], &[], &[own, "chroot"]);
    // setpriority(2): can_nice
    needs(&["cap_sys_nice"], &[], &[own, "nice"]);
    // setuid(2)
    needs(&["cap_setuid"], &[], &[own, "setuid"]);
    // unshare(2) and mount(2)
    needs(&["cap_sys_admin"], &[], &[own, "mount", &at.folder("mount")]);
    // unshare(2) and sethostname(2)
    needs(&["cap_sys_admin"], &[], &[own, "hostname"]);
    // kill(2) of another user's process: kill_ok_by_cred
    let other = Sleeper::new();
    needs(&["cap_kill"], &[], &[own, "kill", &other.0.id().to_string()]);
}

#[test]
fn a_low_port_needs_what_the_knob_says() {
    let Some(at) = programs() else { return };
    let start = std::fs::read_to_string("/proc/sys/net/ipv4/ip_unprivileged_port_start").unwrap();
    let start: u16 = start.trim().parse().unwrap();
    let free = (1..1024).rev().find(|port| std::net::TcpListener::bind(("127.0.0.1", *port)).is_ok()).unwrap();
    let wanted: &[&str] = if free < start { &["cap_net_bind_service"] } else { &[] };
    needs(wanted, &[], &[at.path(), "low_port", &free.to_string()]);
}

#[test]
fn programs_that_change_files_are_undone_and_checked() {
    let Some(at) = programs() else { return };
    let (own, file, node) = (at.path(), at.file("owned", 0o600, 0), at.name("node"));
    // chown(2): chown_ok. Its judge is stat(1).
    let stat = ["--check", "/usr/bin/stat", "-c", "%u", &file, ";"];
    let back = ["--reset", "/bin/chown", "0:0", &file, ";"];
    needs(&["cap_chown"], &[&stat[..], &back].concat(), &[own, "chown", &file]);
    // mknod(2)
    needs(&["cap_mknod"], &["--reset", "/bin/rm", "-f", &node, ";"], &[own, "mknod", &node]);
    assert!(!std::path::Path::new(&node).exists(), "the last run was undone, too");
}

/// Either of two capabilities reads another user's file; the weaker one is found. Two are needed to become another user.
#[test]
fn of_two_that_would_do_the_weaker_is_found_and_of_two_needs_both() {
    let Some(at) = programs() else { return };
    let (own, file) = (at.path(), at.file("secret", 0o600, 65534));
    // generic_permission: CAP_DAC_READ_SEARCH or CAP_DAC_OVERRIDE to read, only the latter to write.
    needs(&["cap_dac_read_search"], &[], &["/bin/cat", &file]);
    needs(&["cap_dac_override"], &[], &[own, "write", &file]);
    needs(&["cap_setgid", "cap_setuid"], &[], &[own, "become"]);
}

#[test]
fn what_the_first_run_leaves_is_not_conclusive_without_a_reset() {
    let Some(at) = programs() else { return };
    let (folder, own) = (at.folder_of("theirs", 65534), at.path());
    let file = format!("{folder}/made");
    let kept = found(&[], &[own, "make", &file]);
    assert_eq!(kept["verdict"], "not_conclusive", "{kept}");
    let why = match kept["traced"] == true {
        true => "the first run with every capability used cap_dac_override, and no later run did",
        false => "may have made what later runs only find",
    };
    assert!(kept["why"].as_str().unwrap().contains(why), "{kept}");
    assert!(kept["advice"].as_str().unwrap().contains("--reset"), "{kept}");
    std::fs::remove_file(&file).unwrap();
    // Where a run has made nothing, this reset fails.
    needs(&["cap_dac_override"], &["--reset", "/bin/rm", &file, ";"], &[own, "make", &file]);
    let twice = found(&[], &[own, "folder", &file]);
    assert!(twice["why"].as_str().unwrap().contains("run 2 of 5 ended in another way than the first one"), "{twice}");
    std::fs::remove_dir(&file).unwrap();
    let output = find(&["--yes", "--reset", "/bin/false", ";"], &[own, "folder", &file]);
    assert_eq!(output.status.code(), Some(1));
    assert!(String::from_utf8_lossy(&output.stderr).contains("the reset did not run as it must"), "{output:?}");
}

#[test]
fn a_program_that_prints_its_sets_is_refused() {
    let Some(_) = programs() else { return };
    for argv in [&["/bin/grep", "Cap", "/proc/self/status"][..], &["/bin/cat", "/proc/self/status"]] {
        let refused = found(&[], argv);
        assert_eq!(refused["verdict"], "refused", "{refused}");
        assert!(refused["why"].as_str().unwrap().contains("it shows its own sets"), "{refused}");
        assert!(refused["runs"].as_u64().unwrap() <= 10, "{refused}");
    }
    let output = find(&["--yes"], &["/bin/grep", "Cap", "/proc/self/status"]);
    assert_eq!(output.status.code(), Some(1));
    assert!(output.stdout.starts_with(b"refused: its output changes with each capability"), "{output:?}");
}

#[test]
fn what_varies_is_named() {
    let Some(at) = programs() else { return };
    let output = find(&["--yes"], &[at.path(), "pid"]);
    let text = String::from_utf8_lossy(&output.stdout);
    assert!(text.contains("needs     cap_sys_chroot\n"), "{output:?}");
    assert!(text.contains("judged    exit status 0, stdout with numbers aside, since these vary, stderr\n"), "{text}");
    let found = found(&[], &["/bin/cat", "/proc/sys/kernel/random/uuid"]);
    assert_eq!((&found["capabilities"], &found["varies"]), (&json!([]), &json!(["stdout"])), "{found}");
}

#[test]
fn a_program_that_does_not_end_or_is_not_there_has_no_result() {
    let Some(at) = programs() else { return };
    let slow = found(&["--timeout", "0.2"], &["/bin/sleep", "60"]);
    assert_eq!((&slow["verdict"], &slow["runs"]), (&json!("refused"), &json!(2)), "{slow}");
    let output = find(&["--yes"], &[&at.name("none")]);
    assert_eq!(output.status.code(), Some(127), "{output:?}");
}

#[test]
fn nothing_is_run_unless_somebody_agrees() {
    let Some(at) = programs() else { return };
    let name = at.name("folder");
    let output = find(&[], &[at.path(), "folder", &name]);
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(64), "{output:?}");
    assert!(stderr.contains(" up to 60 times as root; agree with --yes"), "{stderr}");
    assert!(!std::path::Path::new(&name).exists());
}

/// On a terminal it asks; only `y` is yes, and ctrl-c ends the question.
#[test]
fn on_a_terminal_it_asks() {
    let Some(at) = programs() else { return };
    for (answer, code, runs) in
        [(Some("n\n"), 1, false), (Some("\n"), 1, false), (None, 130, false), (Some("y\n"), 0, true)]
    {
        let name = at.name("asked");
        let pty = nix::pty::openpty(None, None).unwrap();
        let mut khelper = khelper();
        khelper.args(["profile", "find", "--", "/bin/touch", &name]).stdin(pty.slave);
        let mut khelper = khelper.stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
        let (mut asked, mut stderr) = (Vec::new(), khelper.stderr.take().unwrap());
        while !asked.ends_with(b"Go on? [y/N] ") {
            let mut byte = [0];
            stderr.read_exact(&mut byte).unwrap();
            asked.push(byte[0]);
        }
        match answer {
            Some(answer) => std::fs::File::from(pty.master.try_clone().unwrap()).write_all(answer.as_bytes()).unwrap(),
            None => kill(Pid::from_raw(khelper.id().cast_signed()), Signal::SIGINT).unwrap(),
        }
        let mut rest = String::new();
        stderr.read_to_string(&mut rest).unwrap();
        let output = khelper.wait_with_output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{answer:?}: {rest} {output:?}");
        assert_eq!((std::path::Path::new(&name).exists(), !output.stdout.is_empty()), (runs, runs), "{answer:?}");
    }
}

/// What `--profile-text` prints is a file of profiles.d; without a result it prints nothing.
#[test]
fn the_text_of_the_profile_stands_alone() {
    let Some(at) = programs() else { return };
    let output = find(&["--yes", "--profile-text"], &[at.path(), "chroot"]);
    let text = String::from_utf8_lossy(&output.stdout);
    let lines: Vec<&str> = text.lines().filter(|line| !line.starts_with('#')).collect();
    assert_eq!(lines, ["capabilities = cap_sys_chroot"], "{output:?}");
    let output = find(&["--yes", "--profile-text"], &["/bin/grep", "Cap", "/proc/self/status"]);
    assert!(output.stdout.is_empty() && output.stderr.starts_with(b"khelper: refused: "), "{output:?}");
}

/// The run that ctrl-c interrupts is killed, and then undone.
#[test]
fn ctrl_c_ends_the_search_and_undoes_the_run() {
    let Some(at) = programs() else { return };
    let (fifo, undone) = (at.fifo(), at.name("undone"));
    let script = format!("exec 9> {fifo}; exec sleep 600");
    let mut khelper = khelper();
    khelper.args(["profile", "find", "--yes", "--timeout", "600", "--reset", "/bin/touch", &undone, ";", "--"]);
    let khelper =
        khelper.args(["/bin/sh", "-c", &script]).stdout(Stdio::piped()).stderr(Stdio::piped()).spawn().unwrap();
    // Opens once the program has opened its end.
    let mut alive = std::fs::File::open(&fifo).unwrap();
    kill(Pid::from_raw(khelper.id().cast_signed()), Signal::SIGINT).unwrap();
    // Read to its end when the program is dead.
    alive.read_to_end(&mut Vec::new()).unwrap();
    let output = khelper.wait_with_output().unwrap();
    let stderr = String::from_utf8_lossy(&output.stderr);
    assert_eq!(output.status.code(), Some(130), "{output:?}");
    assert!(stderr.contains("the last run was undone") && !stderr.contains("still runs"), "{stderr}");
    assert!(std::path::Path::new(&undone).exists());
}

#[test]
fn an_ordinary_user_is_refused() {
    let mut khelper = khelper();
    khelper.args(["profile", "find", "--yes", "--", "/bin/true"]).stdin(Stdio::null());
    if am_root() {
        khelper.uid(65534).gid(65534);
    }
    let output = khelper.output().unwrap();
    assert_eq!(output.status.code(), Some(77), "{output:?}");
    assert!(String::from_utf8_lossy(&output.stderr).contains("(EPERM); run it as root"), "{output:?}");
}

/// A process of another user, which ends with this value.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        let child = Command::new("/bin/cat").uid(65534).gid(65534).stdin(Stdio::piped()).stdout(Stdio::piped()).spawn();
        let mut child = child.unwrap();
        // Once it answers, it has the other user's id.
        child.stdin.as_mut().unwrap().write_all(b"x").unwrap();
        child.stdout.as_mut().unwrap().read_exact(&mut [0]).unwrap();
        Self(child)
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        drop(self.0.stdin.take());
        let _ = self.0.wait();
    }
}
