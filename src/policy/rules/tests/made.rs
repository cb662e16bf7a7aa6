//! Rules that are made: learned ones, and those of an export.

use proptest::prelude::*;

use super::{root, rules, source};
use crate::abi::place::{Attribution, Place};
use crate::policy::resolution::{Config, Tree};
use crate::policy::rules::{Asked, Learner, Remark, Requester, Resolved, Rules, literal};

fn unit(name: &str) -> Attribution {
    Attribution { place: Place::Unit(name.as_bytes().into()), is_believed: true }
}

fn by(uid: u32, place: Option<&Attribution>) -> Requester<'_> {
    Requester { uid: Some(uid), gid: Some(uid), place, ..Requester::default() }
}

fn denies(rules: &Rules, name: &[u8], by: &Requester<'_>) -> bool {
    rules.judge(&Asked::Module { name, resolved: Resolved::Unknown }, by).is_denied()
}

#[test]
fn learned_rules_say_who_asked_how_often_and_on_how_many_days() {
    let (disks, net, getty) = (unit("udisks2.service"), unit("systemd-networkd.service"), unit("getty@tty1.service"));
    let (other, odd) = (unit("getty@tty2.service"), unit("dev-disk-by\\x2did.mount"));
    let docker = Place::Container { runtime: "docker".into(), id: b"ab"[..].into() };
    let docker = Attribution { place: docker, is_believed: true };
    let mut learner = Learner::default();
    let mut asks = |name: &str, times: u64, by: &Requester<'_>| {
        (0..times).for_each(|n| learner.add(name.as_bytes(), by, i64::try_from(n % 3).unwrap(), false));
    };
    asks("fs-vfat", 4, &by(0, Some(&disks)));
    asks("fs-vfat", 3, &by(1000, None));
    asks("fs_ntfs3", 1, &by(0, Some(&disks)));
    asks("net-pf-10", 5, &by(0, Some(&disks)));
    asks("net-pf-10", 6, &by(0, Some(&net)));
    asks("net-pf-10", 7, &by(0, Some(&getty)));
    asks("net-pf-10", 8, &by(998, Some(&odd)));
    asks("tty-ldisc-3", 2, &by(0, Some(&getty)));
    asks("tty-ldisc-3", 2, &by(0, Some(&other)));
    for name in ["nft-expr-meta", "nft-expr-ct", "nft_expr_lookup", "fs-a", "fs-b", "fs-c"] {
        asks(name, 3, &by(0, Some(&net)));
        asks(name, 3, &by(1001, None));
    }
    asks("overlay", 9, &by(0, Some(&docker)));
    asks("dccp", 9, &by(1000, None));
    asks("uid", 9, &by(0, None));
    asks("gone", 2, &Requester::default());
    asks("a b", 2, &by(0, None));
    asks("$(x)", 2, &by(0, None));
    let text = learner.text();
    let lines: Vec<&str> = text.lines().collect();
    for line in [
        "# Learned from 107 requests. Not ready: 24 of the last 107 requests were new; 10000 requests or more are needed.",
        "# 4 requests had names that are not written into rules.",
        "allow name fs-vfat unit=udisks2.service  # 4 times, on 3 days",
        "allow name fs-vfat uid>=1000  # 3 times, on 3 days",
        "allow name net-pf-10 uid=0  # 18 times, on 3 days",
        "allow name net-pf-10 unit=dev-disk-by\\\\x2did.mount  # 8 times, on 3 days",
        "allow name tty-ldisc-3 unit=getty@*.service  # 4 times, on 2 days",
        "allow name nft-expr-* unit=systemd-networkd.service  # 9 times, on 3 days",
        "allow name nft-expr-ct uid>=1000  # 3 times, on 3 days",
        "allow name fs-a unit=systemd-networkd.service  # 3 times, on 3 days",
        "allow name overlay container=*  # 9 times, on 3 days",
        "#allow name dccp uid>=1000  # 9 times, on 3 days",
        "allow name [u]id uid=0  # 9 times, on 3 days",
        "#allow name gone requester=unknown  # 2 times, on 2 days",
    ] {
        assert!(lines.contains(&line), "{line}\n{text}");
    }
    let seldom = lines.iter().position(|line| line.starts_with("# Seen once or twice")).unwrap();
    assert_eq!(lines[seldom + 1], "allow name fs_ntfs3 unit=udisks2.service  # 1 time, on 1 day");
    assert_eq!(lines.last(), Some(&"deny name *"));
    assert!(!text.contains("$(") && !text.contains("fs-*"), "{text}");
}

