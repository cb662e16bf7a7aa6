//! The group of readers (AUTH-4).

use std::io::{Read, Write};
use std::os::unix::fs::PermissionsExt;
use std::os::unix::process::CommandExt;
use std::process::{Command, Stdio};

use serde_json::{Value, json};

use crate::common::{Dir, am_root, skipped};
use crate::daemon::{Daemon, command, message, run};

const READERS: u32 = 54321;
const SECRET: &str = "hunter2";

/// The answers that another user gets, through the bridge.
fn as_user(daemon: &Daemon, gid: u32, groups: &'static [u32], calls: &[Vec<u8>]) -> Vec<Value> {
    let mut bridge = Command::new(env!("CARGO_BIN_EXE_khelper"));
    bridge.arg("bridge").arg("--socket").arg(&daemon.socket).stdin(Stdio::piped()).stdout(Stdio::piped());
    let change = move || {
        let groups: Vec<_> = groups.iter().map(|gid| nix::unistd::Gid::from_raw(*gid)).collect();
        nix::unistd::setgroups(&groups)?;
        nix::unistd::setgid(nix::unistd::Gid::from_raw(gid))?;
        nix::unistd::setuid(nix::unistd::Uid::from_raw(65534))?;
        Ok(())
    };
    // SAFETY: system calls only.
    unsafe { bridge.pre_exec(change) };
    let mut bridge = bridge.spawn().unwrap();
    // It fails if the bridge cannot connect.
    let _ = bridge.stdin.take().unwrap().write_all(&calls.concat());
    let mut all = Vec::new();
    bridge.stdout.take().unwrap().read_to_end(&mut all).unwrap();
    bridge.wait().unwrap();
    all.split(|byte| *byte == 0).filter(|one| !one.is_empty()).map(|one| serde_json::from_slice(one).unwrap()).collect()
}

#[test]
fn auth_4_a_reader_reads_without_argv_environment_and_output() {
    if !am_root() {
        return skipped("only root can become another user");
    }
    let dir = Dir::new();
    std::fs::set_permissions(dir.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let program = std::path::Path::new(env!("CARGO_BIN_EXE_khelper"));
    if program.ancestors().skip(1).any(|dir| std::fs::metadata(dir).unwrap().permissions().mode() & 0o005 != 0o005) {
        // The bridge would not be executable for another user; the table in control::authorize covers the decisions.
        std::fs::copy(program, dir.path().join("khelper")).unwrap();
    }
    let daemon = Daemon::of(&dir, command(&dir).arg("--readers").arg(READERS.to_string()));
    let mut root = daemon.connect();
    let mut secret = run(&["/bin/echo", SECRET]);
    secret["env"] = json!([format!("PASSWORD={SECRET}")]);
    let full = root.call("Run", secret);
    assert_eq!(full.to_string().matches(SECRET).count(), 3, "argv, environment, output: {full}");
    let page = json!({"query": {"words": [], "globs": "", "which": "all", "sort": "newest", "reverse": false},
        "still": false, "anchor": {"row": "first"}, "around": 5});
    let reads = [
        message("Record", json!({"id": full["id"]}), false),
        message("Records", json!({"ids": [full["id"]]}), false),
        message("Status", json!({}), false),
        message("Activity", page, false),
        message("Log", json!({}), false),
        message("Why", json!({"id": full["id"]}), false),
        message("Get", json!({"key": "kernel.modprobe"}), false),
        message("Live", json!({"after": 0, "most": 9}), false),
    ];
    for (gid, groups) in [(READERS, &[][..]), (65534, &[READERS][..])] {
        let answers = as_user(&daemon, gid, groups, &reads);
        assert_eq!(answers.len(), reads.len());
        for answer in &answers {
            assert!(answer.get("error").is_none(), "{answer}");
            assert!(!answer.to_string().contains(SECRET), "{answer}");
        }
        for records in &answers[..6] {
            assert_eq!(records["parameters"]["withheld"], true, "{records}");
        }
        assert_eq!(answers[0]["parameters"]["record"]["id"], full["id"]);
        assert_eq!(answers[5]["parameters"]["line"]["what"]["ended"]["id"], full["id"], "{}", answers[5]);
        let writes = [
            message("Request", json!({"name": "x", "wait": true}), false),
            message("Run", run(&["/bin/true"]), false),
            message("Set", json!({"writes": [{"key": "khelper.deny", "text": "x"}]}), false),
            message("Kill", json!({"id": 1, "signal": 9}), false),
        ];
        for answer in as_user(&daemon, gid, groups, &writes) {
            assert_eq!(answer["error"], "io.khelper.Control.Denied", "{answer}");
        }
    }
    assert!(full.get("withheld").is_none_or(Value::is_null));
    let long = vec![b' '; 20 << 10];
    let answers = as_user(&daemon, READERS, &[], &[long]);
    assert!(answers[0]["parameters"]["reason"].as_str().unwrap().starts_with("the message is longer"), "{answers:?}");
    // The socket's mode keeps everybody else out.
    assert_eq!(as_user(&daemon, 65534, &[], &reads).len(), 0);
}
