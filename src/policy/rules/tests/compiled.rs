//! What the compiled rules say against what the rules say of a requester of whom nothing is known.

use proptest::prelude::*;

use super::{line, pattern, rules};
use crate::abi::compiled::{LONGEST, Subject, decide};
use crate::policy::resolution::{Config, Index, Tree, written_index};
use crate::policy::rules::{Asked, Compiled, Requester, Resolved, Rules};

fn index(keys: &[(String, String)]) -> Option<Index> {
    let keys = keys.iter().map(|(key, value)| (key.replace('-', "_").into_bytes(), 0, value.clone().into_bytes()));
    Some(Index::parse(written_index(&keys.collect())).unwrap())
}

/// Modules with their lines of modules.dep, aliases with their modules, lines of modprobe.d.
fn tree(deps: &[(String, Vec<String>)], aliases: &[(String, String)], lines: &[String]) -> Tree {
    let file = |name: &String| format!("kernel/{name}.ko");
    let lines_of_dep: Vec<(String, String)> = deps
        .iter()
        .map(|(name, needs)| {
            let needs: Vec<String> = needs.iter().map(file).collect();
            (name.clone(), format!("{}: {}", file(name), needs.join(" ")))
        })
        .collect();
    let mut config = Config::default();
    config.add(lines.join("\n").as_bytes());
    Tree { dep: index(&lines_of_dep), alias: index(aliases), config, ..Tree::default() }
}

fn is_allowed(rules: &Rules, tree: Option<&Tree>, name: &[u8]) -> bool {
    let reach = tree.and_then(|tree| tree.reach(name).ok());
    let resolved = reach.as_ref().map_or(Resolved::Unknown, Resolved::To);
    !rules.judge(&Asked::Module { name, resolved }, &Requester::default()).is_denied()
}

fn allows(compiled: &Compiled, name: &[u8]) -> bool {
    decide(&compiled.bytes, &Subject { module: Some(name), helper: b"/sbin/modprobe" }).unwrap()
}

fn runs(compiled: &Compiled, helper: &[u8]) -> bool {
    decide(&compiled.bytes, &Subject { module: None, helper }).unwrap()
}

fn name() -> impl Strategy<Value = String> {
    "[ab_]{1,3}"
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 1500, ..ProptestConfig::default() })]

    #[test]
    fn compiled_rules_never_allow_what_the_rules_deny_to_an_unknown_requester(
        lines in proptest::collection::vec(line(), 0..8),
        deps in proptest::collection::vec((name(), proptest::collection::vec(name(), 0..3)), 0..6),
        aliases in proptest::collection::vec((prop_oneof!["[ab_]{1,4}", "[ab]{0,2}\\*[ab]?", "[ab]\\[ab\\][ab]?", "a:[ab\\*]{1,3}"], name()), 0..6),
        config in proptest::collection::vec(prop_oneof![
            (prop_oneof!["[ab_]{1,3}", "[ab]\\*"], name()).prop_map(|(alias, module)| format!("alias {alias} {module}")),
            (name(), name()).prop_map(|(module, other)| format!("softdep {module} pre: {other}")),
            name().prop_map(|module| format!("install {module} /bin/false")),
        ], 0..3),
        asked in proptest::collection::vec(prop_oneof!["[ab_-]{1,4}", "a:[ab]{1,3}", "[ab\\[\\]\\*\\?]{1,4}"], 1..12),
        is_known in any::<bool>(),
    ) {
        let rules = rules(&lines.join("\n"));
        let tree = tree(&deps, &aliases, &config);
        let tree = Some(&tree).filter(|_| is_known);
        let compiled = rules.compiled(tree);
        let all = asked.iter().chain(deps.iter().map(|(name, _)| name)).chain(aliases.iter().map(|(alias, _)| alias));
        for name in all {
            let name = name.as_bytes();
            prop_assert!(is_allowed(&rules, tree, name) || !allows(&compiled, name), "{:?} {:?}", name, compiled);
            // Nothing is stricter, so it says the same.
            prop_assert!(compiled.stricter > 0 || is_allowed(&rules, tree, name) == allows(&compiled, name), "{:?} {:?}", name, compiled);
        }
        for helper in [&b"/a"[..], b"/c", b"/sbin/modprobe"] {
            let real = !rules.judge(&Asked::Helper(helper), &Requester::default()).is_denied();
            prop_assert!(real || !runs(&compiled, helper), "{:?} {:?}", helper, compiled);
        }
    }

    #[test]
    fn a_pattern_that_is_widened_matches_all_that_it_matched(text in pattern(), name in "[ab_*?-]{0,5}") {
        let glob = crate::abi::glob::Glob::of_module(&text).unwrap();
        let (wide, same) = glob.widened();
        let compiled = [&b"khrules1\x01n"[..], &[u8::try_from(wide.len()).unwrap()], &wide].concat();
        let denied = decide(&compiled, &Subject { module: Some(name.as_bytes()), helper: b"" }) == Some(false);
        prop_assert!(denied || !glob.matches(name.as_bytes()), "{} {}", text, name);
        prop_assert!(!same || denied == glob.matches(name.as_bytes()), "{} {}", text, name);
    }
}

