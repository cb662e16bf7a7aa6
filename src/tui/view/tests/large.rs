//! A large screen is used: no column of it is half empty.

use std::ops::Range;
use std::sync::Arc;

use ratatui::buffer::Buffer;

use crate::abi::record::{Record, State};
use crate::abi::snapshot::{Live, Snapshot};
use crate::tui::model::Model;
use crate::tui::testing::fixtures;
use crate::tui::testing::render::{keys, keys_over, page, screen};
use crate::tui::update::update;

use crate::abi::event::Level;
use crate::tui::model::log::Line;
use crate::tui::msg::Msg;

/// How many rows of these columns are blank, of those between the header and the message.
fn blank(page: &Buffer, columns: &Range<u16>) -> usize {
    let is_blank = |y: &u16| columns.clone().all(|x| " │".contains(page[(x, *y)].symbol()));
    (3..page.area.height - 2).filter(is_blank).count()
}

/// Fails if one of these ranges of columns has more than `most` blank rows.
fn assert_used(model: &Model, ranges: &[Range<u16>], most: usize) {
    let shown = page(model);
    for columns in ranges {
        let blank = blank(&shown, columns);
        assert!(blank <= most, "{blank} rows are blank in columns {columns:?}:\n{}", screen(model));
    }
}

/// 50 helpers that run and 2,000 requests that have ended, with so many names.
fn busy(names: u64) -> (Snapshot, Vec<Record>) {
    let mut s = fixtures::busy(50);
    let name = |n: u64| format!("module-{}", n * n % 97 % names);
    for live in &mut s.running {
        live.title = name(live.id).as_bytes().into();
    }
    let open = |live: &Live| fixtures::open(live.id, &live.title, State::Running, live.pid);
    let mut records: Vec<Record> = s.running.iter().map(open).collect();
    let ended = |id: u64| fixtures::record(id, name(id).as_bytes(), [0, 256, 9, 512][(id % 7 % 4) as usize]);
    records.extend((51..=2_050).map(ended));
    s.last = records.iter().rev().take(64).cloned().map(Arc::new).collect();
    (s.totals.requests, s.totals.by_outcome[1]) = (2_050, 2_000);
    for n in 0..2_000 {
        s.totals.run_times.add(900 << (n % 7));
        s.totals.queue_times.add(80 << (n % 5));
    }
    (s, records)
}

/// A line of the log for each failure.
fn logged() -> Vec<Line> {
    let line = |id| Line::new(Level::Info, "12:03:44.017".to_owned(), Some(id), &format!("module-{id}: exit 1"));
    (51..=2_050).map(line).collect()
}

const THIRDS: [Range<u16>; 3] = [0..66, 67..133, 134..200];

/// With many names or with one.
#[test]
fn every_column_of_a_large_overview_is_used() {
    for names in [31, 5, 1] {
        let mut model = fixtures::model(busy(names).0, 200, 60);
        update(&mut model, Msg::Logged(logged()));
        assert_used(&model, &THIRDS, 18);
        insta::assert_snapshot!(format!("large_{names}_names"), screen(&model));
        model.ascii = true;
        assert!(page(&model).content().iter().all(|cell| cell.symbol().is_ascii()), "{}", screen(&model));
        model.ascii = false;
        // The cursor on a request that has ended, and on a knob.
        keys(&mut model, "→");
        assert_used(&model, &THIRDS, 18);
        keys(&mut model, "→");
        assert_used(&model, &THIRDS, 18);
    }
}

#[test]
fn a_large_activity_is_used() {
    let (s, records) = busy(31);
    let mut model = fixtures::model(s, 200, 60);
    keys_over(&mut model, &records, "3");
    assert_used(&model, &[0..119, 121..200], 14);
}

#[test]
fn every_column_of_large_masks_is_used() {
    for names in [31, 1] {
        for typed in ["2", "2 "] {
            let mut model = fixtures::model(busy(names).0, 200, 60);
            keys(&mut model, typed);
            assert_used(&model, &[0..80, 81..140, 141..200], 20);
        }
    }
}

#[test]
fn a_large_log_is_used() {
    let mut model = fixtures::model(busy(31).0, 200, 60);
    update(&mut model, Msg::Logged(logged()));
    keys(&mut model, "4");
    assert_used(&model, &[0..66, 13..120], 0);
}
