//! `khelper profile list | show | check` over files.

use std::io::{Read, Write};
use std::os::unix::fs::symlink;
use std::path::Path;

use super::run;

/// A configuration folder with these files in its profiles.d.
fn folder(files: &[(&str, &str)]) -> tempfile::TempDir {
    let folder = tempfile::tempdir().unwrap();
    let profiles = folder.path().join("profiles.d");
    std::fs::create_dir(&profiles).unwrap();
    files.iter().for_each(|(name, text)| std::fs::write(profiles.join(name), text).unwrap());
    folder
}

fn config(folder: &tempfile::TempDir) -> String {
    folder.path().to_str().unwrap().to_owned()
}

#[test]
fn list_shows_the_own_profiles_and_a_file_of_the_same_name_replaces_or_masks_one() {
    let folder =
        folder(&[("keys.profile", "user = 65534\ngroup = 65534\n"), ("tight.profile", "capabilities = empty\n")]);
    symlink("/dev/null", folder.path().join("profiles.d/cores.profile")).unwrap();
    let dir = config(&folder);
    let listed = run(["profile", "list", "--config", &dir]);
    let expected = format!(
        "keys: user ({dir}/profiles.d/keys.profile)\nmodprobe: no_new_privs landlock capabilities (built in/modprobe.profile)\n\
         tight: capabilities ({dir}/profiles.d/tight.profile)\n"
    );
    assert_eq!((listed.code, listed.text(), listed.stderr.as_str()), (Some(0), expected.as_str(), ""));
    let names: Vec<String> = run(["profile", "list", "--json", "--config", &dir])
        .records()
        .iter()
        .map(|o| format!("{} {} {}", o["profile"].as_str().unwrap(), o["sets"], o["uid"]))
        .collect();
    assert_eq!(
        names,
        [
            "keys [\"user\"] 65534",
            "modprobe [\"no_new_privs\",\"landlock\",\"capabilities\"] null",
            "tight [\"capabilities\"] null"
        ]
    );
}

#[test]
fn show_tells_all_that_a_profile_sets_and_an_unknown_name_has_the_known_ones_as_advice() {
    let folder = folder(&[
        ("tight.profile", "capabilities = net_admin\nrlimit.nofile = 64\n"),
        ("odd.profile", "capabilities = empty\nreed = /etc\n"),
    ]);
    let dir = config(&folder);
    let shown = run(["profile", "show", "--config", &dir, "tight"]);
    let lines: Vec<&str> = shown.text().lines().collect();
    assert_eq!(shown.code, Some(0), "{}", shown.stderr);
    assert_eq!(lines[0], format!("profile         tight ({dir}/profiles.d/tight.profile)"));
    assert_eq!(lines[1..3], ["rlimit.nofile   64:64", "bounding        cap_net_admin"]);
    assert!(lines.iter().any(|line| line.starts_with("remark          confines nothing that root owns")), "{lines:?}");
    let object = run(["profile", "show", "--json", "--config", &dir, "tight"]).record();
    assert_eq!((&object["rlimits"], &object["not_by_shim"]), (&1.into(), &serde_json::json!([])));

    let missing = run(["profile", "show", "--config", &dir, "tigt"]);
    assert_eq!(missing.code, Some(1));
    assert!(missing.stderr.contains("there is no profile `tigt`"), "{}", missing.stderr);
    assert!(missing.stderr.contains("cores, keys, modprobe, tight"), "{}", missing.stderr);
    let faulty = run(["profile", "show", "--config", &dir, "odd"]);
    assert_eq!((faulty.code, faulty.text()), (Some(1), ""));
    assert!(
        faulty.stderr.contains("odd.profile:2:1: no key is called `reed`; did you mean `read`?"),
        "{}",
        faulty.stderr
    );
}

