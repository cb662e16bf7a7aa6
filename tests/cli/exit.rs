//! The table of exit codes, row by row.

use std::fs::File;
use std::process::{Command, Stdio};

use serde_json::json;

use crate::program::write_program;
use crate::{Helpers, Ran, khelper, run};

fn sh(script: &str) -> Ran {
    run(["run", "--json", "--", "/bin/sh", "-c", script])
}

#[test]
fn the_helpers_own_code_is_passed_on() {
    for code in [0, 1, 2, 64, 75, 126, 130, 255] {
        let record = sh(&format!("exit {code}")).exits(code).record();
        assert_eq!((&record["outcome"], &record["exit_code"]), (&json!("exited"), &json!(code)));
    }
}

#[test]
fn not_found_127_not_executable_126() {
    run(["run", "--", "/nonexistent"]).exits(127);
    run(["run", "--", "/"]).exits(126);
    // A code of the helper's own is told apart by its words.
    assert_eq!(sh("exit 127").exits(127).record()["outcome"], "exited");
}

#[test]
fn killed_by_a_signal_128_and_its_number() {
    let record = sh("kill -9 $$").exits(137).record();
    assert_eq!((&record["outcome"], &record["signal"], &record["raw"]), (&json!("killed"), &json!(9), &json!(9)));
    sh("kill -TERM $$").exits(143);
    let text = run(["run", "--", "/bin/sh", "-c", "kill -9 $$"]);
    assert!(text.exits(137).text().starts_with("/bin/sh: killed by SIGKILL (raw 9), "), "{}", text.text());
}

#[test]
fn timed_out_124() {
    let record = run(["run", "--timeout", "0.1", "--json", "--", "/bin/sleep", "60"]).exits(124).record();
    assert_eq!((&record["timed_out"], &record["signal"]), (&json!(true), &json!(15)));
    // One that ends in time is not touched.
    let quick = run(["run", "--timeout", "60", "--json", "--", "/bin/true"]);
    assert_eq!(quick.exits(0).record()["timed_out"], false);
}

#[test]
fn usage_64() {
    for args in [
        &["--nonsense"][..],
        &["nonsense"],
        &["request"],
        &["run", "--", "relative/path"],
        &["run", "/bin/true"],
        &["run", "--bset", "nonsense", "--", "/bin/true"],
        &["request", ""],
        &["-t", "embedded", "get", "no.such"],
        &["mask", "nonsense"],
        &["--set", "no.such=1", "get", "-a"],
        &["--set", "khelper.era", "get", "-a"],
        &["--set", "khelper.era=2.6", "get", "-a"],
        &["--set", "khelper.max_concurrent=0", "get", "-a"],
        &["--set", "khelper.max_concurrent=51", "get", "-a"],
        &["--set", "khelper.live=1", "get", "-a"],
        &["--set", "kernel.modprobe=relative", "get", "-a"],
        &["--set", "no.such=1"],
    ] {
        let ran = run(args);
        assert!(ran.exits(64).stdout.is_empty() || args[0] == "request", "{args:?}: {}", ran.text());
        assert!(!ran.stderr.is_empty(), "{args:?}");
    }
}

#[test]
fn refused_for_now_75() {
    let gate = run(["--set", "khelper.gate=disabled", "request", "--json", "foo"]);
    assert_eq!(gate.exits(75).record()["errno"], "EBUSY");
    assert!(
        gate.stderr.contains("khelper.gate=enabled") && gate.stderr.contains("asked by khelper ("),
        "{}",
        gate.stderr
    );
    assert_eq!(
        run(["--set", "khelper.gate=freezing", "run", "--json", "--", "/bin/true"]).exits(75).record()["errno"],
        "EBUSY"
    );
    let noop = run(["--set", "kernel.modprobe=", "request", "--json", "foo"]).exits(75).record();
    assert_eq!((&noop["outcome"], &noop["result"], &noop["errno"]), (&json!("noop"), &json!(0), &json!(null)));
    let off = run(["--set", "kernel.modprobe=", "--set", "khelper.era=current", "request", "--json", "foo"]);
    assert_eq!(off.exits(75).record()["errno"], "ENOENT");
}

#[test]
fn req_12_an_engine_within_an_engine_75() {
    let me = env!("CARGO_BIN_EXE_khelper");
    for inner in [&[me, "request", "--json", "foo"][..], &[me, "run", "--json", "--", "/bin/true"]] {
        let ran = run(["run", "--"].iter().chain(inner));
        let record: serde_json::Value = serde_json::from_str(ran.exits(75).text().lines().next().unwrap()).unwrap();
        assert_eq!((&record["outcome"], &record["errno"]), (&json!("refused"), &json!("ELOOP")));
    }
}

