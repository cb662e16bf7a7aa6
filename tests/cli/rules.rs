//! `khelper rules` over files and real ledgers.

use std::process::Output;

use tempfile::TempDir;

fn khelper(args: &[&str]) -> Output {
    crate::khelper().args(args).output().unwrap()
}

fn out(output: &Output) -> String {
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn file(dir: &TempDir, name: &str, text: &str) -> String {
    let path = dir.path().join(name);
    std::fs::write(&path, text).unwrap();
    path.to_str().unwrap().to_owned()
}

/// A ledger of 12 allowed requests and 5 that were denied, made by real engines.
fn ledger(dir: &TempDir) -> String {
    let folder = dir.path().join("ledger").to_str().unwrap().to_owned();
    let ask = |set: &str, names: &[&str], code: i32| {
        let common = ["--ledger", &folder, "--set", "kernel.modprobe=/bin/true", "--set", set, "request"];
        let asked = khelper(&[&common[..], names].concat());
        assert_eq!(asked.status.code(), Some(code), "{}", String::from_utf8_lossy(&asked.stderr));
    };
    ask("khelper.deny=", &["good", "good", "good", "fine", "fine", "nls_a", "nls_b", "nls_c", "odd"], 0);
    ask("khelper.deny=bad-* odd", &["bad-1", "bad_1", "bad-2", "odd", "bad-3", "good", "late", "late"], 77);
    folder
}

#[test]
fn test_replays_a_ledger_and_counts_what_would_change() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(&dir);
    let same = file(&dir, "same.rules", "deny name bad-*\nallow *\n");
    let replayed = khelper(&["rules", "test", "--ledger", &ledger, &same]);
    let lines: Vec<String> = out(&replayed).lines().map(str::to_owned).collect();
    assert_eq!(replayed.status.code(), Some(1), "{lines:?}");
    assert_eq!(lines[0], "17 requests: 12 allowed, 5 denied");
    assert_eq!(lines[1], "these rules change 0 from allowed to denied, 1 from denied to allowed");
    let uid = nix::unistd::getuid();
    assert_eq!(lines[2..], [format!("denied -> allowed  1x  \"odd\" by uid {uid}: {same}:2 (allow *): asked odd")]);

    let other = file(&dir, "other.rules", "# a comment\nallow name good\ndeny name nls_[ab] late bad-[12]\n");
    let replayed = khelper(&["rules", "test", "--json", "--ledger", &ledger, &other]);
    let text = out(&replayed);
    let objects: Vec<serde_json::Value> = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let counts = ["requests", "allowed", "denied", "now_denied", "now_allowed"].map(|key| objects[0][key].as_u64());
    // The same: good 4, fine 2, nls_c 1, odd 1; bad-1 and bad_1, bad-2. Other: nls_a, nls_b, late 2; odd, bad-3.
    assert_eq!(counts, [17, 12, 5, 4, 2].map(Some), "{text}");
    let changes: Vec<(&str, &str, u64)> = objects[1..]
        .iter()
        .map(|o| (o["change"].as_str().unwrap(), o["asked"].as_str().unwrap(), o["times"].as_u64().unwrap()))
        .collect();
    let expected = [
        ("allowed", "bad-3", 1),
        ("allowed", "odd", 1),
        ("denied", "late", 2),
        ("denied", "nls_a", 1),
        ("denied", "nls_b", 1),
    ];
    assert_eq!(changes, expected);
}

#[test]
fn learned_rules_change_nothing_of_what_the_system_asked_for() {
    let dir = tempfile::tempdir().unwrap();
    let ledger = ledger(&dir);
    let learned = khelper(&["rules", "learn", "--ledger", &ledger]);
    assert!(learned.status.success());
    let rules = file(&dir, "learned.rules", &out(&learned));
    let replayed = out(&khelper(&["rules", "test", "--ledger", &ledger, &rules]));
    // What was denied when it was asked for is for a person to decide: it is written as a comment. `odd` was allowed once.
    if nix::unistd::getuid().as_raw() < 1000 {
        assert!(
            replayed.contains("these rules change 0 from allowed to denied, 1 from denied to allowed"),
            "{replayed}"
        );
        let text = out(&learned);
        for line in
            ["#allow name bad-1 uid=0  # 2 times, on 1 day", "#allow name bad-2 uid=0", "\nallow name odd uid=0  # 1"]
        {
            assert!(text.contains(line), "{line}: {text}");
        }
    } else {
        assert!(out(&learned).contains("#allow name late uid>=1000  # 2 times, on 1 day"), "{}", out(&learned));
    }
}

