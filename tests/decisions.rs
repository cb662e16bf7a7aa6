//! Rules in force in a real engine: what they deny does not run, and the record cites the rule.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/mod.rs"]
mod common;

use std::io::Write;
use std::os::unix::fs::PermissionsExt;
use std::path::PathBuf;
use std::sync::Arc;

use common::{Dir, run};
use khelper::abi::Errno;
use khelper::abi::actor::Origin;
use khelper::abi::cap::CapMask;
use khelper::abi::error::Stage;
use khelper::abi::event::EventKind;
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::{Outcome, Record};
use khelper::control::module_tree::ModuleTree;
use khelper::control::profiles;
use khelper::control::rules::{Folders, Live, Refused};
use khelper::control::text::why::story;
use khelper::engine::{Engine, KnobWrite, Received};
use khelper::policy::rules::Mode;

struct Site {
    dir: Dir,
    live: Arc<Live>,
    engine: Engine,
}

/// An engine under these rules, whose modprobe is /bin/true. `net-pf-99` is an alias of `evil`, `both` of `good` and
/// `evil`.
fn site(rules: &str, mode: Mode) -> Site {
    let dir = Dir::new();
    std::fs::create_dir(dir.path().join("rules.d")).unwrap();
    std::fs::write(dir.path().join("rules.d/10.rules"), rules).unwrap();
    let config = dir.path().join("modprobe.d");
    std::fs::create_dir(&config).unwrap();
    std::fs::write(config.join("a.conf"), "alias net-pf-99 evil\nalias both good\nalias both evil\nalias fine good\n")
        .unwrap();
    let tree = ModuleTree::new(dir.path().join("no-tree"), vec![config]);
    let live = Arc::new(Live::load(Folders::only(dir.path().join("rules.d")), tree, mode).unwrap());
    let engine = Engine::builder().rules(live.hook()).start().unwrap();
    engine.write(&[KnobWrite::Modprobe(parse_modprobe(b"/bin/true").unwrap())], Origin::Library).unwrap();
    Site { dir, live, engine }
}

impl Site {
    fn ask(&self, name: &str) -> Arc<Record> {
        self.engine.request_module(name, true)
    }
    fn file(&self) -> PathBuf {
        self.dir.path().join("rules.d/10.rules")
    }
    fn runs(&self, name: &str) -> bool {
        let record = self.ask(name);
        assert_eq!(record.pid.is_some(), record.outcome == Outcome::Exited, "{record:?}");
        record.pid.is_some()
    }
}

#[test]
fn what_a_rule_denies_does_not_run_and_why_cites_the_rule() {
    let site = site("# a comment\ndeny module evil  # why\ndeny helper /bin/false\nallow *\n", Mode::Enforce);
    let file = site.file().display().to_string();
    for (name, because) in [("evil", ""), ("net-pf-99", ", resolves to evil"), ("both", ", resolves to evil")] {
        let record = site.ask(name);
        assert_eq!(
            (record.outcome, record.stage, record.errno),
            (Outcome::Refused, Some(Stage::Hook), Some(Errno::EPERM))
        );
        assert_eq!((record.pid, record.result), (None, Some(-(Errno::EPERM as i32))));
        let told = story(&record, "now", CapMask::up_to(40));
        let cites =
            format!("Not run: denied by {file}:2 (deny module evil): asked {name}{because} (EPERM); change the rule");
        assert!(told.iter().any(|line| line.starts_with(&cites)), "{told:?}");
    }
    assert!(site.runs("fine") && site.runs("unresolved"));
    let denied = run(&site.engine, &["/bin/false"]);
    assert!(denied.pid.is_none() && denied.why().unwrap().contains(":3 (deny helper /bin/false): asked /bin/false"));
    assert_eq!(run(&site.engine, &["/bin/true"]).result, Some(0));
}

#[test]
fn an_audit_runs_what_would_be_denied_and_says_so() {
    let site = site("deny name evil\nallow name good log=yes", Mode::Audit);
    let events = site.engine.subscribe(100);
    assert!(site.runs("evil") && site.runs("good"));
    drop(site.engine);
    let mut lines = Vec::new();
    loop {
        match events.recv() {
            Received::Event(event) => {
                if let EventKind::Log(kind) = &event.kind {
                    lines.push(kind.text().to_string());
                }
            }
            Received::Missed(n) => panic!("missed {n}"),
            Received::Closed => break,
        }
    }
    let file = site.dir.path().join("rules.d/10.rules").display().to_string();
    let expected = [
        format!("#1 would be denied by {file}:1 (deny name evil): asked evil"),
        format!("#2 allowed by {file}:2 (allow name good log=yes): asked good"),
    ];
    assert_eq!(lines, expected);
}

