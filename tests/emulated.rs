//! Emulators make a real fork of CLONE_VM|CLONE_VFORK: what the child writes to memory never reaches its parent. Some
//! refuse CLONE_PIDFD as well. A failed exec must be told from a program that ended with 127 all the same (UMH-3).
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::process::Command;

use common::skipped;
use serde_json::{Value, json};

fn run(emulator: &[&str], helper: &[&str]) -> Value {
    let mut command = Command::new(emulator[0]);
    command.args(&emulator[1..]).arg(env!("CARGO_BIN_EXE_khelper")).args(["run", "--json", "--"]).args(helper);
    let output = command.output().unwrap();
    let errors = String::from_utf8_lossy(&output.stderr);
    serde_json::from_slice(&output.stdout).unwrap_or_else(|e| panic!("{emulator:?} {helper:?}: {e}: {errors}"))
}

fn check(emulator: &[&str]) {
    if Command::new(emulator[0]).arg("--version").output().is_err() {
        return skipped(&format!("{} is not installed", emulator[0]));
    }
    let failed = run(emulator, &["/nonexistent"]);
    assert_eq!((&failed["outcome"], &failed["errno"]), (&json!("exec_failed"), &json!("ENOENT")), "{emulator:?}");
    let echo = run(emulator, &["/bin/echo", "hello"]);
    assert_eq!((&echo["outcome"], &echo["stdout"]), (&json!("exited"), &json!("hello\n")), "{emulator:?}");
    let ended = run(emulator, &["/bin/sh", "-c", "exit 127"]);
    assert_eq!((&ended["outcome"], &ended["exit_code"]), (&json!("exited"), &json!(127)), "{emulator:?}");
}

#[test]
fn umh_3_a_failed_exec_is_seen_under_valgrind() {
    check(&["valgrind", "--tool=none", "-q"]);
}

#[test]
fn umh_3_a_failed_exec_is_seen_under_qemu_user() {
    check(&["qemu-x86_64"]);
}