#[test]
fn req_2_not_permitted_77() {
    let denied = run(["--set", "khelper.deny=snd-* usb*", "request", "--json", "snd-hda"]);
    let record = denied.exits(77).record();
    assert_eq!(
        (&record["outcome"], &record["errno"], &record["pid"]),
        (&json!("refused"), &json!("EPERM"), &json!(null))
    );
    assert!(denied.stderr.contains("khelper.deny"), "{}", denied.stderr);
    run(["--set", "khelper.allow=dm-*", "--set", "kernel.modprobe=/bin/true", "request", "foo"]).exits(77);
    run(["--set", "khelper.allow=dm-*", "--set", "kernel.modprobe=/bin/true", "request", "dm-crypt"]).exits(0);
    run(["--set", "khelper.deny=ok,snd-*", "--set", "kernel.modprobe=/bin/true", "request", "snd_hda"]).exits(77);
    // A glob that means nothing is refused, and nothing runs.
    let broken = run(["--set", "khelper.deny=usb* snd[", "--set", "kernel.modprobe=/bin/true", "request", "foo"]);
    let broken = broken.exits(64);
    assert!(broken.stderr.contains("khelper.deny: the glob `snd[` has a `[` without its `]`"), "{}", broken.stderr);
}

#[test]
fn of_several_the_gravest_decides() {
    let long = "x".repeat(56);
    let ran = run(["--set", "kernel.modprobe=/bin/false", "--set", "khelper.deny=b", "request", "a", "b"]);
    ran.exits(77);
    run(["--set", "kernel.modprobe=/bin/false", "--set", "khelper.deny=b", "request", "a", "b", &long]).exits(64);
    let helpers = Helpers::new();
    let by_name = helpers.script("by_name", "exit $3");
    let ran = khelper().args(crate::modprobe(&by_name)).args(["request", "3", "7", "0"]).output().unwrap();
    Ran::of(ran).exits(7);
}

#[cfg(not(feature = "console"))]
#[test]
fn a_build_without_the_console_needs_a_command() {
    let ran = run([""; 0]);
    assert!(ran.exits(64).stdout.is_empty());
    assert!(ran.stderr.contains("built without the console (feature `console`)"), "{}", ran.stderr);
    assert!(ran.stderr.contains("`khelper --help`"), "{}", ran.stderr);
    assert!(!run(["--help"]).exits(0).text().contains("--no-mouse"));
    run(["--no-mouse"]).exits(64);
    run(["keys"]).exits(64);
}

#[cfg(feature = "console")]
#[test]
fn without_a_terminal_the_console_exits_with_2_and_says_what_works() {
    let ran = run([""; 0]);
    assert!(ran.exits(2).stdout.is_empty());
    for word in ["terminal", "request", "run", "probe", "mask", "get"] {
        assert!(ran.stderr.contains(word), "{}", ran.stderr);
    }
}

#[test]
fn help_and_version_exit_with_0() {
    assert!(run(["--help"]).exits(0).text().contains("Exit codes"));
    assert!(run(["run", "--help"]).exits(0).text().contains("--timeout"));
    assert!(run(["--version"]).exits(0).text().starts_with("khelper "));
}

#[test]
fn a_reader_that_has_gone_is_no_panic_and_a_full_disk_is_told() {
    for args in [
        &["-t", "embedded", "get", "-a"][..],
        &["mask", "full"],
        &["--help"],
        #[cfg(feature = "console")]
        &["keys"],
        &["-t", "embedded", "run", "--", "/bin/echo", "hi"],
        &["-t", "embedded", "probe"],
    ] {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        drop(reader);
        let ran = Ran::of(khelper().args(args).stdout(Stdio::from(writer)).output().unwrap());
        assert!(ran.exits(0).stderr.is_empty(), "{}", ran.stderr);
    }
    // The helper's own failure says more; its answer is lost all the same.
    Ran::of(khelper().args(["run", "--", "/bin/false"]).stdout(full()).output().unwrap()).exits(1);
}

fn full() -> File {
    File::options().write(true).open("/dev/full").unwrap()
}