#[test]
fn check_names_faults_with_file_line_and_column() {
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "a.rules", "deny name x\nallow module y requestr\nxyz\n");
    let checked = khelper(&["rules", "check", &path]);
    assert_eq!((checked.status.code(), out(&checked)), (Some(1), String::new()));
    let errors = String::from_utf8_lossy(&checked.stderr).into_owned();
    assert!(errors.contains(&format!("khelper: {path}:2:16: `requestr` would be one more name")), "{errors}");
    assert!(
        errors.contains(&format!("khelper: {path}:3:1: a rule cannot begin with `xyz` (EINVAL); begin")),
        "{errors}"
    );
    let json = out(&khelper(&["rules", "check", "--json", &path]));
    let first: serde_json::Value = serde_json::from_str(json.lines().next().unwrap()).unwrap();
    assert_eq!((first["line"].as_u64(), first["column"].as_u64()), (Some(2), Some(16)));

    // A folder: files by name, others passed over.
    let folder = dir.path().join("rules.d");
    std::fs::create_dir(&folder).unwrap();
    for (name, text) in
        [("20.rules", "deny name b*\n"), ("10.rules", "deny name ba*\n"), ("x.conf", "nonsense"), (".y.rules", "no")]
    {
        std::fs::write(folder.join(name), text).unwrap();
    }
    let good = khelper(&["rules", "check", folder.to_str().unwrap()]);
    assert_eq!((good.status.code(), out(&good).lines().last()), (Some(0), Some("2 rules, no fault")));
    let exported = out(&khelper(&["rules", "export", folder.to_str().unwrap()]));
    let at = |text: &str| exported.find(text).unwrap_or_else(|| panic!("{exported}"));
    assert!(at("install ba* /bin/false") < at("install b* /bin/false"));

    let missing = khelper(&["rules", "check", "/no/such"]);
    let errors = String::from_utf8_lossy(&missing.stderr).into_owned();
    assert!(
        missing.status.code() == Some(64) && errors.contains("/no/such: No such file or directory (ENOENT)"),
        "{errors}"
    );
}

#[test]
fn lines_of_modprobe_d_and_names_are_printed_as_rules_and_what_is_left_out_is_told() {
    let dir = tempfile::tempdir().unwrap();
    let conf = file(&dir, "cis.conf", "install dccp /bin/false\nblacklist floppy\noptions snd index=0\n");
    let list = file(&dir, "names", "# a public list\nsctp\nrds\n");
    let made = khelper(&["rules", "import", &conf, &list]);
    let said = String::from_utf8_lossy(&made.stderr).into_owned();
    assert_eq!((made.status.code(), &*said), (Some(0), "khelper: 1 line left out: see the comments\n"));
    let text = out(&made);
    let rules: Vec<&str> = text.lines().filter(|line| line.starts_with("deny")).collect();
    assert_eq!(rules, ["deny module dccp", "deny module floppy  # blacklist", "deny module sctp", "deny module rds"]);
    assert!(text.contains(&format!("# not imported: {conf}:3: `options snd index=0`")), "{text}");
    let checked = khelper(&["rules", "check", &file(&dir, "made.rules", &text)]);
    assert!(out(&checked).ends_with("4 rules, no fault\n"), "{}", out(&checked));
    for (args, what) in [(&["/no/such"][..], "ENOENT"), (&["/"], "name a file of modprobe.d"), (&[], "<FILE>...")] {
        let wrong = khelper(&[&["rules", "import"], args].concat());
        let said = String::from_utf8_lossy(&wrong.stderr).into_owned();
        assert!(wrong.status.code() == Some(64) && said.contains(what), "{said}");
    }
}

#[test]
fn diff_shows_rules_at_another_place_and_answers_as_json_too() {
    // The system's folders are those of this machine: without any, every rule is added, in its order.
    let dir = tempfile::tempdir().unwrap();
    let path = file(&dir, "new.rules", "deny name b\nallow name a\n");
    let differs = khelper(&["rules", "diff", "--json", &path]);
    let objects: Vec<serde_json::Value> =
        out(&differs).lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    let added: Vec<(&str, u64)> = objects
        .iter()
        .filter(|o| o["change"] == "added")
        .map(|o| (o["rule"].as_str().unwrap(), o["line"].as_u64().unwrap()))
        .collect();
    assert_eq!((differs.status.code(), &added[..]), (Some(1), &[("deny name b", 1), ("allow name a", 2)][..]));
    // modprobe.d has one form: there is nothing to print as JSON.
    assert_eq!(khelper(&["rules", "export", "--json", &path]).status.code(), Some(64));
}

#[test]
fn a_folder_without_rules_is_named() {
    let dir = tempfile::tempdir().unwrap();
    file(&dir, "10.conf", "deny name x\n");
    let folder = dir.path().to_str().unwrap();
    for (what, ending) in [("rules", "rules"), ("profile", "profile")] {
        let checked = khelper(&[what, "check", folder]);
        let said = String::from_utf8_lossy(&checked.stderr).into_owned();
        assert!(said.contains(&format!("khelper: {folder}: the folder has no file *.{ending}\n")), "{said}");
    }
    let device = khelper(&["rules", "check", "/dev/null"]);
    let said = String::from_utf8_lossy(&device.stderr).into_owned();
    assert!(said.contains("/dev/null: it is neither a regular file nor a folder (EINVAL)"), "{said}");
}
