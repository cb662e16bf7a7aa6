//! Completion of module names in the dialog Module and on the command line.

use super::*;
use crate::control::modules::{Candidate, Found, NameKind};
use crate::control::target::TargetKind;
use crate::tui::testing::render::{cursor, screen};

/// The searches among the effects.
fn searches(effects: &[Effect]) -> Vec<Vec<u8>> {
    let of = |effect: &Effect| match effect {
        Effect::FindModules(typed) => Some(typed.clone()),
        _ => None,
    };
    effects.iter().filter_map(of).collect()
}

fn found(m: &mut Model, typed: &str, names: &[&str]) -> Vec<Effect> {
    let one = |name: &&str| Candidate { name: name.as_bytes().to_vec(), kind: NameKind::Loadable };
    let found = Found { typed: typed.into(), candidates: names.iter().map(one).collect(), ..Found::default() };
    update(m, Msg::Modules(Box::new(found)))
}

fn name(m: &Model) -> &str {
    std::str::from_utf8(m.module.name.bytes()).unwrap()
}

#[test]
fn tab_takes_the_chosen_name_and_enter_asks_for_what_is_typed() {
    let mut m = model();
    key(&mut m, KeyCode::Char('m'));
    assert_eq!(searches(&key(&mut m, KeyCode::Char('n'))), [b"n"]);
    // One search at a time: the next one begins with the answer.
    assert!(searches(&key(&mut m, KeyCode::Char('f'))).is_empty());
    assert_eq!(searches(&found(&mut m, "n", &["nbd", "nf_core", "nf_nat"])), [b"nf"]);
    // Until it comes, the names of the shorter text are narrowed.
    assert!(screen(&m).contains("> nf_core") && !screen(&m).contains("nbd"), "{}", screen(&m));
    let line = || screen(&m).lines().position(|line| line.contains("> name ")).unwrap();
    assert_eq!(usize::from(cursor(&m).unwrap().y), line(), "the cursor stays in the field");
    found(&mut m, "nf", &["nf_core", "nf_nat"]);
    ctrl(&mut m, 'n');
    assert!(screen(&m).contains("> nf_nat"), "{}", screen(&m));
    for _ in 0..2 {
        ctrl(&mut m, 'p');
    }
    assert!(screen(&m).contains("> nf_nat"), "{}", screen(&m));
    assert_eq!(searches(&key(&mut m, KeyCode::Tab)), [b"nf_nat"]);
    assert_eq!((name(&m), m.module.focus), ("nf_nat", 0));
    // There is nothing to complete: the key goes to the next field, and down always does.
    found(&mut m, "nf_nat", &["nf_nat", "nf_nat_ftp"]);
    key(&mut m, KeyCode::Tab);
    assert_eq!((name(&m), m.module.focus), ("nf_nat", 1));
    let mut m = model();
    type_in(&mut m, "mnf");
    found(&mut m, "n", &["nf_core"]);
    key(&mut m, KeyCode::Down);
    assert_eq!((name(&m), m.module.focus), ("nf", 1));
    let effects = commands(key(&mut m, KeyCode::Enter));
    assert!(matches!(&effects[0].1, Command::RequestModule { name, .. } if name == b"nf"), "{effects:?}");
    assert!(m.modules.found.is_none(), "nothing is kept for a dialog that is closed");
}

/// A prefilled name lists nothing: the first key replaces it.
#[test]
fn a_selected_name_offers_nothing_but_says_what_it_stands_for() {
    let mut m = model();
    press(&mut m, "mdccp⎋");
    m.dialogs.clear();
    assert_eq!(searches(&key(&mut m, KeyCode::Char('m'))).len(), 0, "the answer to the first search is awaited");
    assert_eq!(searches(&found(&mut m, "d", &["dccp"])), [m.module.name.bytes()]);
    let stands_for = vec![Candidate { name: b"dccp".to_vec(), kind: NameKind::Loaded }];
    let typed = m.module.name.bytes().to_vec();
    update(&mut m, Msg::Modules(Box::new(Found { typed, stands_for, ..Found::default() })));
    assert!(screen(&m).contains("stands for dccp, loaded"), "{}", screen(&m));
    assert!(!screen(&m).contains("tab takes"));
}

