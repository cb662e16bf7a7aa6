//! Queries over ledgers of which a part has been removed.

use std::fs;
use std::path::PathBuf;

use crate::abi::sink::RecordSink;
use crate::ledger::rotate::Limits;
use crate::ledger::tests::{Fixture, lines, names, segments};
use crate::ledger::writer::Options;

use super::{Filter, read};

/// The segment of a series that has this line.
fn with(folder: &std::path::Path, name: &str) -> PathBuf {
    segments(folder).into_iter().find(|path| names(&lines(path)).iter().any(|n| n == name)).unwrap()
}

#[test]
fn a_helper_is_found_that_runs_longer_than_the_segment_of_its_start_is_kept() {
    let fixture = Fixture::new();
    let all = Limits { segment_bytes: 1, ..Limits::ALL };
    let ledger = fixture.open(Options { all, ..fixture.options() });
    ledger.started(&std::sync::Arc::new(crate::ledger::line::tests::started(&fixture.record(1, 0))));
    fixture.clocks.set(fixture.head.wall + 1_000);
    fixture.one(&ledger, 2, 0);
    fs::remove_file(with(&fixture.path(), "started 1")).unwrap();
    let wanted = |id, starts| Filter { id: Some(id), starts, ..Filter::default() };
    let of = |filter| names(&read(&fixture.path(), &filter).0);
    assert!(!of(wanted(1, true)).is_empty() && of(wanted(1, true)).iter().all(|name| name == "open 1"));
    assert!(of(wanted(1, false)).is_empty(), "log shows starts only");
    let by_name = Filter { name: Some(b"nf_conntrack".to_vec()), starts: true, ..Filter::default() };
    assert!(of(by_name).contains(&"open 1".to_owned()));
}

#[test]
fn a_failure_is_shown_once_whichever_segment_of_the_other_series_is_gone() {
    // The numbers grow while the clock goes back, so the segment with the later numbers has the earlier name.
    let fixture = Fixture::new();
    let all = Limits { segment_bytes: 1, ..Limits::ALL };
    let ledger = fixture.open(Options { all, ..fixture.options() });
    for (id, at) in [(1, 0), (2, -60_000_000), (3, -120_000_000), (4, 60_000_000)] {
        fixture.clocks.set(fixture.head.wall + at);
        ledger.finished(&fixture.record(id, 9));
    }
    ledger.close();
    let kills = || {
        let mut found = names(&read(&fixture.path(), &Filter::default()).0);
        found.sort();
        found
    };
    let expected = ["ended 1 killed", "ended 2 killed", "ended 3 killed", "ended 4 killed"];
    assert_eq!(kills(), expected);
    for gone in ["ended 3 killed", "ended 1 killed", "ended 4 killed", "ended 2 killed"] {
        fs::remove_file(with(&fixture.path(), gone)).unwrap();
        assert_eq!(kills(), expected, "{gone} is in the failures alone");
    }
}
