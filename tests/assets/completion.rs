//! The completion scripts, with the real program, in a real bash(1).

use std::path::Path;
use std::process::Command;

const SCRIPTS: &str = concat!(env!("CARGO_MANIFEST_DIR"), "/assets/completions");

/// Calls the function of the script as bash does after a tab at the end of `line`, which bash has split into `words`.
/// Returns the completions.
fn completed(line: &str, words: &[&str]) -> Vec<String> {
    let script = format!("{SCRIPTS}/khelper.bash");
    let run = r#"
        source "$1"; COMP_LINE=$2; COMP_POINT=${#2}; shift 2
        COMP_WORDS=("$@"); COMP_CWORD=$(($# - 1))
        _khelper khelper "${COMP_WORDS[-1]}" "${COMP_WORDS[-2]}"
        [[ ${#COMPREPLY[@]} -eq 0 ]] || printf '%s\n' "${COMPREPLY[@]}"
    "#;
    let program = Path::new(env!("CARGO_BIN_EXE_khelper")).parent().unwrap();
    let path = format!("{}:{}", program.display(), std::env::var("PATH").unwrap());
    let mut bash = Command::new("bash");
    bash.args(["--norc", "-uc", run, "bash", &script, line]).args(words).env("PATH", path);
    let output = bash.output().unwrap();
    assert!(output.status.success() && output.stderr.is_empty(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap().lines().map(str::to_owned).collect()
}

#[test]
fn bash_completes_verbs_options_knobs_values_and_capabilities() {
    assert_eq!(completed("khelper ga", &["khelper", "ga"]), ["gate"]);
    assert_eq!(completed("khelper gate ", &["khelper", "gate", ""]), ["enabled", "freezing", "disabled"]);
    assert_eq!(completed("khelper watch --u", &["khelper", "watch", "--u"]), ["--utc"]);
    assert_eq!(completed("khelper --set kernel.m", &["khelper", "--set", "kernel.m"]), ["kernel.modprobe="]);
    // bash splits at `=`, and replaces what comes after it.
    let split = ["khelper", "--set", "khelper.gate", "=", "d"];
    assert_eq!(completed("khelper  --set khelper.gate=d", &split), ["disabled"]);
    let split = ["khelper", "run", "--bset", "=", "full,-cap_sys_mo"];
    assert_eq!(completed("khelper run --bset=full,-cap_sys_mo", &split), ["full,-cap_sys_module"]);
    let after = ["khelper", "--set", "khelper.era", "=", "3.4", "ge"];
    assert_eq!(completed("khelper --set khelper.era=3.4 ge", &after), ["get"], "the option's value is one word");
    assert_eq!(completed("khelper -t u", &["khelper", "-t", "u"]), ["unix:"]);
    assert_eq!(completed("khelper log --outcome no", &["khelper", "log", "--outcome", "no"]), ["noop"]);
    assert_eq!(completed("khelper kill -s ST", &["khelper", "kill", "-s", "ST"]), ["STOP"]);
    // Nothing to say: bash completes files.
    assert!(completed("khelper run -- /bi", &["khelper", "run", "--", "/bi"]).is_empty());
    assert!(completed("khelper nonsense ", &["khelper", "nonsense", ""]).is_empty());
}

#[test]
fn every_command_is_completed_with_what_it_does() {
    let all = Command::new(env!("CARGO_BIN_EXE_khelper")).args(["__complete", ""]).output().unwrap();
    let all = String::from_utf8(all.stdout).unwrap();
    for command in khelper::cli::definition().get_subcommands() {
        let line = format!("{}\t{}", command.get_name(), command.get_about().unwrap());
        assert_eq!(all.lines().any(|have| have == line), !command.is_hide_set(), "{line}");
    }
    let nothing = Command::new(env!("CARGO_BIN_EXE_khelper")).arg("__complete").output().unwrap();
    assert_eq!(nothing.status.code(), Some(64));
}

#[test]
fn the_scripts_of_the_other_shells_ask_the_program_too() {
    for name in ["khelper.bash", "khelper.fish", "_khelper"] {
        let text = std::fs::read_to_string(Path::new(SCRIPTS).join(name)).unwrap();
        assert_eq!(text.matches(" __complete ").count(), 1, "{name}");
    }
}