#[test]
fn files_that_cannot_be_read_are_said_and_hostile_names_are_escaped() {
    let mut m = model();
    type_in(&mut m, "mx");
    let evil = Candidate { name: b"x\x1b[2J".to_vec(), kind: NameKind::Alias(b"\x9bm"[..].into()) };
    let trouble = Some("/lib/modules/6.6/modules.dep: No such file or directory (ENOENT)".to_owned());
    let answer = Found { typed: b"x".to_vec(), candidates: vec![evil], trouble: trouble.clone(), ..Found::default() };
    update(&mut m, Msg::Modules(Box::new(answer)));
    let shown = screen(&m);
    assert!(shown.contains("x\\x1b[2J") && shown.contains("alias of \\x9bm") && !shown.contains('\x1b'), "{shown}");
    assert!(shown.contains("not all were read"), "{shown}");
    let none = Found { typed: b"x".to_vec(), trouble, ..Found::default() };
    update(&mut m, Msg::Modules(Box::new(none)));
    assert!(screen(&m).contains("no completion: /lib/modules/6.6/modules.dep"), "{}", screen(&m));
}

/// What this machine has says nothing about another one.
#[test]
fn the_modules_of_another_machine_are_not_those_of_this_one() {
    let mut m = model();
    m.link.info.kind = TargetKind::Daemon;
    m.link.info.name = "ssh://op@web1".into();
    assert!(searches(&key(&mut m, KeyCode::Char('m'))).is_empty());
    type_in(&mut m, "nf");
    assert!(m.modules.found.is_none() && !m.modules.asked);
    let shown = screen(&m);
    assert!(shown.contains("no completion: the modules of web1 are not known here"), "{shown}");
    assert!(!shown.contains("stands for"), "{shown}");
    m.dialogs.clear();
    type_in(&mut m, ":request nf");
    assert!(searches(&key(&mut m, KeyCode::Tab)).is_empty());
}

#[test]
fn a_name_on_the_command_line_is_completed_once_the_names_are_known() {
    let mut m = model();
    type_in(&mut m, ":request --parallel 2 nf");
    assert_eq!(searches(&key(&mut m, KeyCode::Tab)), [b"nf"]);
    assert_eq!(m.line.typed.bytes(), b"request --parallel 2 nf");
    found(&mut m, "nf", &["nf_core", "nf_conntrack"]);
    assert_eq!(m.line.typed.bytes(), b"request --parallel 2 nf_co");
    assert_eq!(m.line.candidates, ["nf_core", "nf_conntrack"]);
    // What was typed meanwhile is not changed.
    assert_eq!(searches(&key(&mut m, KeyCode::Tab)), [b"nf_co"]);
    type_in(&mut m, "x");
    found(&mut m, "nf_co", &["nf_core", "nf_conntrack"]);
    assert_eq!(m.line.typed.bytes(), b"request --parallel 2 nf_cox");
    // Words that are no modules need no search.
    type_in(&mut m, " --");
    assert!(searches(&key(&mut m, KeyCode::Tab)).is_empty());
}

#[test]
fn a_profile_on_the_command_line_is_completed_once_the_names_are_known() {
    let mut m = model();
    let reads = |effects: &[Effect]| effects.iter().filter(|effect| matches!(effect, Effect::FindProfiles)).count();
    let names = || ["cores", "keys", "modprobe"].map(str::to_owned).to_vec();
    type_in(&mut m, ":run --profile k");
    assert_eq!(reads(&key(&mut m, KeyCode::Tab)), 1);
    assert_eq!(reads(&key(&mut m, KeyCode::Tab)), 0, "one answer is awaited");
    update(&mut m, Msg::Profiles(names()));
    assert_eq!(m.line.typed.bytes(), b"run --profile keys ");
    // They are known now, to this line.
    ctrl(&mut m, 'u');
    type_in(&mut m, "run --profile ");
    assert_eq!(reads(&key(&mut m, KeyCode::Tab)), 0);
    assert_eq!(m.line.candidates, names());
    key(&mut m, KeyCode::Esc);
    type_in(&mut m, ":run --profile m");
    assert_eq!(reads(&key(&mut m, KeyCode::Tab)), 1);
    type_in(&mut m, "x");
    update(&mut m, Msg::Profiles(names()));
    assert_eq!(m.line.typed.bytes(), b"run --profile mx", "what was typed meanwhile is not changed");
}
