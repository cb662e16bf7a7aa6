//! `khelper rehearse` with an engine of its own: real helpers under draft masks and under the live ones.

use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Command, Output};

use serde_json::Value;

use crate::program::write_program;

#[track_caller]
fn rehearsed(code: i32, options: &[&str], argv: &[&str]) -> String {
    let mut command = Command::new(env!("CARGO_BIN_EXE_khelper"));
    command.args(["--target", "embedded", "rehearse"]).args(options);
    if !argv.is_empty() {
        command.arg("--").args(argv);
    }
    let Output { status, stdout, stderr } = command.output().unwrap();
    let [out, err] = [stdout, stderr].map(|bytes| String::from_utf8(bytes).unwrap());
    assert_eq!(status.code(), Some(code), "{out}{err}");
    out
}

/// A script whose file has this name.
fn script(folder: &Path, name: &str, body: &str) -> String {
    let path = folder.join(name);
    write_program(&path, format!("#!/bin/sh\n{body}\n"));
    path.to_str().unwrap().to_owned()
}

#[test]
fn what_the_draft_takes_away_is_named() {
    let probe = ["/bin/grep", "CapBnd", "/proc/self/status"];
    let text = rehearsed(0, &["--bset", "-cap_chown"], &probe);
    let lines: Vec<&str> = text.lines().collect();
    assert!(lines[0].starts_with("            live ") && lines[1].starts_with("ended       ✓ exit 0 "), "{text}");
    if nix::unistd::geteuid().is_root() {
        assert!(text.contains("bounding lack cap_chown\n") && text.ends_with("its output differs\n"), "{text}");
    } else {
        assert!(text.contains("the masks were enforced in another way\n"), "{text}");
    }
    let both: Value = serde_json::from_str(&rehearsed(0, &["--bset", "-cap_chown", "--json"], &probe)).unwrap();
    assert_eq!((&both["v"], &both["target"]), (&1.into(), &"embedded".into()));
    let mask = |run: &str| both[run]["own"]["bset"].as_str().unwrap_or("none").to_owned();
    assert!(mask("draft").ends_with('e') && mask("live") == "none", "{both}");
    assert!(!both["differences"].as_array().unwrap().is_empty());
    assert_eq!(both["draft"]["id"].as_u64().unwrap() + 1, both["live"]["id"].as_u64().unwrap(), "the draft runs first");
}

#[test]
fn a_rehearsal_that_proves_nothing_says_so() {
    let folder = tempfile::tempdir().unwrap();
    std::fs::set_permissions(folder.path(), PermissionsExt::from_mode(0o755)).unwrap();
    let modprobe = script(folder.path(), "modprobe", "exit 3");
    let text = rehearsed(3, &["--inheritable", "empty"], &[&modprobe, "-n", "dummy"]);
    assert!(text.ends_with("no difference: a dry run needs no privilege, so this proves nothing\n"), "{text}");
    let text = rehearsed(3, &["--inheritable", "empty"], &[&modprobe, "--", "-n"]);
    assert!(text.ends_with("\nno difference\n"), "{text}");
    let text = rehearsed(0, &[], &[]);
    assert!(text.ends_with("no difference: the draft is the live masks, so this proves nothing\n"), "{text}");
    assert_eq!(rehearsed(64, &["--bset", "cap_nonsense"], &["/bin/true"]), "");
    rehearsed(127, &["--bset", "-cap_kill"], &["/no/such"]);
}