#[test]
fn check_names_faults_by_line_and_column_and_remarks_on_a_profile_that_leaves_root() {
    let folder =
        folder(&[("bare.profile", "bounding = empty\n"), ("odd.profile", "no_new_privs = maybe\n\nuser = nobdy\n")]);
    let at = |name: &str| folder.path().join("profiles.d").join(name).to_str().unwrap().to_owned();
    let (bare, odd) = (at("bare.profile"), at("odd.profile"));
    let checked = run(["profile", "check", &bare]);
    assert_eq!(checked.code, Some(0), "{}", checked.stderr);
    let first = format!("{bare}: confines nothing that root owns: no user, no paths and no read-only root");
    assert!(
        checked.text().starts_with(&first) && checked.text().ends_with("1 profile, no fault\n"),
        "{}",
        checked.text()
    );

    let checked = run(["profile", "check", Path::new(&bare).parent().unwrap().to_str().unwrap()]);
    assert_eq!(checked.code, Some(1));
    assert!(!checked.text().contains("no fault") && checked.text().starts_with(&first), "{}", checked.text());
    assert!(checked.stderr.contains(&format!("{odd}:1:16: `no_new_privs` cannot be `maybe`")), "{}", checked.stderr);
    assert!(checked.stderr.contains(&format!("{odd}:3:8: this machine has no user `nobdy`")), "{}", checked.stderr);
    let objects = run(["profile", "check", "--json", &odd]).records();
    let faults: Vec<_> = objects.iter().map(|o| (o["line"].as_u64(), o["column"].as_u64())).collect();
    assert_eq!(faults, [(Some(1), Some(16)), (Some(3), Some(8))]);

    // Those that khelper brings have no fault, and none leaves a helper of root unconfined.
    let own = run(["profile", "check", "--config", &config(&tempfile::tempdir().unwrap())]);
    assert_eq!(own.code, Some(0), "{}", own.stderr);
    assert!(
        !own.text().contains("confines nothing") && own.text().ends_with("3 profiles, no fault\n"),
        "{}",
        own.text()
    );
    assert_eq!(run(["profile", "check", "/no/such"]).code, Some(64));
}

#[test]
fn a_rule_that_names_no_profile_is_named_by_rules_check() {
    let folder = folder(&[]);
    let rules = folder.path().join("x.rules");
    std::fs::write(&rules, "allow helper /bin/true profile=keys\nallow helper /bin/false profile=kyes\n").unwrap();
    let rules = rules.to_str().unwrap();
    let checked = run(["rules", "check", rules]);
    assert_eq!(checked.code, Some(1), "{}", checked.stderr);
    let line = format!("{rules}:2: there is no profile `kyes`, or it has a fault: what this rule allows is not run\n");
    assert_eq!(checked.text(), line);
    let object = run(["rules", "check", "--json", rules]).record();
    assert_eq!((&object["line"], &object["no_profile"]), (&2.into(), &"kyes".into()));
}

#[test]
fn run_confines_a_helper_by_a_profile_and_record_ledger_and_why_say_which() {
    let unknown = run(["-t", "embedded", "run", "--profile", "kyes", "--", "/bin/true"]);
    assert_eq!((unknown.code, unknown.text()), (Some(64), ""));
    assert!(unknown.stderr.contains("there is no profile `kyes`, or it has a fault"), "{}", unknown.stderr);
    if !nix::unistd::geteuid().is_root() {
        let _ = std::io::stderr().write_all(b"skipped: the profile of a root helper needs root\n");
        return;
    }
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger").to_str().unwrap().to_owned();
    let call = ["run", "--json", "--profile", "keys", "--", "/bin/cat", "/proc/self/status"];
    let record = run([&["-t", "embedded", "--ledger", &ledger][..], &call].concat()).record();
    assert_eq!(record["profile"], "keys", "{record}");
    let status = record["stdout"].as_str().unwrap();
    assert!(status.contains("CapBnd:\t00000000000000c4\n") && status.contains("NoNewPrivs:\t1"), "{status}");
    let logged = run(["log", "--json", "--ledger", &ledger]).records();
    assert!(logged.iter().any(|line| line["profile"] == "keys" && line["outcome"] == "exited"), "{logged:?}");
    let why = run(["why", "--ledger", &ledger, "#1"]);
    assert!(why.text().contains(", confined by profile keys."), "{}{}", why.text(), why.stderr);
    // The log's line about it comes before the answer, however fast that is.
    for _ in 0..20 {
        let (mut both, stdout) = std::io::pipe().unwrap();
        let stderr = stdout.try_clone().unwrap();
        let mut command = super::khelper();
        command.args(["-t", "embedded", "run", "--profile", "keys", "--", "/bin/true"]).stdout(stdout).stderr(stderr);
        let mut child = command.spawn().unwrap();
        // The pipe ends with its last writer.
        drop(command);
        let mut text = String::new();
        both.read_to_string(&mut text).unwrap();
        assert_eq!(child.wait().unwrap().code(), Some(0), "{text}");
        let lines: Vec<_> = text.lines().map(|line| line.split(' ').take(3).collect::<Vec<_>>().join(" ")).collect();
        assert_eq!(lines, ["khelper: #1 runs", "/bin/true: exit 0,"], "{text}");
    }
}