#[test]
fn what_was_denied_each_time_becomes_no_rule() {
    let mut learner = Learner::default();
    let mut ask = |name: &str, uid: u32, denied: bool| learner.add(name.as_bytes(), &by(uid, None), 1, denied);
    (0..9).for_each(|_| ask("sctp", 0, true));
    // A requester that was denied says nothing of another one, and what was allowed once is wanted.
    ask("sctp", 1000, false);
    for denied in [true, false, true, false] {
        ask("both-ways", 0, denied);
    }
    ["crypto-a", "crypto-b", "crypto-c"].iter().for_each(|name| (0..5).for_each(|_| ask(name, 0, true)));
    let text = learner.text();
    let made: Vec<&str> = text.lines().filter(|line| !line.starts_with('#') && !line.is_empty()).collect();
    assert_eq!(made, ["allow name both-ways uid=0  # 2 times, on 1 day", "deny name *"], "{text}");
    assert!(text.contains("#allow name sctp uid=0  # 9 times, on 1 day\n"), "{text}");
    assert!(text.contains("#allow name crypto-a uid=0") && text.contains("#allow name sctp uid>=1000"), "{text}");
}

#[test]
fn learned_rules_are_ready_after_many_requests_of_which_the_last_ones_brought_nothing_new() {
    let mut learner = Learner::default();
    let mut ask = |from: u32, to: u32, same: bool| {
        for n in from..to {
            let name = if same { "same".to_owned() } else { format!("m{n}") };
            learner.add(name.as_bytes(), &by(0, None), 1, false);
        }
        (learner.is_ready(), learner.new_of_last())
    };
    assert_eq!(ask(0, 2_000, true), (false, 0), "too few");
    assert_eq!(ask(2_000, 10_000, true), (true, 0));
    assert_eq!(ask(10_000, 10_001, false), (true, 1));
    assert_eq!(ask(10_001, 10_002, false), (false, 2));
    assert_eq!(ask(10_002, 11_000, true), (false, 2));
    assert_eq!(ask(11_000, 11_001, true), (true, 1), "the first of the two is not among the last 1,000");
}

/// A request: the name, the uid, and the unit if there is one.
type Ask = (String, u32, Option<Attribution>);

fn asked() -> impl Strategy<Value = Vec<Ask>> {
    let name = prop_oneof![3 => "(nft-expr-|fs-|xt_|uid|a)[ab]{0,2}", 1 => "[ -~]{1,6}"];
    let unit = prop_oneof![
        2 => Just(None), 3 => "[ab]\\.service".prop_map(|name| Some(unit(&name))), 1 => "[ab]@[ab]\\.service".prop_map(|name| Some(unit(&name)))
    ];
    proptest::collection::vec((name, prop_oneof![Just(0), Just(5), Just(1000)], unit), 0..60)
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 400, ..ProptestConfig::default() })]

    #[test]
    fn learned_rules_deny_nothing_of_what_they_were_learned_from_but_what_is_left_to_a_person(all in asked()) {
        let mut learner = Learner::default();
        all.iter().for_each(|(name, uid, place)| learner.add(name.as_bytes(), &by(*uid, place.as_ref()), 1, false));
        let rules = rules(&learner.text());
        for (name, uid, place) in &all {
            let same = |other: &str| other.replace('-', "_") == name.replace('-', "_");
            let systems = all.iter().any(|(other, uid, place)| same(other) && (*uid < 1000 || place.is_some()));
            let denied = literal(name.as_bytes()).is_none() || !systems;
            prop_assert_eq!(denies(&rules, name.as_bytes(), &by(*uid, place.as_ref())), denied, "{} {}", name, learner.text());
        }
    }

    /// No recorded name, whatever bytes it holds, makes a rule that matches another name, or a second line.
    #[test]
    fn a_recorded_name_makes_no_rule_that_matches_another_name(
        name in prop_oneof![proptest::collection::vec(any::<u8>(), 1..20), "[a-z*?\\[\\]!\\\\#@=\n -]{1,12}".prop_map(String::into_bytes), "(uid|log|requester|container|unit)[:=]?[a-z*]{0,3}".prop_map(String::into_bytes)],
        other in prop_oneof![proptest::collection::vec(any::<u8>(), 1..20), "[a-z*?_-]{1,12}".prop_map(String::into_bytes)],
    ) {
        let mut learner = Learner::default();
        (0..5).for_each(|_| learner.add(&name, &root(), 1, false));
        let text = learner.text();
        let rules = rules(&text);
        let folded = |name: &[u8]| name.iter().map(|b| if *b == b'-' { b'_' } else { *b }).collect::<Vec<u8>>();
        prop_assert_eq!(rules.rules().len(), 1 + usize::from(literal(&name).is_some()));
        prop_assert_eq!(denies(&rules, &name, &root()), literal(&name).is_none());
        // One letter more or less, in the middle too, and one that differs.
        let half = name.len() / 2;
        let near = [
            other, [&name[..], b"x"].concat(), name[1..].to_vec(), [b"x", &name[..]].concat(), name[..name.len() - 1].to_vec(),
            [&name[..half], b"q", &name[half..]].concat(), [&name[..half], b"~", &name[half + 1..]].concat(),
        ];
        for other in near {
            prop_assert!(folded(&other) == folded(&name) || denies(&rules, &other, &root()), "{:?} {}", other, text);
        }
    }

    /// The same for lines of modprobe.d: read as modprobe reads them, they stop this name and no other.
    #[test]
    fn a_name_makes_no_line_of_modprobe_d_about_another_name(
        name in prop_oneof!["[a-z*?\\[\\]!\\\\#@=%/é-]{1,12}", "[a-z_.:+()-]{1,9}"], module in any::<bool>(),
        other in "[a-z*?_\\\\#-]{1,12}",
    ) {
        // A name that is written into a rule by hand, every letter of it meant as it is.
        let escaped: String = name.chars().map(|c| if c.is_ascii() { format!("\\{c}") } else { c.to_string() }).collect();
        let text = format!("deny {} {escaped}", if module { "module" } else { "name" });
        let Ok(rules) = Rules::parse(&[source("f", &text)]) else { return Ok(()) };
        let exported = rules.modprobe_d();
        let mut config = Config::default();
        prop_assert!(config.add(exported.as_bytes()).is_empty(), "{}", exported);
        prop_assert!(config.aliases.is_empty() && config.softdep.is_empty() && config.options.is_empty());
        let tree = Tree { config, ..Tree::default() };
        let stops = |name: &str| !tree.lookup(name.as_bytes()).unwrap().is_empty();
        for other in [other, format!("{name}x"), format!("x{name}"), name[name.len()..].to_owned()] {
            prop_assert!(other.replace('-', "_") == name.replace('-', "_") || !stops(&other), "{} {}", other, exported);
        }
        let plain = name.chars().all(|c| c.is_ascii_lowercase() || c == '_');
        prop_assert!(!plain || stops(&name), "{}", exported);
    }
}

