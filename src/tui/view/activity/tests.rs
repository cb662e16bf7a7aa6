//! What the screens Activity and Log look like.

use std::sync::Arc;

use proptest::prelude::*;
use ratatui::buffer::Buffer;
use ratatui::style::{Color, Modifier};

use nix::errno::Errno;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::Stage;
use crate::abi::event::Level;
use crate::abi::place::{Attribution, Place};
use crate::abi::record::{Record, State};
use crate::abi::snapshot::{Snapshot, Totals};
use crate::control::export::{Existing, Unsaved};
use crate::tui::model::Model;
use crate::tui::model::log::Line;
use crate::tui::msg::Msg;
use crate::tui::testing::fixtures;
use crate::tui::testing::render::{keys, keys_over, page, rows, screen};
use crate::tui::text;
use crate::tui::theme::Theme;
use crate::tui::update::update;

const SIZES: [(u16, u16); 4] = [(40, 10), (80, 24), (120, 40), (200, 60)];

fn activity(state: &Snapshot, records: &[Record], at: usize, (columns, rows): (u16, u16)) -> Model {
    let mut model = fixtures::model(state.clone(), columns, rows);
    keys(&mut model, "3");
    update(&mut model, Msg::Looked(Box::new(fixtures::answer(records, at))));
    if at > 0 {
        model.activity.follow = false;
    }
    model
}

fn busy() -> (Snapshot, Vec<Record>) {
    let mut s = fixtures::busy(2);
    s.totals.requests = 7;
    s.totals.by_outcome[1] = 5;
    let records = vec![
        fixtures::open(7, b"waits", State::Waiting, None),
        fixtures::open(6, b"a-long-name-of-a-module-that-runs", State::Running, Some(5006)),
        fixtures::full(5),
        fixtures::record(4, b"ext4", 0),
        fixtures::record(3, b"killed", 9),
        fixtures::record(2, b"failed", 256),
        fixtures::record(1, b"x\x1b[31m\n", 0),
    ];
    (s, records)
}

/// Far more than fit; some records were dropped.
fn overflowing() -> (Snapshot, Vec<Record>) {
    let mut s = fixtures::overflowing();
    s.totals.requests = 12_345;
    s.totals.records_dropped = 2_295;
    let records = (1..=180).rev().map(|n| fixtures::record(12_165 + n, b"dummy", 256)).collect();
    (s, records)
}

fn refused() -> (Snapshot, Vec<Record>) {
    let mut s = fixtures::snapshot();
    s.totals.requests = 9;
    let why = "50 requests are in progress, the limit is 50; wait, or find out who asks";
    let of = |(id, (stage, errno))| fixtures::refused(id, b"dummy", stage, errno, why);
    let mut records: Vec<Record> = (1..).zip(fixtures::REFUSALS).map(of).collect();
    records.reverse();
    (s, records)
}

fn at_every_size(name: &str, (state, records): &(Snapshot, Vec<Record>), at: usize, typed: &str) {
    for size in SIZES {
        let mut model = activity(state, records, at, size);
        keys(&mut model, typed);
        // The state that the keys selected.
        for _ in 0..2 {
            update(&mut model, Msg::Looked(Box::new(fixtures::answer(records, at))));
        }
        insta::assert_snapshot!(format!("{name}_{}x{}", size.0, size.1), screen(&model));
    }
}

#[test]
fn activity_in_every_state() {
    at_every_size("activity_empty", &(fixtures::snapshot(), Vec::new()), 0, "");
    at_every_size("activity_busy", &busy(), 0, "");
    at_every_size("activity_overflowing", &overflowing(), 3, "");
    at_every_size("activity_refused", &refused(), 6, "");
}

#[test]
fn activity_filtered_and_paused() {
    at_every_size("activity_filter", &busy(), 1, "/mod");
    at_every_size("activity_paused", &busy(), 2, "o↓↓↓\nso ");
}

#[test]
fn records_and_their_dialogs() {
    at_every_size("record", &busy(), 2, "\n");
    at_every_size("record_end", &busy(), 2, "\n⇟⇟⇟⇟⇟⇟");
    at_every_size("kill", &busy(), 1, "k");
    at_every_size("repeat", &busy(), 5, "r");
    at_every_size("copy_record", &busy(), 2, "y");
    at_every_size("save", &busy(), 2, "w\t→");
}

