mod compiled;
mod imported;
mod made;

use std::sync::Arc;

use proptest::prelude::*;

use super::*;
use crate::abi::error::Explain;
use crate::abi::glob::Globs;
use crate::abi::place::{Attribution, Place};
use crate::policy::authorize::judge_name;
use crate::policy::resolution::Reach;

fn source(path: &str, text: &str) -> Source {
    Source { path: path.into(), text: text.as_bytes().to_vec() }
}

fn rules(text: &str) -> Rules {
    Rules::parse(&[source("f", text)]).unwrap_or_else(|faults| panic!("{faults:?}"))
}

fn fault(text: &str) -> String {
    let faults = Rules::parse(&[source("f", text)]).unwrap_err();
    format!("{}; {}", faults[0], faults[0].advice())
}

fn reach(modules: &[&str], dependencies: &[&str]) -> Reach {
    let all = |names: &[&str]| names.iter().map(|name| name.as_bytes().to_vec()).collect();
    Reach { modules: all(modules), dependencies: all(dependencies), soft: Vec::new() }
}

fn root() -> Requester<'static> {
    Requester { uid: Some(0), gid: Some(0), ..Requester::default() }
}

fn said(rules: &Rules, name: &str, to: &Reach, by: &Requester<'_>) -> String {
    let asked = Asked::Module { name: name.as_bytes(), resolved: Resolved::To(to) };
    let verdict = rules.judge(&asked, by);
    assert_eq!(verdict, rules.judge_linearly(&asked, by));
    verdict.cited().map_or_else(|| "default".to_owned(), |cited| cited.of(name.as_bytes()))
}

#[test]
fn a_faulty_line_is_named_by_file_line_and_column_with_the_likely_word() {
    for (text, begins) in [
        ("\n  alow name x", "f:2:3: a rule cannot begin with `alow`; did you mean `allow`? (EINVAL); begin a rule"),
        ("deny", "f:1:1: the rule does not say what it is about (EINVAL)"),
        ("deny modul x", "f:1:6: a rule cannot be about `modul`; did you mean `module`?"),
        ("deny module", "f:1:6: `module` is followed by nothing that it could match (EINVAL); give names or patterns"),
        (
            "allow module x requestr uid=0",
            "f:1:16: `requestr` would be one more name to match; if it was meant as the attribute `requester`",
        ),
        ("allow module x uid", "f:1:16: `uid` would be one more name to match"),
        ("allow module x uid:0", "f:1:16: `uid:0` would be one more"),
        (
            "allow module Container",
            "f:1:14: `Container` would be one more name to match; if it was meant as the attribute `container`, it needs its value, as in `container=*` (EINVAL); for a module of this name write `[C]ontainer`",
        ),
        ("deny * profil", "f:1:8: `profil` would be"),
        ("deny * x", "f:1:8: `*` is about everything of its kind: `x` has no place"),
        ("deny unresolved a*", "f:1:17: `unresolved` is about everything of its kind"),
        ("deny name x uid=0 y", "f:1:19: `y` stands behind the attributes"),
        ("deny name x uidd=0", "f:1:13: no attribute is called `uidd`; did you mean `uid`?"),
        ("deny name x comm=bash", "f:1:13: no attribute is called `comm` (EINVAL); the attributes are `uid`, `gid`"),
        ("deny name x uid=-1", "f:1:17: `uid` cannot be `-1`"),
        ("deny name x uid=4294967295", "f:1:17: `uid` cannot be `4294967295`"),
        ("deny name x uid=9-3", "f:1:17: the range `9-3` ends before it begins"),
        ("deny name x uid>=3,4", "f:1:18: `3,4`: `>=` and `<=` compare with one number"),
        ("deny name x uid<3", "f:1:13: `uid` cannot be compared with `<`"),
        ("deny name x unit>=a", "f:1:13: `unit` cannot be compared with `>=`"),
        ("deny name x unit=a uid=0 unit=b", "f:1:26: `unit` is here twice"),
        ("deny name x unit=[", "f:1:18: the glob `[` has a `[` without its `]`"),
        ("deny name x unit=", "f:1:18: `unit` cannot be ``"),
        ("deny name x userns=maybe", "f:1:20: `userns` cannot be `maybe`"),
        ("deny name x requester=root", "f:1:23: `requester` cannot be `root`"),
        ("deny name x profile=p", "f:1:13: nothing runs if it is denied"),
        ("deny name [a", "f:1:11: the glob `[a` has a `[` without its `]`"),
        ("deny name @fs", "f:1:11: no line before defines `@fs`"),
        ("let @net = dccp\ndeny name @ned", "f:2:11: no line before defines `@ned`; did you mean `@net`?"),
        ("let @a = x\nlet @a = y", "f:2:5: `@a` is already defined at f:1"),
        ("let a = x", "f:1:5: this is not `let @NAME = PATTERN ...`"),
        ("let @a = uid=0", "f:1:10: "),
        ("let @a =", "f:1:5: `let` is followed by nothing"),
        ("deny helper sbin/x", "f:1:13: `sbin/x` is not the absolute path"),
        ("deny helper /sbin/*", "f:1:13: `/sbin/*` is not the absolute path of a program without wildcards"),
        ("allow *\ndeny name x", "f:2:1: no request can reach this rule: the one at f:1 is about all of them"),
        ("deny name a\x1bb", "f:1:12: not UTF-8 text, or a control character"),
    ] {
        let said = fault(text);
        assert!(said.starts_with(begins), "{text}\n  {said}\n  {begins}");
        assert!(!said.contains("expected") && !said.contains("token"), "{said}");
    }
    let two = [source("10.rules", "allow *"), source("20.rules", "deny name x\nxyz")];
    let faults = Rules::parse(&two).unwrap_err();
    assert_eq!(faults.len(), 2, "every fault is named");
    assert!(faults[0].to_string().starts_with("20.rules:1:1: no request can reach this rule: the one at 10.rules:1"));
}