#[test]
fn modes_that_decide_nothing_run_everything() {
    for mode in [Mode::Off, Mode::Learn] {
        assert!(site("deny *", mode).runs("evil"), "{mode:?}");
    }
}

#[test]
fn a_reload_with_an_error_keeps_the_old_rules_whole() {
    let site = site("deny name one", Mode::Enforce);
    assert!(!site.runs("one") && site.runs("two"));
    let put = |text: &str| std::fs::write(site.file(), text).unwrap();
    put("deny name two\nalow name one\n");
    let Refused(faults) = site.live.reload().unwrap_err();
    assert!(faults.len() == 1 && faults[0].contains("10.rules:2:1: a rule cannot begin with `alow`"), "{faults:?}");
    assert!(!site.runs("one") && site.runs("two"), "the old rules, whole");
    put("deny name two\n");
    assert_eq!(site.live.reload(), Ok(1));
    assert!(site.runs("one") && !site.runs("two"));
}

#[test]
fn auth_6_rules_that_another_user_could_change_are_not_read() {
    let site = site("deny name one", Mode::Enforce);
    std::fs::write(site.file(), "allow *").unwrap();
    std::fs::set_permissions(site.file(), PermissionsExt::from_mode(0o666)).unwrap();
    let Refused(faults) = site.live.reload().unwrap_err();
    assert!(faults[0].contains("can be written by everyone") && faults[0].contains("(EPERM)"), "{faults:?}");
    assert!(!site.runs("one"));
}

#[test]
fn conditions_are_about_the_process_that_asks() {
    let me = std::env::current_exe().unwrap().display().to_string();
    let uid = nix::unistd::getuid();
    let text = format!(
        "deny name a uid={uid}\ndeny name b exe={me}\ndeny name c exe=/no/such\nallow name d exe={me}\ndeny name d"
    );
    let site = site(&text, Mode::Enforce);
    assert_eq!(["a", "b", "c", "d"].map(|name| site.runs(name)), [false, false, true, true]);
}

#[test]
fn a_panic_of_what_asks_the_rules_refuses() {
    let engine = Engine::builder().rules(Arc::new(|_, _| panic!("a hook of a test"))).start().unwrap();
    let record = engine.request_module("x", true);
    assert_eq!((record.outcome, record.errno, record.pid), (Outcome::Refused, Some(Errno::ECANCELED), None));
}

/// An engine under these rules, with the profiles that khelper brings and one more.
fn confining(rules: &str) -> Site {
    let site = site(rules, Mode::Enforce);
    let folder = site.dir.path().join("profiles.d");
    std::fs::create_dir(&folder).unwrap();
    std::fs::write(folder.join("shut.profile"), "execute = /usr /bin /lib -/lib64\n").unwrap();
    let profiles = profiles::hook(profiles::Folders::only(folder));
    let engine = Engine::builder().rules(site.live.hook()).profiles(profiles).start().unwrap();
    engine.write(&[KnobWrite::Modprobe(parse_modprobe(b"/bin/true").unwrap())], Origin::Library).unwrap();
    Site { engine, ..site }
}

fn output(record: &Record) -> String {
    let output = record.output.as_ref().map(|o| [&o.stdout[..], &o.stderr[..]].concat()).unwrap_or_default();
    String::from_utf8_lossy(&output).into_owned()
}

#[test]
fn the_record_and_why_name_the_profile_of_the_rule_and_an_unknown_one_stops_the_helper() {
    let site = confining("allow helper /bin/cat profile=shut\nallow name x profile=shut\nallow name y profile=none\n");
    let cat = run(&site.engine, &["/bin/cat", "/etc/passwd"]);
    assert!(output(&cat).contains("Permission denied"), "{cat:?}");
    assert_eq!((cat.profile.as_deref(), cat.result), (Some("shut"), Some(256)));
    let told = story(&cat, "now", CapMask::up_to(40));
    assert!(told.iter().any(|line| line.ends_with(", confined by profile shut.")), "{told:?}");
    assert_eq!(site.ask("x").profile.as_deref(), Some("shut"), "a module request");
    let lacks = site.ask("y");
    assert_eq!((lacks.outcome, lacks.stage, lacks.profile.as_deref()), (Outcome::Refused, Some(Stage::Enforce), None));
    assert!(
        lacks.why().unwrap().contains("names the profile `none`, which does not exist or has a fault"),
        "{lacks:?}"
    );
    assert_eq!(site.ask("z").profile, None);
}

