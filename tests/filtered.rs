//! Helpers start where a seccomp filter refuses the calls that a launch would rather use: container profiles refuse
//! unshare(2) and keyctl(2) with EPERM and clone3(2) with ENOSYS, older ones do not know close_range(2). The host is the
//! program itself, below the filter, with files, a directory and a umask that a helper is not to get.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::os::unix::process::CommandExt;
use std::process::{Command, Output};

use common::filter::refuse;
use libc::c_long;
use serde_json::{Value, json};

const UNSHARE: c_long = libc::SYS_unshare;
const CLONE3: c_long = libc::SYS_clone3;
const KEYCTL: c_long = libc::SYS_keyctl;
const CLOSE_RANGE: c_long = libc::SYS_close_range;

/// The program below a filter, with an open file at 7 to 26, a umask and a directory that are not a helper's.
fn khelper(calls: &[(c_long, i32)], arguments: &[&str]) -> Output {
    let calls = calls.to_vec();
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    let prepare = move || {
        // SAFETY: system calls on constants only.
        unsafe {
            let zero = libc::open(c"/dev/zero".as_ptr(), libc::O_RDONLY);
            for fd in 7..27 {
                libc::dup2(zero, fd);
            }
            libc::umask(0o077);
            libc::chdir(c"/tmp".as_ptr());
        }
        refuse(&calls, false)
    };
    // SAFETY: system calls, and a vector of a few words.
    unsafe { command.args(arguments).pre_exec(prepare) };
    command.output().unwrap()
}

fn probe(calls: &[(c_long, i32)]) -> Value {
    let output = khelper(calls, &["probe", "--json"]);
    let errors = String::from_utf8_lossy(&output.stderr);
    assert!(output.status.success(), "{calls:?}: {errors} {}", String::from_utf8_lossy(&output.stdout));
    serde_json::from_slice(&output.stdout).unwrap()
}

fn assert_a_helper_is_right(calls: &[(c_long, i32)]) {
    let record = probe(calls);
    let report = &record["probe"];
    let fds: Vec<_> = report["fds"].as_object().unwrap().keys().collect();
    assert_eq!(fds, ["0", "1", "2"], "{calls:?}");
    assert_eq!((&report["cwd"], &report["umask"]), (&json!("/"), &json!("022")), "{calls:?}");
    assert_eq!((&report["session"], &report["pgid"]), (&record["pid"], &record["pid"]), "{calls:?}");
    let signals = json!({"blocked": [], "ignored": [], "caught": [], "pending": []});
    assert_eq!(report["signals"], signals, "{calls:?}");
    let keyctl = calls.iter().any(|(call, _)| *call == KEYCTL);
    let names = record["not_enforced"].as_array().unwrap();
    assert_eq!(names.contains(&json!("session_keyring")), keyctl, "{calls:?}: {names:?}");
}

#[test]
fn umh_9_each_call_may_be_refused() {
    for call in [UNSHARE, KEYCTL, CLOSE_RANGE] {
        for errno in [libc::EPERM, libc::ENOSYS] {
            assert_a_helper_is_right(&[(call, errno)]);
        }
    }
    // Filters that report success and make no call.
    assert_a_helper_is_right(&[(KEYCTL, 0)]);
    assert_a_helper_is_right(&[(CLOSE_RANGE, 0)]);
    assert_a_helper_is_right(&[(UNSHARE, 0), (CLOSE_RANGE, 0), (KEYCTL, 0)]);
    // With any other errno the C library itself can start no thread.
    assert_a_helper_is_right(&[(CLONE3, libc::ENOSYS)]);
}

#[test]
fn umh_9_all_calls_may_be_refused() {
    for errno in [libc::EPERM, libc::ENOSYS] {
        let calls = [(UNSHARE, errno), (CLONE3, libc::ENOSYS), (KEYCTL, errno), (CLOSE_RANGE, errno)];
        assert_a_helper_is_right(&calls);
        // Many at once, in one descriptor table.
        let many = ["--set", "kernel.modprobe=/bin/true", "request", "--parallel", "20", "--repeat", "60", "dummy"];
        let output = khelper(&calls, &many);
        assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
        assert_eq!(String::from_utf8_lossy(&output.stdout).matches("exit 0").count(), 60);
        let output = khelper(&calls, &["run", "--json", "--", "/nonexistent"]);
        let record: Value = serde_json::from_slice(&output.stdout).unwrap();
        assert_eq!((&record["outcome"], &record["errno"]), (&json!("exec_failed"), &json!("ENOENT")));
    }
}

/// A host whose own state cannot be read keeps no idle workers, and its engine no spawner: before Linux 5.8, and where
/// old profiles refuse statx(2).
#[test]
fn req_12_an_engine_within_an_engine_is_refused_where_no_state_can_be_read() {
    let me = env!("CARGO_BIN_EXE_khelper");
    for calls in [&[][..], &[(libc::SYS_statx, libc::EPERM)]] {
        let output = khelper(calls, &["run", "--", me, "run", "--json", "--", "/bin/true"]);
        let text = String::from_utf8_lossy(&output.stdout);
        let inner: Value = serde_json::from_str(text.lines().next().unwrap_or_default()).unwrap();
        assert_eq!((&inner["outcome"], &inner["errno"]), (&json!("refused"), &json!("ELOOP")), "{calls:?}: {text}");
    }
}

/// The default profile of Docker without CAP_SYS_ADMIN.
#[test]
fn umh_9_a_container_s_profile() {
    assert_a_helper_is_right(&[(UNSHARE, libc::EPERM), (CLONE3, libc::ENOSYS), (KEYCTL, libc::EPERM)]);
}