#[test]
fn names_of_modules_that_look_like_short_keys_are_names() {
    for name in ["unix", "uhid", "loop", "lp", "udf", "exec", "log2", "units", "x_log"] {
        assert_eq!(rules(&format!("deny module {name}")).rules().len(), 1, "{name}");
    }
    let escaped = rules("deny module [c]ontainer # the ACPI driver");
    assert!(said(&escaped, "container", &reach(&[], &[]), &root()).starts_with("f:1 (deny module [c]ontainer): asked"));
}

#[test]
fn deny_module_holds_for_the_name_any_module_and_any_dependency() {
    let all = rules("let @bad = dccp sctp\n# a comment\ndeny module @bad rds-* log=yes # why\nallow *");
    let to = |modules: &[&str], needed: &[&str]| reach(modules, needed);
    for (name, to, because) in [
        ("sctp", to(&[], &[]), "f:3 (deny module @bad rds-* log=yes): asked sctp"),
        (
            "net-pf-2-proto-132",
            to(&["sctp"], &[]),
            "f:3 (deny module @bad rds-* log=yes): asked net-pf-2-proto-132, resolves to sctp",
        ),
        ("a", to(&["b", "rds_tcp"], &[]), "f:3 (deny module @bad rds-* log=yes): asked a, resolves to rds_tcp"),
        (
            "sctp_diag",
            to(&["sctp_diag"], &["crc", "sctp"]),
            "f:3 (deny module @bad rds-* log=yes): asked sctp_diag, depends on sctp",
        ),
        ("ext4", to(&["ext4"], &["jbd2"]), "f:4 (allow *): asked ext4"),
    ] {
        assert_eq!(said(&all, name, &to, &root()), because);
    }
}

