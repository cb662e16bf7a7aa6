//! No text of Rust's own reaches a person, whatever is wrong with an argument or with a file that it names.

use super::*;

include!("../common/rust_phrases.rs");

/// Returns whether it was refused.
fn has_none(args: &[&str], ran: &Ran) -> bool {
    let said = format!("{}{}", String::from_utf8_lossy(&ran.stdout), ran.stderr);
    assert!(!said.is_empty(), "{args:?}");
    for phrase in PHRASES {
        assert!(!said.contains(phrase), "{args:?}: `{phrase}`: {said}");
    }
    ran.code != Some(0)
}

#[test]
fn a_bad_argument_is_refused_in_words_of_its_own() {
    let numbers = ["x", "-1", "+1", "1x", "", "0x1", "99999999999999999999999"];
    let mut all: Vec<Vec<&str>> = Vec::new();
    for bad in numbers {
        all.push(vec!["request", "--parallel", bad, "a"]);
        all.push(vec!["request", "--repeat", bad, "a"]);
        all.push(vec!["run", "--timeout", bad, "--", "/bin/true"]);
        all.push(vec!["log", "--uid", bad]);
        all.push(vec!["log", "--since", bad]);
        all.push(vec!["log", "--until", bad]);
        all.push(vec!["kill", "--target", "embedded", bad]);
        all.push(vec!["abandon", "--target", "embedded", bad]);
    }
    for bad in ["x", "-1", "0x", "cap_", "1e3", "["] {
        for key in ["khelper.max_concurrent", "khelper.gate", "khelper.era", "kernel.usermodehelper.bset"] {
            all.push(vec!["set", "--target", "embedded"]);
            all.last_mut().unwrap().push(Box::leak(format!("{key}={bad}").into_boxed_str()));
        }
        all.push(vec!["mask", bad]);
        all.push(vec!["run", "--bset", bad, "--", "/bin/true"]);
        all.push(vec!["gate", "--target", "embedded", bad]);
        all.push(vec!["--theme", bad, "status"]);
        all.push(vec!["posture", "--fail-on", bad]);
        all.push(vec!["log", "--outcome", bad]);
        all.push(vec!["kill", "--signal", bad, "1"]);
        all.push(vec!["--target", bad, "status"]);
    }
    let many = all.len();
    let refused = all.iter().filter(|args| has_none(args, &run(*args))).count();
    // `--timeout +1` is a number of seconds.
    assert!(refused > many * 9 / 10, "{refused} of {many}");
}

#[test]
fn a_file_that_cannot_be_used_is_named_in_words_of_its_own() {
    let dir = tempfile::tempdir().unwrap();
    let path = |name: &str| dir.path().join(name).to_str().unwrap().to_owned();
    std::fs::write(path("bytes"), b"kernel.modprobe=\xff\xfe\nx\n").unwrap();
    std::fs::create_dir(path("folder")).unwrap();
    let (bytes, folder, absent) = (path("bytes"), path("folder"), path("no/such"));
    for file in [&*absent, &*folder, "/dev/null/x"] {
        for args in [
            &["set", "--target", "embedded", "-p", file][..],
            &["log", "--ledger", file],
            &["why", "--ledger", file, "x"],
            &["metrics", "--target", "embedded", "--textfile", file],
            &["serve", "--socket", &format!("{file}/s/s")],
            &["--target", &format!("unix:{file}"), "status"],
            &["run", "--", file],
        ] {
            assert!(has_none(args, &run(args)), "{args:?}");
        }
    }
    assert!(has_none(&["set", "-p", &bytes], &run(["set", "--target", "embedded", "-p", &bytes])));
    // The console's settings.
    for settings in [
        &b"theme = 1"[..],
        b"\xff",
        b"= x",
        b"ascii = 99999999999999999999999",
        b"modules = \"x\"",
        b"[keys.x]\ny = \"z\"",
    ] {
        std::fs::create_dir_all(path("khelper")).unwrap();
        std::fs::write(path("khelper/console.toml"), settings).unwrap();
        let ran = Ran::of(khelper().arg("keys").env("XDG_CONFIG_HOME", dir.path()).output().unwrap());
        assert!(has_none(&["keys"], &ran), "{settings:?}");
    }
}