#[test]
fn an_audit_confines_nothing() {
    let site = site("allow helper /bin/cat profile=none\n", Mode::Audit);
    let cat = run(&site.engine, &["/bin/cat", "/etc/passwd"]);
    assert_eq!((cat.result, cat.profile.as_deref()), (Some(0), None), "{cat:?}");
    assert!(cat.ruled().is_some_and(|ruled| ruled.contains("profile=none")), "{cat:?}");
}

#[test]
fn a_profile_that_cannot_be_applied_is_not_named_as_applied() {
    let site = confining("allow helper /bin/true profile=far\n");
    std::fs::write(site.dir.path().join("profiles.d/far.profile"), "read = /nonexistent\n").unwrap();
    let record = run(&site.engine, &["/bin/true"]);
    assert_eq!((record.outcome, record.profile.as_deref(), record.pid), (Outcome::Refused, None, None));
}

/// Legitimate helpers with the profiles that khelper brings: each does its work, and not more.
#[test]
fn helpers_do_their_work_with_the_profiles_that_khelper_brings() {
    if !nix::unistd::geteuid().is_root() {
        let _ = std::io::stderr().write_all(b"skipped: the profiles of root's helpers need root\n");
        return;
    }
    let rules = "allow helper /bin/sh profile=keys\nallow helper /bin/dash /bin/bash profile=cores\nallow name * profile=modprobe\n";
    let site = confining(rules);
    // As request-key: it reads the keys, and becomes the user whose key it is.
    let keys = run(
        &site.engine,
        &["/bin/sh", "-c", "cat /proc/keys > /dev/null && setpriv --reuid 65534 --regid 65534 --clear-groups id -u"],
    );
    assert_eq!((output(&keys).trim(), keys.result), ("65534", Some(0)), "{keys:?}");
    let beyond = run(&site.engine, &["/bin/sh", "-c", "echo x > /etc/khelper-test-of-profiles"]);
    assert!(beyond.result != Some(0) && output(&beyond).contains("ermission denied"), "{beyond:?}");
    // As a handler of cores: it writes below /var/log, and nowhere else.
    let shell = ["/bin/dash", "/bin/bash"].into_iter().find(|path| std::path::Path::new(path).exists()).unwrap();
    let core = format!("/var/log/khelper-test-core-{}", std::process::id());
    let write = |to: &str| run(&site.engine, &[shell, "-c", &format!("echo core > {to}")]);
    assert_eq!(write(&core).result, Some(0));
    assert_eq!(std::fs::read_to_string(&core).unwrap(), "core\n");
    std::fs::remove_file(&core).unwrap();
    let beyond = write("/tmp/khelper-test-of-profiles");
    assert!(beyond.result != Some(0) && output(&beyond).contains("ermission denied"), "{beyond:?}");
    // As modprobe: it reads its configuration, and writes no file. Where there is no modprobe, a stand-in.
    let modprobe =
        ["/sbin/modprobe", "/bin/true"].into_iter().find(|path| std::path::Path::new(path).exists()).unwrap();
    site.engine.write(&[KnobWrite::Modprobe(parse_modprobe(modprobe.as_bytes()).unwrap())], Origin::Library).unwrap();
    let loaded = site.ask("khelper-has-no-such-module");
    assert_eq!((loaded.profile.as_deref(), loaded.outcome), (Some("modprobe"), Outcome::Exited), "{loaded:?}");
    let only_modules = CapMask::only(khelper::abi::cap::Capability::SYS_MODULE);
    assert_eq!(loaded.caps.as_ref().map(|sets| (sets.permitted, sets.bounding)), Some((only_modules, only_modules)));
    for (record, profile) in [(&keys, "keys"), (&beyond, "cores")] {
        assert_eq!(record.profile.as_deref(), Some(profile));
    }
}