#[test]
fn allow_module_needs_every_module_and_no_dependency() {
    let all = rules("allow module ext? crc32*\nallow name plain\ndeny unresolved\ndeny *");
    let number = |name: &str, modules: &[&str], needed: &[&str]| {
        let asked = Asked::Module { name: name.as_bytes(), resolved: Resolved::To(&reach(modules, needed)) };
        all.judge(&asked, &root()).cited().map(|cited| cited.rule.at.line)
    };
    assert_eq!(number("fs-ext4", &["ext4"], &["jbd2"]), Some(1), "dependencies come along");
    assert_eq!(number("crc32c", &["crc32_intel", "crc32_generic"], &[]), Some(1));
    assert_eq!(number("crc32c", &["crc32_intel", "other"], &[]), Some(4), "one of two does not match");
    assert_eq!(number("crc32c", &["other", "crc32_intel"], &[]), Some(4));
    assert_eq!(number("ext4", &[], &[]), Some(3), "a name is no module");
    assert_eq!(number("plain", &[], &[]), Some(2));
    let unknown = Asked::Module { name: b"ext4", resolved: Resolved::Unknown };
    let cited = all.judge(&unknown, &root());
    assert_eq!(cited.cited().map(|c| (c.rule.at.line, c.because.clone())), Some((3, Because::Unknown)));
}

#[test]
fn what_a_name_resolves_to_satisfies_a_deny_if_it_is_not_known() {
    let all = rules("allow module x\nallow name y\ndeny module z\nallow *");
    let line = |name: &[u8]| {
        let verdict = all.judge(&Asked::Module { name, resolved: Resolved::Unknown }, &root());
        (verdict.is_denied(), verdict.cited().map(|cited| cited.rule.at.line))
    };
    assert_eq!((line(b"x"), line(b"y"), line(b"q")), ((true, Some(3)), (false, Some(2)), (true, Some(3))));
}

#[test]
fn what_is_not_known_of_a_requester_satisfies_a_deny_and_never_an_allow() {
    let unit = |name: &str, is_believed| Attribution { place: Place::Unit(name.as_bytes().into()), is_believed };
    let none = |is_believed| Attribution { place: Place::None, is_believed };
    let docker = Place::Container { runtime: "docker".into(), id: b"0af"[..].into() };
    let docker = |is_believed| Attribution { place: docker.clone(), is_believed };
    let with = |condition: &str, by: &Requester<'_>| {
        let holds = |action| {
            let all = rules(&format!("{action} name x {condition}"));
            let asked = Asked::Module { name: b"x", resolved: Resolved::Unknown };
            let verdict = all.judge(&asked, by);
            assert_eq!(verdict, all.judge_linearly(&asked, by));
            verdict.cited().is_some()
        };
        match (holds("allow"), holds("deny")) {
            (true, true) => "yes",
            (false, false) => "no",
            (false, true) => "unknown",
            (true, false) => "wrong",
        }
    };
    let nobody = Requester::default();
    for condition in ["uid=0", "uid!=0", "uid>=1000", "gid<=5", "unit=*", "unit!=a", "container=*", "container!=x"] {
        assert_eq!(with(condition, &nobody), "unknown", "{condition}");
    }
    for condition in ["exe=/bin/x", "exe!=/bin/x", "userns=yes", "userns=no"] {
        assert_eq!(with(condition, &root()), "unknown", "{condition}");
    }
    assert_eq!((with("requester=unknown", &nobody), with("requester=known", &nobody)), ("yes", "no"));
    assert_eq!((with("requester=unknown", &root()), with("requester=known", &root())), ("no", "yes"));
    let user = Requester { uid: Some(1500), gid: Some(100), ..Requester::default() };
    for (condition, known) in [
        ("uid=1000-1999", "yes"),
        ("uid=0,1500", "yes"),
        ("uid!=0,1500", "no"),
        ("uid>=1500", "yes"),
        ("uid>=1501", "no"),
        ("uid<=1500", "yes"),
        ("uid<=1499", "no"),
        ("uid>=1000 uid<=1499", "no"),
        ("gid=100", "yes"),
        ("gid!=100", "no"),
        ("uid=1500 gid=1", "no"),
        ("uid=1500 unit=a", "unknown"),
        ("uid=1 unit=a", "no"),
    ] {
        assert_eq!(with(condition, &user), known, "{condition}");
    }
    let (mine, claimed, outside, hidden) =
        (unit("a-b.service", true), unit("a-b.service", false), none(true), none(false));
    let (inside, says) = (docker(true), docker(false));
    for (condition, place, known) in [
        ("unit=a-b.service", &mine, "yes"),
        ("unit=a_b.service", &mine, "no"),
        ("unit!=a-b.*", &mine, "no"),
        ("unit=x,a-?.service", &mine, "yes"),
        ("unit=a-b.service", &claimed, "unknown"),
        ("unit=c", &claimed, "no"),
        ("unit=*", &outside, "no"),
        ("unit!=*", &outside, "yes"),
        ("unit=*", &hidden, "unknown"),
        ("container=*", &outside, "no"),
        ("container=*", &hidden, "unknown"),
        ("container=*", &claimed, "unknown"),
        ("container=docker:*", &inside, "yes"),
        ("container=0a*", &inside, "yes"),
        ("container=b*", &inside, "no"),
        ("container=*", &says, "unknown"),
        ("unit=a", &inside, "no"),
        ("unit=a", &says, "unknown"),
    ] {
        let by = Requester { place: Some(place), ..user };
        assert_eq!(with(condition, &by), known, "{condition} {place}");
    }
    let by = Requester { exe: Some(b"/usr/bin/mount"), in_userns: Some(false), ..user };
    for (condition, known) in
        [("exe=/usr/*", "yes"), ("exe!=/bin/mount", "yes"), ("userns=yes", "no"), ("userns=no", "yes")]
    {
        assert_eq!(with(condition, &by), known, "{condition}");
    }
}

