//! `get`, `set` and `diff` at the shell, with a folder of configuration files in place of the system's.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;

use serde_json::json;

use crate::{Ran, khelper};

/// Runs it with an engine of its own, whatever runs on this machine.
fn run<S: AsRef<std::ffi::OsStr>>(args: impl IntoIterator<Item = S>) -> Ran {
    Ran::of(khelper().args(["-t", "embedded"]).args(args).output().unwrap())
}

/// A folder for configuration files.
struct Site(tempfile::TempDir);

impl Site {
    fn new() -> Self {
        Self(tempfile::tempdir().unwrap())
    }

    fn path(&self) -> &Path {
        self.0.path()
    }

    fn put(&self, name: &str, text: &str) {
        fs::write(self.path().join(name), text).unwrap();
    }

    fn text(&self, name: &str) -> String {
        fs::read_to_string(self.path().join(name)).unwrap()
    }

    /// `khelper VERB --config DIR ARGS`.
    fn run(&self, verb: &str, args: &[&str]) -> Ran {
        Ran::of(khelper().args([verb, "--config"]).arg(self.path()).args(args).output().unwrap())
    }
}

/// What people type because sysctl(8) takes it.
#[test]
fn get_takes_what_sysctl_takes() {
    for (args, lines) in [
        (&["kernel.usermodehelper"][..], 2),
        (&["kernel/usermodehelper/"], 2),
        (&["kernel"], 3),
        (&["-N", "kernel.modprobe"], 1),
        (&["-r", "usermodehelper"], 2),
        (&["-b", "kernel.modprobe"], 1),
    ] {
        let ran = run([&["get"], args].concat());
        assert_eq!(ran.exits(0).text().split('\n').filter(|line| !line.is_empty()).count(), lines, "{args:?}");
    }
    let set = run(["get", "kernel.modprobe=/x"]);
    assert!(set.exits(64).stderr.contains("use set"), "{}", set.stderr);
}

#[test]
fn each_object_has_its_target_and_where_its_value_comes_from() {
    let get = run([
        "get",
        "--set",
        "khelper.deny=a b",
        "--json",
        "khelper.deny",
        "khelper.live",
        "kernel.usermodehelper.bset",
    ]);
    let all = get.exits(0).records();
    assert_eq!(all[0]["key"], "khelper.deny");
    assert_eq!((&all[0]["v"], &all[0]["target"], &all[0]["value"]), (&json!(1), &json!("embedded"), &json!("a b")));
    let from = &all[0]["where"];
    assert_eq!((&from["actor"]["origin"], &from["actor"]["comm"]), (&json!("command_line"), &json!("khelper")));
    assert!(from["at"].as_str().is_some_and(|at| at.ends_with('Z')), "{from}");
    assert_eq!((&all[1]["value"], &all[1]["where"]), (&json!(0), &json!(null)));
    assert!(all[2]["value"].as_str().is_some_and(|mask| mask.len() == 18 && mask.starts_with("0x")), "{}", all[2]);
    let lines = run(["get", "--set", "khelper.deny=a", "--where", "khelper.deny", "khelper.era"]);
    let lines: Vec<&str> = lines.exits(0).text().lines().collect();
    assert!(lines[0].starts_with("khelper.deny = a  (set 20") && lines[0].contains("\"khelper\" pid"), "{lines:?}");
    assert_eq!(lines[1], "khelper.era = 3.4  (default)");
    let set = run(["set", "--json", "kernel.usermodehelper.bset=cap_chown", "khelper.deny=a"]);
    let all = set.exits(0).records();
    assert_eq!(
        (&all[0]["after"], &all[0]["not_granted"]),
        (&json!("0x0000000000000001"), &json!("0x0000000000000000"))
    );
    assert_eq!((&all[1]["before"], &all[1]["after"], &all[1]["not_granted"]), (&json!(""), &json!("a"), &json!(null)));
}

#[test]
fn a_mask_is_shown_before_and_after_in_words() {
    let ran = run(["set", "kernel.usermodehelper.bset=-cap_sys_rawio"]);
    assert_eq!(ran.exits(0).text(), "embedded kernel.usermodehelper.bset: full → all but cap_sys_rawio (read back).\n");
    let dry = run(["set", "--dry-run", "kernel.usermodehelper.bset=-cap_sys_rawio", "khelper.deny=x"]);
    let text = dry.exits(0).text();
    assert!(text.contains("a dry run") && text.ends_with("\nkhelper.deny = x\n"), "{text}");
}