#[test]
fn what_cannot_be_said_is_said_stricter() {
    let deps =
        [("sctp".to_owned(), vec!["crc".to_owned()]), ("crc".to_owned(), Vec::new()), ("vfat".to_owned(), Vec::new())];
    let aliases = [("net-pf-2-proto-132".to_owned(), "sctp".to_owned()), ("usb:v1d*".to_owned(), "sctp".to_owned())];
    let tree = tree(&deps, &aliases, &[]);
    let said = |text: &str, names: &[&str]| {
        let compiled = rules(text).compiled(Some(&tree));
        (names.iter().map(|name| allows(&compiled, name.as_bytes())).collect::<Vec<_>>(), compiled.stricter)
    };
    // A module by its own name, by an alias, by what it depends on.
    let names = ["sctp", "crc", "net-pf-2-proto-132", "usb:v1d3", "usb:v2", "vfat", "other"];
    assert_eq!(said("deny module sctp", &names), (vec![false, true, false, false, false, true, true], 1));
    assert_eq!(said("deny module crc", &names), (vec![false, false, false, false, false, true, true], 1));
    assert_eq!(said("deny module vfat", &names), (vec![true, true, true, true, true, false, true], 0));
    assert_eq!(said("allow module sctp\ndeny *", &names), (vec![true, false, true, false, false, false, false], 1));
    // Who asks is not known.
    assert_eq!(said("allow name vfat uid=0\ndeny name v*", &names[5..]), (vec![false, true], 1));
    assert_eq!(said("deny name vfat uid=1000", &names[5..]), (vec![false, true], 1));
    assert_eq!(
        said("deny name vfat requester=known\nallow name vfat requester=unknown\ndeny *", &names[5..]),
        (vec![true, false], 0)
    );
    assert_eq!(said("deny name v[f]at", &["vfat", "vxat", "vat"]), (vec![false, false, true], 1));
    assert_eq!(said("deny unresolved", &names[5..]), (vec![false, false], 1));
    // Without the files of modules.
    let compiled = rules("deny module sctp").compiled(None);
    assert!(!allows(&compiled, b"vfat") && runs(&compiled, b"/sbin/request-key"));
}

#[test]
fn a_helper_that_is_allowed_says_nothing_of_the_module_that_it_loads() {
    let compiled = rules("allow helper /sbin/modprobe\ndeny *").compiled(None);
    assert!(runs(&compiled, b"/sbin/modprobe") && !allows(&compiled, b"vfat"));
}

#[test]
fn rules_that_do_not_fit_deny_the_rest() {
    let allowed = (0..4000).map(|n| format!("allow name name{n}")).collect::<Vec<_>>().join("\n");
    let compiled = rules(&allowed).compiled(None);
    assert!(compiled.bytes.len() < LONGEST && allows(&compiled, b"name3999") && compiled.stricter > 0);
    let compiled = rules(&format!("{allowed}\ndeny name x")).compiled(None);
    assert!(compiled.bytes.len() < LONGEST);
    assert!(allows(&compiled, b"name0") && !allows(&compiled, b"name3999") && !allows(&compiled, b"y"));
    let long =
        format!("deny name {}\nallow name {}b\ndeny name {}*", "a".repeat(300), "b".repeat(300), "b".repeat(200));
    let compiled = rules(&long).compiled(None);
    assert!(
        !allows(&compiled, "a".repeat(300).as_bytes())
            && !allows(&compiled, format!("{}b", "b".repeat(300)).as_bytes())
    );
    assert_eq!(compiled.stricter, 2);
}
