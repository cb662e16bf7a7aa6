//! What modprobe.d(5) alone makes of names; tests/modules has the indexes, beside a real modprobe.

use super::{Config, Step, Tree, lines, normalized};

fn tree(text: &str) -> Tree {
    let mut config = Config::default();
    assert_eq!(config.add(text.as_bytes()), []);
    Tree { config, ..Tree::default() }
}

fn commands(tree: &Tree, name: &str) -> Vec<String> {
    let steps = tree.plan(name.as_bytes()).unwrap();
    let command = |step| match step {
        Step::Command { command } => String::from_utf8(command).unwrap(),
        other => panic!("{other:?}"),
    };
    steps.into_iter().map(command).collect()
}

#[test]
fn an_alias_comes_before_a_line_of_the_same_name_and_a_blacklist_stops_aliases_alone() {
    let all = tree(
        "alias a-* m\nalias a_1 n\nalias b m\ninstall m echo m\ninstall n echo n\ninstall a_1 echo a\nblacklist n\nalias d n\n",
    );
    assert_eq!(commands(&all, "a-1"), ["echo m"], "two aliases, one of them blacklisted");
    assert_eq!(commands(&all, "b"), ["echo m"]);
    assert_eq!(commands(&all, "n"), ["echo n"], "it is named itself");
    assert_eq!(commands(&all, "d"), [""; 0]);
    let names = |name: &[u8]| all.lookup(name).unwrap().into_iter().map(|module| module.name).collect::<Vec<_>>();
    assert_eq!(names(b"a_1"), [b"m", b"n"]);
    assert!(names(b"x").is_empty() && names(b"a]").is_empty());
    assert_eq!(all.reach(b"d").unwrap().modules, [b"n"], "rules see what a blacklist hides");
}

#[test]
fn soft_dependencies_come_along_and_circles_of_them_end() {
    let all = tree("softdep p pre: q post: r\nsoftdep q pre: p\ninstall p echo\ninstall q echo q\ninstall r echo r\n");
    let reach = all.reach(b"p").unwrap();
    assert_eq!((reach.modules, reach.soft), (vec![b"p".to_vec()], vec![b"q".to_vec(), b"r".to_vec()]));
    assert_eq!(commands(&tree("install p echo p\nsoftdep p pre: gone\n"), "p"), ["echo p"]);
}

#[test]
fn a_hyphen_is_an_underscore_outside_of_brackets() {
    assert_eq!(normalized(b"a-[b-d]-e").as_deref(), Some(&b"a_[b-d]_e"[..]));
    assert_eq!((normalized(b"a]"), normalized(b"[a")), (None, None));
}

#[test]
fn a_backslash_joins_a_line_with_the_next_one_unless_another_one_precedes_it() {
    let all: Vec<_> = lines(b"a\\\nb\nc\\\\\nd\\\\\\\ne\n\nf\\").collect();
    let of = |number, text: &[u8]| (number, text.to_vec());
    assert_eq!(all, [of(1, b"ab"), of(3, b"c\\\\"), of(4, b"d\\\\e"), of(6, b""), of(7, b"f")]);
}
