//! The screen Rules in each of its states.

use super::SIZES;
use crate::control::rules::{Asking, Denied, RuleUse, RulesView};
use crate::policy::rules::Mode;
use crate::tui::model::Model;
use crate::tui::msg::{Effect, Msg};
use crate::tui::testing::fixtures;
use crate::tui::testing::render::{cursor, keys, page, row, screen};
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