#[test]
fn what_is_kept_is_a_line_that_can_be_removed() {
    let site = Site::new();
    let kept = site.run("set", &["--persist", "kernel.usermodehelper.bset=-cap_sys_rawio", "khelper.deny=a"]);
    let file = site.path().join("zz-persist.conf");
    assert!(kept.exits(0).text().contains(&format!("Kept in {}:2.", file.display())), "{}", kept.text());
    assert_eq!(fs::metadata(&file).unwrap().permissions().mode() & 0o7777, 0o644);
    let lines = site.text("zz-persist.conf");
    assert!(lines.starts_with('#') && lines.ends_with("\nkhelper.deny = a\n") && lines.lines().count() == 3, "{lines}");
    // A new engine runs with the defaults: that is the drift.
    let diff = site.run("diff", &[]);
    let text = diff.exits(1).text();
    assert!(
        text.ends_with(&format!("khelper.deny  running \"\"  configured \"a\" ({}:3)\n", file.display())),
        "{text}"
    );
    assert!(text.starts_with("kernel.usermodehelper.bset  running full  configured all but cap_sys_rawio ("), "{text}");
    let drift = site.run("diff", &["--json"]).exits(1).records();
    assert_eq!((&drift[1]["running"], &drift[1]["configured"]), (&json!(""), &json!("a")));
    assert_eq!(drift[1]["where"], json!({"file": file.to_str().unwrap(), "line": 3}));
    site.run("set", &["--unpersist", "khelper.deny", "kernel.usermodehelper.bset"]).exits(0);
    assert_eq!(site.run("diff", &[]).exits(0).text(), "");
    assert!(site.run("set", &["--unpersist", "khelper.deny"]).exits(64).stderr.contains("is not in this file"));
    site.put("zzz.conf", "khelper.deny = b");
    let refused = site.run("set", &["--persist", "khelper.deny=a"]);
    assert!(refused.exits(64).stderr.contains("zzz.conf:1 would win"), "{}", refused.stderr);
    assert!(!site.text("zz-persist.conf").contains("khelper.deny"));
}

#[test]
fn a_file_is_applied_line_by_line() {
    let site = Site::new();
    site.put("a", "no.such = 1\n-no.other = 2\nkhelper.deny = x\nnonsense\n-khelper.max_concurrent = 99\nkhelper.max_concurrent = 51");
    let path = site.path().join("a");
    let ran = run(["set".as_ref(), "-p".as_ref(), path.as_os_str()]);
    assert_eq!(ran.exits(1).text(), "khelper.deny = x\n");
    let lines: Vec<&str> = ran.stderr.lines().collect();
    for (line, at) in lines.iter().zip([1, 4, 6]) {
        assert!(line.contains(&format!("{}:{at}: ", path.display())), "{lines:?}");
    }
    assert_eq!(lines.len(), 3, "{lines:?}");
    let missing = run(["set", "-p", "/no/such"]);
    assert!(missing.exits(1).stderr.contains("cannot read /no/such"), "{}", missing.stderr);
    for (args, code) in [
        (&["--persist", "-p", "x"][..], 64),
        (&["-p", "x", "khelper.deny=a"], 64),
        (&["--system", "khelper.deny=a"], 64),
        (&["--persist", "--unpersist", "khelper.deny"], 64),
        (&["khelper.live=1"], 64),
        (&["-t", "daemon", "--config", "/", "khelper.era=3.4"], 64),
    ] {
        let own: &[&str] = if args.contains(&"daemon") { &[] } else { &["-t", "embedded"] };
        Ran::of(khelper().arg("set").args(args).args(own).output().unwrap()).exits(code);
    }
}

#[test]
fn auth_6_configuration_that_others_can_write_is_not_permitted() {
    let site = Site::new();
    site.put("10.conf", "khelper.deny = x");
    assert_eq!(site.run("set", &["--system"]).exits(0).text(), "khelper.deny = x\n");
    fs::set_permissions(site.path().join("10.conf"), PermissionsExt::from_mode(0o646)).unwrap();
    for (verb, args) in [("set", &["--system"][..]), ("diff", &[]), ("set", &["--persist", "khelper.era=3.4"])] {
        let ran = site.run(verb, args);
        assert!(ran.exits(77).stderr.contains("10.conf: can be written by everyone (EPERM)"), "{}", ran.stderr);
        assert_eq!(ran.text(), "");
    }
}
