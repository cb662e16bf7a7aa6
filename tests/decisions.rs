//! Rules in force in a real engine: what they deny does not run, and the record cites the rule.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "common/mod.rs"]
mod common;

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