#[test]
fn an_answer_that_cannot_be_written_is_told_by_every_command() {
    let read_only = || File::open("/dev/null").unwrap();
    for args in [
        &["--help"][..],
        &["--version"],
        &["-t", "embedded", "get", "-a"],
        &["-t", "embedded", "get", "--help"],
        #[cfg(feature = "console")]
        &["keys"],
        &["mask", "full"],
        &["mask", "--json", "full"],
        &["-t", "embedded", "probe"],
        &["-t", "embedded", "run", "--", "/bin/true"],
        &["run", "--json", "--wait", "none", "--", "/bin/true"],
        &["--set", "kernel.modprobe=/bin/true", "request", "--parallel", "2", "a", "b", "c"],
    ] {
        let shell = |redirect: &str| {
            let script = format!("exec \"$0\" \"$@\" {redirect}");
            let mut sh = Command::new("/bin/sh");
            sh.args(["-c", &script, env!("CARGO_BIN_EXE_khelper")]).args(args).env("XDG_CONFIG_HOME", "/nonexistent");
            sh.output().unwrap()
        };
        for (output, errno) in [
            (khelper().args(args).stdout(full()).output().unwrap(), "ENOSPC"),
            (khelper().args(args).stdout(read_only()).output().unwrap(), "EBADF"),
            (shell(">&-"), "EBADF"),
        ] {
            let ran = Ran::of(output);
            let said = ran.exits(74).stderr.matches("cannot write to stdout: ").count();
            assert!(said == 1 && ran.stderr.contains(&format!("({errno})")), "{args:?}: {}", ran.stderr);
        }
        // What nobody wants to know is no loss.
        assert_eq!(Ran::of(shell(">/dev/null")).exits(0).stderr, "");
        assert_eq!(Ran::of(shell("1<>/dev/null")).exits(0).stderr, "");
    }
    for (args, code) in [
        (&["run", "--", "/bin/false"][..], 1),
        (&["-t", "embedded", "get", "no.such"], 64),
        (&["-t", "embedded", "get", "-e", "no.such"], 0),
    ] {
        let output = khelper().args(args).stdout(full()).output().unwrap();
        Ran::of(output).exits(code);
    }
}

/// What is wrong with the file stands in the same line, with the bytes.
#[test]
fn umh_3_what_cannot_be_executed_is_explained() {
    use khelper::abi::executable::{Format, format};

    let helpers = Helpers::new();
    let run = std::fs::read("/bin/true").unwrap();
    let parsed = format(|at, length| {
        let from = usize::try_from(at).unwrap().min(run.len());
        run[from..run.len().min(from + length)].to_vec()
    });
    let put = |name: &str, bytes: &[u8]| {
        let path = helpers.path(name);
        write_program(&path, bytes);
        path
    };
    let explained = |path: &std::path::Path, code: i32, words: &str| {
        let ran = Ran::of(khelper().args(["-t", "embedded", "run", "--"]).arg(path).output().unwrap());
        let first = ran.exits(code).stderr.lines().next().unwrap().to_owned();
        assert!(first.contains(words), "{words}: {first}");
    };
    if let Format::Elf(elf) = &parsed
        && let Some(linker) = &elf.interpreter
    {
        let at = run.windows(linker.len()).position(|w| w == &linker[..]).unwrap();
        let mut other = run.clone();
        other[at + 1] = b'\x1b';
        let name = khelper::abi::escape::screen(&other[at..at + linker.len()]);
        explained(
            &put("linker", &other),
            127,
            &format!("its dynamic linker (ELF interpreter), `{name}`, does not exist"),
        );
    }
    let mut foreign = run.clone();
    // A machine that no test runs on: IA-64.
    foreign[18..20].copy_from_slice(&50u16.to_ne_bytes());
    explained(&put("foreign", &foreign), 126, "a program for another machine (ia64)");
    explained(&put("crlf", b"#!/bin/sh\r\necho\r\n"), 127, "`/bin/sh\\x0d`, does not exist: the line ends in CRLF");
    explained(&put("empty", b""), 126, "it is empty");
    explained(&put("nothing", b"#! \n"), 126, "names no interpreter");
    explained(&put("long", &[b"#!/", &[b'x'; 300][..], b"\n"].concat()), 126, "longer than the 255 bytes");
    explained(helpers.path("").as_path(), 126, "it is a folder, not a regular file");
    explained(std::path::Path::new("/no/such"), 127, "there is no folder `/no`");
    // Beside JSON too.
    let json = Ran::of(khelper().args(["run", "--json", "--"]).arg(helpers.path("empty")).output().unwrap());
    assert!(json.exits(126).stderr.contains("it is empty"), "{}", json.stderr);
}
