//! The screen Rules in each of its states.

use super::SIZES;
use crate::abi::rules_mode::{Mode, ModeFor, RulesState};
use crate::control::rules::{Asking, Denied, RuleUse, RulesView};
use crate::control::{Change, Command, Key, KnobValue, Reply};
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Msg};
use crate::tui::testing::fixtures;
use crate::tui::testing::render::{cursor, keys, keys_over, page, row, screen};
use crate::tui::update::update;

/// The same day in every time zone.
const NOON: i64 = 43_200_000_000;

fn asking(comm: &str, pid: i32, uid: Option<u32>) -> Asking {
    let place = if uid == Some(1000) { "session-4.scope" } else { "" };
    Asking { at: NOON, pid, uid, comm: comm.into(), place: place.into() }
}

fn rule(line: u32, text: &str, times: u64, last: Option<Asking>) -> RuleUse {
    let file = "/etc/khelper.d/rules.d/10-server.rules".into();
    RuleUse { file, line, text: text.into(), denies: text.starts_with("deny"), never_after: None, times, last }
}

pub fn view(mode: Mode) -> RulesView {
    let enforced = mode == Mode::Enforce;
    let denied = |rule, asked: &str, because: &str, times, last| Denied {
        rule,
        enforced,
        asked: asked.into(),
        because: because.into(),
        times,
        last,
    };
    let nc = || asking("nc", 18031, Some(1000));
    RulesView {
        mode,
        since: NOON - 1,
        judged: 2_431,
        unmatched: 1,
        denied: if enforced { 33 } else { 0 },
        would_deny: if enforced { 0 } else { 33 },
        rules: vec![
            rule(2, "allow module nf_* xt_* ip*_tables", 1_204, Some(asking("firewalld", 700, Some(0)))),
            rule(3, "allow module vfat exfat unit=udisks2.service", 31, Some(asking("udisksd", 812, Some(0)))),
            rule(4, "deny module dccp sctp rds tipc can* log=yes", 9, Some(nc())),
            RuleUse { never_after: Some(2), ..rule(5, "deny module sctp", 0, None) },
            rule(6, "deny module * uid>=1000", 24, Some(asking("", 0, None))),
            rule(7, "allow *", 1_115, Some(asking("systemd-udevd", 412, Some(0)))),
        ],
        more: 0,
        lately: vec![
            denied(4, "net-pf-37", "", 14, asking("", 0, None)),
            denied(2, "net-pf-2-proto-33", "resolves to dccp_ipv4", 6, nc()),
        ],
    }
}

fn model(answer: Result<RulesView, String>, columns: u16, rows: u16) -> Model {
    let wall = std::time::UNIX_EPOCH + std::time::Duration::from_hours(12);
    let snapshot = crate::abi::snapshot::Snapshot { wall, ..fixtures::snapshot() };
    let mut model = fixtures::model(snapshot, columns, rows);
    keys(&mut model, "5");
    update(&mut model, Msg::Rules(answer));
    model
}

#[test]
fn rules_in_every_state() {
    for (columns, rows) in SIZES {
        let show = |name: &str, answer, typed| {
            let mut model = model(answer, columns, rows);
            keys(&mut model, typed);
            insta::assert_snapshot!(format!("rules_{name}_{columns}x{rows}"), screen(&model));
        };
        show("audit", Ok(view(Mode::Audit)), "↓↓");
        show("enforce_denied", Ok(view(Mode::Enforce)), "⇲");
        show("off", Ok(RulesView::default()), "");
        show("learn", Ok(RulesView { mode: Mode::Learn, ..RulesView::default() }), "");
        show("none", Err(crate::control::rules::text::NONE.to_owned()), "");
    }
}

pub(super) fn tried(mode: Mode, seconds: Option<u32>, columns: u16, rows: u16) -> Model {
    let mut model = model(Ok(view(mode)), columns, rows);
    let mode = ModeFor { mode, seconds };
    let then = if seconds.is_some() { Mode::Audit } else { mode.mode };
    model.snapshot.rules =
        Some(RulesState { mode, then, rules: 6, allowed: 2_398, denied: 0, would_deny: 33, late: 0 });
    model
}

fn order(effects: &[Effect]) -> Option<(u64, ModeFor)> {
    effects.iter().find_map(|effect| match effect {
        Effect::Submit { ticket, command: Command::Write(writes) } => match &writes[..] {
            [(Key::RulesMode, KnobValue::Rules(mode))] => Some((*ticket, *mode)),
            _ => None,
        },
        _ => None,
    })
}

#[test]
fn the_mode_is_switched_off_at_once_and_enforced_after_a_confirmation() {
    for (columns, rows) in SIZES {
        let mut asked = tried(Mode::Audit, None, columns, rows);
        keys(&mut asked, "s");
        insta::assert_snapshot!(format!("rules_mode_{columns}x{rows}"), screen(&asked));
        assert!(order(&keys_over(&mut asked, &[], "e\n")).is_none(), "it is confirmed first");
        insta::assert_snapshot!(format!("rules_enforce_{columns}x{rows}"), screen(&asked));
        let (ticket, mode) = order(&keys_over(&mut asked, &[], "\n")).unwrap();
        assert_eq!(mode, ModeFor { mode: Mode::Enforce, seconds: Some(600) });
        let written = Change::new(Key::RulesMode, ModeFor::from(Mode::Audit), mode);
        update(&mut asked, Msg::Replied { ticket, reply: Ok(Reply::Written(vec![written])) });
        assert!(asked.dialogs.is_empty() && asked.rules_trial() == Some(600));
        // `U` takes it back.
        let mode = order(&keys_over(&mut asked, &[], "U\n")).map(|(_, mode)| mode);
        assert_eq!(mode, Some(Mode::Audit.into()), "{}", screen(&asked));
    }
    let mut off = tried(Mode::Enforce, None, 80, 24);
    assert_eq!(order(&keys_over(&mut off, &[], "so\n")).map(|(_, mode)| mode), Some(Mode::Off.into()));
    let mut none = model(Err(crate::control::rules::text::NONE.to_owned()), 80, 24);
    assert!(order(&keys_over(&mut none, &[], "s\n")).is_none() && none.dialogs.is_empty());
}