#[test]
fn helpers_are_matched_by_their_program_and_modules_are_no_helpers() {
    let all =
        rules("allow helper /sbin/request-key /sbin/bridge profile=keys\ndeny helper /sbin/modprobe\ndeny name *");
    let line = |path: &[u8]| all.judge(&Asked::Helper(path), &root()).cited().map(|cited| cited.rule.at.line);
    assert_eq!((line(b"/sbin/request-key"), line(b"/sbin/modprobe"), line(b"/sbin/x")), (Some(1), Some(2), None));
    assert_eq!(all.rules()[0].profile.as_deref(), Some("keys"));
    assert!(said(&all, "x", &reach(&[], &[]), &root()).starts_with("f:3"));
}

#[test]
fn a_mode_says_what_becomes_of_a_verdict() {
    let all = rules("deny name x\nallow name y");
    let verdict = |name: &[u8]| all.judge(&Asked::Module { name, resolved: Resolved::Unknown }, &root());
    let shape = |decision| match decision {
        Decision::Allow(None) => "allow",
        Decision::Allow(Some(_)) => "allow by",
        Decision::Deny(_) => "deny",
        Decision::WouldDeny(_) => "would deny",
    };
    for (name, shapes) in [
        (b"x", ["allow", "allow", "would deny", "deny"]),
        (b"y", ["allow", "allow", "allow by", "allow by"]),
        (b"z", ["allow"; 4]),
    ] {
        assert_eq!(Mode::ALL.map(|mode| shape(verdict(name).decide(mode))), shapes);
    }
    assert!(Mode::ALL.iter().all(|mode| Mode::parse(mode.name().as_bytes()) == Some(*mode)));
}

/// Words from few letters, so that rules often match.
fn pattern() -> impl Strategy<Value = String> {
    prop_oneof![
        "[ab][ab_-]{0,5}",
        "[ab_]{0,3}\\*",
        "\\*[ab_]{1,3}",
        "\\*[ab]\\*",
        "[ab]\\?[ab]{0,2}",
        "\\[ab\\][ab]{1,9}",
        "[ab]{9,12}\\*",
        "(\\*|\\?)[ab_]{1,3}(\\*|\\?)[ab_]{1,3}(\\*|\\?)",
        "\\*[ab]{1,4}\\*",
        "[ab]{0,2}\\*[ab]{1,3}\\*[ab]{0,2}",
        "\\[!a\\]\\*[ab]{0,3}"
    ]
}