/// Requests of several users and units, some equal, some asked for by helpers, one of another day.
fn mixed() -> (Snapshot, Vec<Record>) {
    let by = |record: Record, pid, uid, name: &[u8], place: Option<Place>| {
        let place = place.map(|place| Arc::new(Attribution { place, is_believed: true }));
        Record { actor: Actor { place, ..Actor::new(Origin::Outside, pid, uid, 0, name) }.into(), ..record }
    };
    let unit = |name: &[u8]| Some(Place::Unit(name.into()));
    let mut s = fixtures::busy(3);
    s.totals.requests = 14;
    let mut records: Vec<Record> = Vec::new();
    let open = |id| fixtures::open(id, b"nf_conntrack_ftp_of_a_long_name", State::Running, Some(5000 + id as i32));
    records.extend((1..=3).map(|id| by(open(id), 688, 0, b"firewalld", unit(b"firewalld.service"))));
    let old =
        Record { wall: std::time::UNIX_EPOCH - std::time::Duration::from_hours(72), ..fixtures::record(4, b"ext4", 0) };
    records.push(by(old, 702, 0, b"systemd-udevd", unit(b"systemd-udevd.service")));
    let docker = Some(Place::Container { runtime: "docker".into(), id: b"51f0aa8e9b1c07d2"[..].into() });
    records
        .extend((5..=8).map(|id| by(fixtures::record(id, b"net-pf-37", 256), 18044, 1000, b"iperf3", docker.clone())));
    let why = "50 requests are in progress, the limit is 50; wait, or find out who asks";
    records.extend((9..=10).map(|id| fixtures::refused(id, b"snd_seq_dummy", Stage::Limit, Errno::ENOMEM, why)));
    let asked = |id, asked_by, name: &[u8]| Record { asked_by: Some(asked_by), ..fixtures::record(id, name, 256) };
    records.extend([
        asked(11, 5, b"net-pf-37"),
        asked(12, 11, b"/usr/lib/cifs/cifs.upcall"),
        asked(13, 11, b"cifs"),
        asked(14, 11, b"cifs"),
    ]);
    records.extend((15..=19).map(|id| asked(id, id - 1, b"cifs")));
    (s, records)
}

#[test]
fn rows_of_equal_requests_at_every_size() {
    let (state, records) = mixed();
    for (name, typed) in [
        ("folded", ""),
        ("unfolded", "+"),
        ("marked", "↓↓v"),
        ("cpu", "ss"),
        ("tree", "a"),
        ("reading", "↓↓→⇟"),
        ("kill_all", "K"),
    ] {
        for size in SIZES {
            let mut model = fixtures::model(state.clone(), size.0, size.1);
            keys_over(&mut model, &records, &format!("3{typed}"));
            insta::assert_snapshot!(format!("activity_{name}_{}x{}", size.0, size.1), screen(&model));
        }
    }
}

#[test]
fn a_file_that_is_there_is_asked_about() {
    for size in SIZES {
        let (state, records) = busy();
        let mut model = activity(&state, &records, 0, size);
        keys(&mut model, "w\n");
        let existing = Existing::new(&std::fs::metadata("/dev/null").unwrap());
        let ticket = model.last_ticket();
        update(&mut model, Msg::Saved { ticket, result: Err(Unsaved::Exists(existing)) });
        insta::assert_snapshot!(format!("replace_{}x{}", size.0, size.1), screen(&model));
    }
}

fn log_lines() -> Vec<Line> {
    let line = |level, id, text: &str| Line::new(level, "12:03:44.017".to_owned(), id, text);
    let mut lines = vec![
        line(Level::Info, None, "kernel.modprobe: `/sbin/modprobe` -> `/bin/echo`, by the console"),
        line(Level::Warning, None, "khelper.gate: enabled -> disabled"),
        line(Level::Error, Some(4), "foo: ! exec failed (ENOENT): `/nowhere/with/a/long/path/to/a/program`"),
    ];
    lines.extend((5..60).map(|id| line(Level::Warning, Some(id), "dummy: ∞ refused by the limit (ENOMEM)")));
    lines.push(line(Level::Warning, None, "request_module: runaway loop modprobe dummy"));
    lines
}

