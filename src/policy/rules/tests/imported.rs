//! Rules that are made of lines of modprobe.d(5), and of lists of names.

use proptest::prelude::*;

use super::{reach, root, rules, source};
use crate::abi::fnmatch::fnmatch;
use crate::abi::glob::fold;
use crate::policy::rules::{Asked, Import, Resolved, import};

fn imported(text: &str) -> Import {
    import(&[source("f", text)])
}

/// The lines behind the head, without empty ones.
fn tail(text: &str) -> Vec<&str> {
    text.lines().skip(3).filter(|line| !line.is_empty()).collect()
}

#[test]
fn lines_of_modprobe_d_and_names_become_rules_and_the_rest_is_named() {
    let text = "# CIS\n\nblacklist floppy\ninstall dccp /bin/false\ninstall s-ctp /usr/bin/true # no\nblacklist s_ctp\n\
                alias net-pf-31 off\nrds\r\n tipc # why\nblacklist a\\\nb\ninstall nf?* /bin/true\nuid\n\
                install cdrom /usr/bin/disabled\ninstall x /bin/false; echo\noptions snd index=0\nsoftdep a pre: b\n\
                alias net-pf-9 x25\nblacklist\ninstall y\ntwo words\nblacklist [ab]c\na\\*b\ninstall z /bin/true || true\n\
                install [ab]c /bin/false\n";
    let made = imported(text);
    assert_eq!(
        tail(&made.text),
        [
            "deny module floppy  # blacklist",
            "deny module dccp",
            "deny module s-ctp",
            "deny name net-pf-31",
            "deny module rds",
            "deny module tipc",
            "deny module ab  # blacklist",
            "deny module nf?*",
            "deny module [u]id",
            "# not imported: f:14: `install cdrom /usr/bin/disabled`: it runs another program in place of the module",
            "# not imported: f:15: `install x /bin/false; echo`: it runs another program in place of the module",
            "# not imported: f:16: `options snd index=0`: it does not say who may ask",
            "# not imported: f:17: `softdep a pre: b`: it does not say who may ask",
            "# not imported: f:18: `alias net-pf-9 x25`: an alias allows and denies nothing",
            "# not imported: f:19: `blacklist`: it lacks its name or what follows",
            "# not imported: f:20: `install y`: it lacks its name or what follows",
            "# not imported: f:21: `two words`: it is neither a line of modprobe.d nor one name",
            "# not imported: f:22: `blacklist [ab]c`: a blacklist has no patterns, and no module is called so",
            "# not imported: f:23: `a\\\\*b`: rules read this name otherwise",
            "# not imported: f:24: `install z /bin/true || true`: it runs another program in place of the module",
            "# not imported: f:25: `install [ab]c /bin/false`: rules read this name otherwise",
        ]
    );
    assert_eq!((made.rules, made.left_out, rules(&made.text).rules().len()), (9, 12, 9));
}

#[test]
fn what_several_files_say_is_one_rule_and_each_line_that_is_left_out_has_its_file() {
    let made =
        import(&[source("a.conf", "blacklist a-b\nx y"), source("b.conf", "blacklist c\ninstall a_b /bin/true\nz w")]);
    assert_eq!(tail(&made.text)[..2], ["deny module a-b", "deny module c  # blacklist"]);
    assert!(made.text.contains("imported: a.conf:2: `x y`") && made.text.contains("imported: b.conf:3: `z w`"));
    assert_eq!(tail(&imported("").text), [""; 0]);
}

#[test]
fn a_blacklist_of_a_pattern_denies_nothing() {
    for line in ["blacklist *", "blacklist usb*", "blacklist a?b"] {
        assert_eq!((imported(line).rules, imported(line).left_out), (0, 1), "{line}");
    }
    assert_eq!(imported("install usb* /bin/false").rules, 1, "modprobe reads this one as a pattern");
}

#[test]
fn what_was_exported_comes_back_by_an_import() {
    let text = "deny module dccp\ndeny module nf-*\ndeny module \\uid\ndeny module net-pf-33\n";
    let exported = rules(text).modprobe_d();
    let back: Vec<String> = rules(&imported(&exported).text).rules().iter().map(|rule| rule.text.to_string()).collect();
    assert_eq!(back, ["deny module dccp", "deny module nf-*", "deny module [u]id", "deny module net_pf_33"]);
    let lost = imported(&rules("deny module x uid=0\nallow name y\ndeny name z").modprobe_d());
    assert_eq!((lost.rules, lost.left_out), (0, 0), "what was not exported does not come back");
}

/// The words that a line gives as a name, as modprobe or a list would have them.
fn named(text: &str) -> Vec<Vec<u8>> {
    let folded = |word: &str| word.bytes().map(fold).collect();
    text.split([' ', '\t', '\n', '\r']).map(folded).collect()
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 500, ..ProptestConfig::default() })]

    /// Whatever a file says, no rule matches a name that no word of it matches, and every rule can be read.
    #[test]
    fn an_import_makes_no_rule_about_another_name(
        lines in proptest::collection::vec(("(blacklist |install |alias |options |)", "[a-cé*?\\[\\]!#@=\\\\,\t_-]{1,6}", "( /bin/false| /bin/true| off| x| #x|\r|\\\\|)"), 0..8),
        names in proptest::collection::vec("[a-c_]{1,6}", 20), noise in proptest::collection::vec(any::<u8>(), 0..100),
    ) {
        let text: String = lines.iter().map(|(verb, name, end)| format!("{verb}{name}{end}\n")).collect();
        let made = rules(&imported(&text).text);
        // A backslash before a newline joins two words.
        let words = [named(&text), named(&text.replace("\\\n", ""))].concat();
        let none = reach(&[], &[]);
        for name in names.iter().map(String::as_bytes).chain(words.iter().map(Vec::as_slice)) {
            let asked = Asked::Module { name, resolved: Resolved::To(&none) };
            let is_named = || words.iter().any(|word| fnmatch(word, name, |byte| byte) || *word == name);
            prop_assert!(!made.judge(&asked, &root()).is_denied() || is_named(), "{:?}\n{}", name, text);
        }
        let noise = import(&[crate::policy::rules::Source { path: "f".into(), text: noise }]);
        prop_assert_eq!(rules(&noise.text).rules().len(), noise.rules);
    }

    /// Rules that modprobe.d can say mean the same after an export and an import.
    #[test]
    fn what_modprobe_d_can_say_survives_an_export_and_an_import(patterns in proptest::collection::vec("[ab]{1,3}|[ab]{0,2}[*?][ab_-]{0,2}", 1..6), names in proptest::collection::vec("[ab_]{1,5}", 12)) {
        let before = rules(&patterns.iter().map(|pattern| format!("deny module {pattern}\n")).collect::<String>());
        let after = rules(&imported(&before.modprobe_d()).text);
        let to = reach(&[&names[0]], &[&names[1]]);
        for name in &names {
            let asked = Asked::Module { name: name.as_bytes(), resolved: Resolved::To(&to) };
            prop_assert_eq!(before.judge(&asked, &root()).is_denied(), after.judge(&asked, &root()).is_denied(), "{}", name);
        }
    }
}