#[test]
fn a_trial_counts_down_and_one_key_and_enter_confirm_it() {
    for (columns, rows) in SIZES {
        let mut model = tried(Mode::Enforce, Some(600), columns, rows);
        assert!(model.needs_tick());
        let at = model.snapshot.now;
        update(&mut model, Msg::Tick(at + 48_500_000));
        insta::assert_snapshot!(format!("rules_trial_{columns}x{rows}"), screen(&model));
        assert!(screen(&model).contains("9m 12s, then audit"), "{}", screen(&model));
        update(&mut model, Msg::Rules(Ok(view(Mode::Enforce))));
        let effects = update(&mut model, Msg::Tick(at + 601_000_000));
        assert!(effects.iter().any(|effect| matches!(effect, Effect::ReadRules)), "its end is asked for");
        assert_eq!(order(&keys_over(&mut model, &[], "s\n")).map(|(_, mode)| mode), Some(Mode::Enforce.into()));
        keys(&mut model, "1");
        assert!(!model.needs_tick(), "no other screen shows it");
    }
}

#[test]
fn what_is_outside_of_the_list_is_counted() {
    let many = || {
        let rules = (1..=60).map(|line| rule(line, "allow module vfat", 1, None)).collect();
        Ok(RulesView { rules, ..view(Mode::Audit) })
    };
    for (columns, rows) in SIZES {
        let mut model = model(many(), columns, rows);
        for (typed, denied) in [("⇱", true), ("⇲", false)] {
            keys(&mut model, typed);
            let text = screen(&model);
            let seen = text.lines().filter(|line| line.starts_with(" ✓ ")).count();
            assert!(text.contains(&format!("hidden: {} rules", 60 - seen)), "{text}");
            assert_eq!(text.contains(", 2 requests"), denied, "{text}");
        }
    }
    let text = screen(&model(Ok(view(Mode::Audit)), 80, 24));
    assert!(!text.contains("hidden"), "{text}");
}

#[test]
fn the_cursor_walks_over_rules_and_denials_and_stays_with_its_own() {
    for (columns, rows) in SIZES {
        let mut model = model(Ok(view(Mode::Audit)), columns, rows);
        let here = |model: &Model| row(&page(model), cursor(model).unwrap().y);
        assert!(here(&model).contains(":2 "), "{}", here(&model));
        keys(&mut model, "↓↓");
        assert!(here(&model).contains(":4 ") && here(&model).contains("deny"), "{}", here(&model));
        keys(&mut model, "⇲");
        assert!(here(&model).contains("net-pf-2"), "{}", here(&model));
        // Another denial comes above it.
        let mut newer = view(Mode::Audit);
        newer.lately.insert(0, Denied { asked: "new".into(), ..newer.lately[0].clone() });
        update(&mut model, Msg::Rules(Ok(newer)));
        assert!(here(&model).contains("net-pf-2"), "{}", here(&model));
        keys(&mut model, "⇱");
        assert!(here(&model).contains(":2 "), "{}", here(&model));
        // Fewer rules are there than the cursor knew.
        keys(&mut model, "⇲");
        update(&mut model, Msg::Rules(Ok(RulesView { rules: view(Mode::Audit).rules, ..RulesView::default() })));
        assert!(here(&model).contains(":7 "), "{}", here(&model));
    }
}

#[test]
fn enter_shows_the_requests_of_a_rule_or_of_a_denial() {
    for (typed, filter) in [("↓↓\n", "rule:10-server.rules:4"), ("⇲\n", "rule:10-server.rules:4 net-pf-2-proto-33")]
    {
        let mut model = model(Ok(view(Mode::Audit)), 120, 40);
        keys(&mut model, typed);
        assert_eq!(String::from_utf8_lossy(model.activity.words.bytes()), filter);
        assert!(screen(&model).contains("[3 Activity]"));
        assert_eq!(model.activity.query().words[0], "10-server.rules:4 (");
    }
}

#[test]
fn the_rules_are_read_when_the_screen_is_shown_and_after_each_change_once_at_a_time() {
    let mut model = fixtures::model(fixtures::snapshot(), 80, 24);
    let reads = |effects: Vec<Effect>| effects.iter().filter(|effect| matches!(effect, Effect::ReadRules)).count();
    let next = |model: &mut Model, seq| {
        let snapshot = crate::abi::snapshot::Snapshot { seq, ..fixtures::snapshot() };
        update(model, Msg::Snapshot(Box::new(snapshot)))
    };
    assert_eq!(reads(next(&mut model, 5)), 0, "another screen");
    keys(&mut model, "5");
    assert!(model.rules.reads());
    assert_eq!(reads(next(&mut model, 6)), 0, "one is being read");
    assert_eq!(reads(update(&mut model, Msg::Rules(Ok(view(Mode::Audit))))), 1, "the state has changed since");
    assert_eq!(reads(update(&mut model, Msg::Rules(Ok(view(Mode::Audit))))), 0);
    assert_eq!(reads(next(&mut model, 6)), 0, "nothing has changed");
    keys(&mut model, "15");
    assert!(model.rules.reads(), "it is read again when the screen is shown again");
}