#[test]
fn log_in_every_state() {
    for (name, lines, typed) in [
        ("log_empty", Vec::new(), "4"),
        ("log_busy", log_lines(), "4"),
        ("log_refused", log_lines(), "4lk"),
        ("log_filter", log_lines(), "4/gate"),
        (
            "log_overflowing",
            (0..1_200).map(|n| Line::new(Level::Info, "12:03:44.017".into(), Some(n), &format!("line {n}"))).collect(),
            "4k",
        ),
    ] {
        for (columns, rows) in SIZES {
            let mut model = fixtures::model(fixtures::snapshot(), columns, rows);
            update(&mut model, Msg::Logged(lines.clone()));
            keys(&mut model, typed);
            insta::assert_snapshot!(format!("{name}_{columns}x{rows}"), screen(&model));
        }
    }
}

#[test]
fn the_target_is_named_on_each_of_them() {
    for size in [(40, 3), (40, 10), (80, 24), (120, 40)] {
        for typed in ["", "\n", "k", "y", "w", "/x", "*x", " ", "r", "4", "4/x"] {
            let (state, records) = busy();
            let mut model = activity(&state, &records, 1, size);
            keys(&mut model, typed);
            let first = rows(&page(&model)).remove(0);
            let says = if size.0 < 80 { "pid 4121: kernel untouched" } else { "engine (pid 4121): " };
            assert!(first.starts_with("[engine]  ") && first.contains(says), "{typed}: {first}");
            assert!(first.contains("untouched"), "{typed}: {first}");
        }
    }
}

#[test]
fn endings_levels_and_the_cursor_have_styles_and_symbols() {
    let (state, records) = busy();
    let mut model = activity(&state, &records, 4, (120, 40));
    let shown = page(&model);
    let find = |shown: &Buffer, what: &str| -> (u16, u16) {
        let (y, row) = rows(shown).into_iter().enumerate().find(|(_, row)| row.contains(what)).unwrap();
        let x = text::width(row.split_once(what).unwrap().0);
        (u16::try_from(x).unwrap(), u16::try_from(y).unwrap())
    };
    assert_eq!(shown[find(&shown, "✓ exit 0")].fg, Color::Green);
    assert_eq!(shown[find(&shown, "✗ exit 1")].fg, Color::Red);
    let under = find(&shown, ">#3");
    assert!(shown[under].modifier.contains(Modifier::REVERSED));
    assert!(shown[find(&shown, "† killed by SIGKILL")].modifier.contains(Modifier::REVERSED));
    update(&mut model, Msg::Logged(log_lines()));
    keys(&mut model, "4k");
    let shown = page(&model);
    assert_eq!(shown[find(&shown, "khelper.gate")].fg, Color::Yellow);
    assert_eq!(shown[find(&shown, "#4 foo")].fg, Color::Red);
    model.theme = Theme::plain();
    for typed in ["", "3", "\n"] {
        keys(&mut model, typed);
        for cell in page(&model).content() {
            assert_eq!((cell.fg, cell.bg), (Color::Reset, Color::Reset));
        }
    }
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 96, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn every_size_is_drawn(columns in 1u16..210, rows in 1u16..65, at in 0usize..12) {
        let typed = ["", "\n", "k", "y", "w", "/x", "*x", " ", "r", "4", "4/x", "ooo"][at];
        let (state, records) = overflowing();
        let mut model = activity(&state, &records, 50, (columns, rows));
        update(&mut model, Msg::Logged(log_lines()));
        keys(&mut model, typed);
        page(&model);
    }
}

#[test]
fn records_that_the_sink_lost_are_counted_beside_the_dropped_ones() {
    let totals = Totals { requests: 30, records_dropped: 2, records_lost: 5, ..Totals::default() };
    assert_eq!(
        super::sums(&totals, 1),
        "30 requests so far, 1 still running, 2 oldest dropped, 5 lost by the record sink"
    );
    let totals = Totals { records_lost: 0, ..totals };
    assert!(!super::sums(&totals, 1).contains("sink"));
}