fn line() -> impl Strategy<Value = String> {
    let object = prop_oneof![
        4 => (prop_oneof!["module", "name"], proptest::collection::vec(pattern(), 1..4))
            .prop_map(|(kind, patterns)| format!("{kind} {}", patterns.join(" "))),
        1 => Just("unresolved".to_owned()),
        1 => Just("* gid=7".to_owned()),
        1 => Just("helper /a /b".to_owned()),
    ];
    let condition = prop_oneof![
        3 => Just(""), 1 => Just(" uid=0"), 1 => Just(" uid>=1000"), 1 => Just(" unit=a*"), 1 => Just(" requester=known")
    ];
    (prop_oneof!["allow", "deny"], object, condition)
        .prop_map(|(action, object, more)| format!("{action} {object}{more}"))
}

fn names(most: usize) -> impl Strategy<Value = Vec<Vec<u8>>> {
    proptest::collection::vec("[ab_-]{1,12}".prop_map(String::into_bytes), 0..most)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 600, ..ProptestConfig::default() })]

    #[test]
    fn the_index_decides_as_trying_every_rule_does(
        lines in proptest::collection::vec(line(), 0..30), name in "[ab_-]{1,12}", modules in names(4), dependencies in names(4),
        uid in prop_oneof![Just(None), Just(Some(0)), Just(Some(1000))], believed in any::<bool>(), unit in "[ab]", known in any::<bool>(),
    ) {
        let all = rules(&lines.join("\n"));
        let place = Attribution { place: Place::Unit(unit.as_bytes().into()), is_believed: believed };
        let by = Requester { uid, gid: uid, place: Some(&place).filter(|_| known), ..Requester::default() };
        let reach = Reach { modules, dependencies, soft: Vec::new() };
        for asked in [
            Asked::Module { name: name.as_bytes(), resolved: Resolved::To(&reach) },
            Asked::Module { name: name.as_bytes(), resolved: Resolved::Unknown },
            Asked::Helper(b"/a"),
            Asked::Helper(b"/c"),
        ] {
            prop_assert_eq!(all.judge(&asked, &by), all.judge_linearly(&asked, &by), "{:?} {}", asked, lines.join("\n"));
            if all.is_same_for_all(&asked) {
                prop_assert_eq!(all.judge(&asked, &by), all.judge(&asked, &Requester::default()));
            }
        }
    }

    #[test]
    fn any_text_is_read_or_refused(text in proptest::collection::vec(any::<u8>(), 0..200), words in "(allow|deny|let|module|name|helper|unresolved|uid=|unit=|@a|[ =*#@!<>\\[\\]\n0-9a-z,/-]){0,40}") {
        for text in [text, words.into_bytes()] {
            let lines = text.iter().filter(|b| **b == b'\n').count() + 1;
            match Rules::parse(&[Source { path: Arc::from("f"), text }]) {
                Ok(all) => prop_assert!(all.rules().len() <= lines),
                Err(faults) => prop_assert!(faults.iter().all(|fault| fault.column > 0 && !fault.whole().is_empty())),
            }
        }
    }

    #[test]
    fn req_2_the_lists_are_rules(allow in proptest::collection::vec(pattern(), 0..3), deny in proptest::collection::vec(pattern(), 0..3), name in "[ab_-]{1,6}") {
        let list = |globs: Vec<String>| Globs::parse(globs.join(" ").as_bytes()).unwrap();
        let (allow, deny) = (list(allow), list(deny));
        let verdict = Rules::of_lists(&allow, &deny).judge(&Asked::Module { name: name.as_bytes(), resolved: Resolved::Unknown }, &root());
        prop_assert_eq!(verdict.is_denied(), judge_name(&allow, &deny, name.as_bytes()).is_err());
    }
}