#[test]
fn an_export_says_what_modprobe_cannot() {
    let text = "deny module dccp nf-* [s]ctp log=yes\ndeny name net-pf-33\ndeny module x uid>=1000\ndeny helper /x\ndeny module a[b-c]\n\
                allow name y\ndeny module z";
    let exported = rules(text).modprobe_d();
    let tail: Vec<&str> = exported.lines().skip(5).filter(|line| !line.is_empty()).collect();
    assert_eq!(
        tail,
        [
            "# f:1: deny module dccp nf-* [s]ctp log=yes",
            "blacklist dccp",
            "install dccp /bin/false",
            "install nf-* /bin/false",
            "# not exported: a pattern that modprobe reads otherwise",
            "# f:2: deny name net-pf-33",
            "install net_pf_33 /bin/false",
            "# f:3: deny module x uid>=1000",
            "# not exported: modprobe does not know who asks",
            "# f:4: deny helper /x",
            "# not exported: modprobe.d knows nothing but names",
            "# f:5: deny module a[b-c]",
            "# not exported: a pattern that modprobe reads otherwise",
            "# f:7: deny module z",
            "# not exported: a rule before this one allows something, and modprobe.d has no order",
        ]
    );
}

#[test]
fn rules_that_can_never_match_are_named() {
    let never = |text: &str| {
        let rules = rules(text);
        let remarks = rules.remarks(None).unwrap();
        remarks
            .into_iter()
            .map(|remark| match remark {
                Remark::Never(number, before) => (number, before),
                other => panic!("{other:?}"),
            })
            .collect::<Vec<_>>()
    };
    assert_eq!(never("deny name a* b\nallow name ab b"), [(1, 0)]);
    assert_eq!(never("deny name a* uid=0\nallow name ab\ndeny name ab uid=0"), [(2, 0)]);
    assert_eq!(never("allow name a uid=0\ndeny name a uid=0"), [], "a requester that is not known");
    assert_eq!(never("deny module a\nallow module a\ndeny module a uid=3"), [(2, 0)]);
    assert_eq!(never("allow name *\ndeny module x\ndeny unresolved\ndeny helper /x"), [(1, 0), (2, 0)]);
    assert_eq!(never("deny * gid=5\ndeny helper /x gid=5 uid=0"), [(1, 0)]);
    assert_eq!(never("deny name ab\ndeny name a*"), []);
}
