//! The reader beside a plain model of it, on hostile bytes, and with segments that several processes wrote.

mod kept;

use std::fs;
use std::ops::ControlFlow;
use std::path::Path;
use std::sync::Arc;

use proptest::prelude::*;

use crate::abi::actor::Actor;
use crate::abi::depth::Depth;
use crate::abi::event::{Event, EventKind};
use crate::abi::glob::Globs;
use crate::abi::record::{Args, Kind, Outcome, Record};
use crate::abi::sink::{Changed, RecordSink};
use crate::control::testing as fixtures;
use crate::ledger::line::tests::{head, started};
use crate::ledger::line::{Item, KeepOutput, Line, VERSION, Wall, encode, time};
use crate::ledger::rotate::Limits;
use crate::ledger::tests::{Fixture, lines, segments};
use crate::ledger::writer::{Ledger, Options};

use super::filter::Filter;
use super::resume::Position;
use super::{Counts, Reader};

/// Every line that matches, and the counts.
pub(in crate::ledger) fn read(path: &Path, filter: &Filter) -> (Vec<Line>, Counts) {
    let mut all = Vec::new();
    let counts = Reader::open(path).unwrap().scan(filter, &mut |found, counts| {
        all.extend(found.read(counts));
        ControlFlow::Continue(())
    });
    assert_eq!(counts.matched, all.len() as u64);
    (all, counts)
}

/// Every line that matches, read in pages of at most `most` lines, each by a reader of its own.
fn pages(path: &Path, filter: &Filter, most: usize) -> Vec<Line> {
    let (mut all, mut from) = (Vec::new(), None);
    loop {
        let mut page = 0;
        let (_, next) = Reader::open(path).unwrap().scan_from(filter, from.as_ref(), &mut |found, counts| {
            all.extend(found.read(counts));
            page += 1;
            if page == most { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        });
        from = next.map(|next| Position::parse(&next.text()).unwrap());
        if from.is_none() {
            return all;
        }
    }
}

/// What the filter means, in plain words.
fn model(filter: &Filter, line: &Line) -> bool {
    let times = filter.since.is_none_or(|since| line.wall >= since) && filter.until.is_none_or(|u| line.wall < u);
    let record = match &line.item {
        Item::Ended(record) => record,
        Item::Started(h) if filter.starts || filter.outcome == Some(Outcome::Running) => &h.record,
        Item::Open(h) if filter.starts => &h.record,
        Item::StillRunning(h) if filter.outcome.is_none() => &h.record,
        Item::Changed(event) => {
            let EventKind::GateChanged { actor, .. } = &event.kind else { return false };
            let plain = filter.outcome.is_none() && filter.module.is_empty() && filter.id.is_none();
            let plain = plain && filter.pid.is_none() && filter.name.is_none() && filter.unit.is_none();
            return times && plain && filter.uid.is_none_or(|uid| actor.uid == uid);
        }
        _ => return false,
    };
    let program = record.path.rsplit(|b| *b == b'/').next();
    times
        && filter.outcome.is_none_or(|outcome| record.outcome == outcome)
        && filter.uid.is_none_or(|uid| record.actor.uid == uid)
        && filter.id.is_none_or(|id| record.id == id)
        && filter.pid.is_none_or(|pid| record.pid == Some(pid) || record.actor.pid == pid)
        && filter.unit.is_none()
        && (filter.module.is_empty() || record.module.as_deref().is_some_and(|m| filter.module.find(m).is_some()))
        && filter
            .name
            .as_deref()
            .is_none_or(|name| record.module.as_deref() == Some(name) || &*record.path == name || program == Some(name))
}

fn record(id: u64) -> impl Strategy<Value = Record> {
    let module =
        proptest::sample::select(vec![&b"nf_conntrack"[..], b"usb-storage", b"dccp", b"dccp2", b"a\"b\\c\xff"]);
    let actor = proptest::sample::select(&[(1000, 21_000), (0, 21_001), (100, 5), (0, 1000)][..]);
    let raw = proptest::sample::select(&[0, 0, 256, 9][..]);
    (module, actor, raw, any::<bool>(), any::<bool>()).prop_map(move |(module, (uid, pid), raw, helper, own)| {
        let mut r = Record { wall: time(head().wall), ..fixtures::record(id, module, raw) };
        if !own {
            r.actor = Arc::new(Actor::new(crate::abi::actor::Origin::Outside, pid, uid, uid, b"x"));
        }
        if helper {
            (r.kind, r.module, r.path) = (Kind::Helper, None, [b"/bin/", module].concat().into());
            r.args = Args::List([Box::from(&*r.path), Box::from(&b"nf_conntrack"[..])].into());
        }
        if raw == 256 && id.is_multiple_of(2) {
            r = Record {
                module: r.module.clone(),
                ..fixtures::refused(id, module, crate::abi::error::Stage::Limit, nix::errno::Errno::ENOMEM, "why")
            };
        }
        r
    })
}

fn filter() -> impl Strategy<Value = Filter> {
    let wall = || proptest::option::of((0..30i64).prop_map(|s| head().wall + s * 300_000));
    let outcomes = [Outcome::Exited, Outcome::Killed, Outcome::Refused, Outcome::Running, Outcome::Lost];
    let outcome = proptest::option::of(proptest::sample::select(outcomes.to_vec()));
    let globs = proptest::sample::select(&["", "", "nf_*", "dccp", "*storage", "usb_storage", "d?cp [a-z]*", "*"][..]);
    let uid = proptest::option::of(proptest::sample::select(&[0u32, 1, 7, 100, 1000][..]));
    let (id, pid) = (
        proptest::option::weighted(0.1, 1..30u64),
        proptest::option::weighted(0.1, proptest::sample::select(&[1000, 5000, 21_000][..])),
    );
    let names = [&b"dccp"[..], b"/bin/dccp", b"a\"b\\c\xff", b"x", b"", b"modprobe", b"/sbin/modprobe"];
    let name = proptest::option::weighted(0.1, proptest::sample::select(names.map(<[u8]>::to_vec).to_vec()));
    (wall(), wall(), outcome, globs, uid, id, pid, (name, any::<bool>())).prop_map(
        |(since, until, outcome, globs, uid, id, pid, (name, starts))| Filter {
            module: Globs::parse(globs.as_bytes()).unwrap(),
            unit: None,
            target: None,
            since,
            until,
            outcome,
            uid,
            id,
            pid,
            name,
            starts,
        },
    )
}

/// Steps of the clock, mostly forward, and records for one of three ledgers.
fn story() -> impl Strategy<Value = Vec<(usize, i64, Record, bool)>> {
    let step = prop_oneof![8 => 0..500_000i64, 1 => -900_000..0i64, 1 => -4_000_000..-1_000_000i64];
    let records = (1..25u64).map(|id| (0..3usize, step.clone(), record(id), any::<bool>()).boxed());
    records.collect::<Vec<_>>()
}

fn write(fixture: &Fixture, ledgers: &[Arc<Ledger>], story: &[(usize, i64, Record, bool)]) {
    let mut wall = fixture.head.wall;
    for (at, step, record, change) in story {
        wall += step;
        fixture.clocks.set(wall);
        ledgers[*at].started(&Arc::new(started(record)));
        ledgers[*at].finished(&Arc::new(record.clone()));
        if *change {
            let actor = record.actor.clone();
            let kind = EventKind::GateChanged { from: Depth::Enabled, to: Depth::Freezing, actor };
            ledgers[*at].changed(&Changed { wall: time(wall), event: Event { seq: record.id, at: 1, kind } });
        }
    }
}

fn keys(lines: &[Line]) -> Vec<String> {
    let mut keys: Vec<_> =
        lines.iter().map(|line| format!("{:?}", (line.wall, line.run, line.n, &line.item))).collect();
    keys.sort();
    keys
}

/// A quarter of the usual number of cases (PROPTEST_CASES): each one makes files and flushes them to the disk.
fn fewer() -> ProptestConfig {
    let usual = ProptestConfig::default();
    ProptestConfig { cases: (usual.cases / 4).max(1), ..usual }
}

proptest! {
    #![proptest_config(fewer())]

    #[test]
    fn a_query_gives_what_reading_everything_gives(story in story(), filters in proptest::collection::vec(filter(), 1..4), most in 1..9usize) {
        let fixture = Fixture::new();
        let all = Limits { segment_bytes: 2_000, ..Limits::ALL };
        let ledgers: Vec<_> = (0..3).map(|at| {
            fixture.clocks.set(fixture.head.wall + at);
            fixture.open(Options { all, ..fixture.options() })
        }).collect();
        write(&fixture, &ledgers, &story);
        // One is closed, two are still being written.
        ledgers[0].close();
        let every: Vec<Line> = segments(&fixture.path()).iter().flat_map(|path| lines(path)).collect();
        for filter in &filters {
            let (found, counts) = read(&fixture.path(), filter);
            let expected: Vec<Line> = every.iter().filter(|line| model(filter, line)).cloned().collect();
            prop_assert_eq!(keys(&found), keys(&expected), "{:?}", filter);
            prop_assert_eq!((counts.newer, counts.unreadable), (0, 0));
            let paged = pages(&fixture.path(), filter, most);
            let place = |line: &Line| (line.run, line.n);
            prop_assert_eq!(paged.iter().map(place).collect::<Vec<_>>(), found.iter().map(place).collect::<Vec<_>>());
        }
    }

    #[test]
    fn lines_are_merged_by_time(story in story()) {
        let fixture = Fixture::new();
        let ledgers: Vec<_> = (0..3).map(|at| {
            fixture.clocks.set(fixture.head.wall + at);
            fixture.open(fixture.options())
        }).collect();
        let forward: Vec<_> = story.into_iter().map(|(at, step, r, change)| (at, step.abs(), r, change)).collect();
        write(&fixture, &ledgers, &forward);
        let (found, _) = read(&fixture.path(), &Filter { starts: true, ..Filter::default() });
        prop_assert!(found.is_sorted_by_key(|line| line.wall));
        prop_assert_eq!(found.len(), forward.len() * 2 + forward.iter().filter(|(.., change)| *change).count());
    }

    /// Whatever stands between whole lines, every whole line is found, and nothing panics.
    #[test]
    fn hostile_bytes_never_hide_a_line_nor_panic(
        garbage in proptest::collection::vec(prop_oneof![
            proptest::collection::vec(any::<u8>(), 0..200),
            "[{}\\[\\]\",:vtn0-9e]{0,60}".prop_map(String::into_bytes),
            (0..300usize).prop_map(|len| vec![b'{'; len]),
            Just(b"{\"v\":1,\"t\":9223372036854775807,\"n\":1,\"id\":1".to_vec()),
            Just(b"{\"v\":1,\"t\":-9223372036854775808,\"n\":1,\"event\":\"end\",\"next_id\":1,\"open\":0}".to_vec()),
        ], 1..8),
        filter in filter(),
        first in any::<bool>(),
    ) {
        let fixture = Fixture::new();
        let ledger = fixture.open(fixture.options());
        fixture.one(&ledger, 1, 0);
        ledger.close();
        let path = segments(&fixture.path()).remove(0);
        let text = fs::read(&path).unwrap();
        let whole: Vec<&[u8]> = text.split_inclusive(|b| *b == b'\n').collect();
        let mut hostile = if first { whole[0].to_vec() } else { Vec::new() };
        for (at, garbage) in garbage.iter().enumerate() {
            hostile.extend(garbage.iter().filter(|b| **b != b'\n'));
            hostile.push(b'\n');
            hostile.extend(whole[1 + at % 2]);
        }
        hostile.extend(garbage.concat());
        fs::write(&path, &hostile).unwrap();
        let _ = read(&fixture.path(), &filter);
        let (found, _) = read(&fixture.path(), &Filter { id: Some(1), starts: true, ..Filter::default() });
        let ours = found.iter().filter(|line| line.n == 1 || line.n == 2).count();
        prop_assert!(ours >= if first { garbage.len() } else { 0 }, "{} of {}", ours, garbage.len());
        // The next start repairs what it can, and goes on.
        let next = fixture.open(fixture.options());
        fixture.one(&next, 99, 9);
        prop_assert_eq!(next.stats().lost, 0);
        next.close();
        let (found, _) = read(&fixture.path(), &Filter { id: Some(99), ..Filter::default() });
        prop_assert_eq!(found.iter().filter(|line| line.run == next.run()).count(), 1);
    }
}

#[test]
fn the_last_lines_of_a_large_segment_are_found_by_bisection() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    for id in 0..3_000 {
        fixture.clocks.set(fixture.head.wall + i64::try_from(id).unwrap() * 1_000_000);
        fixture.one(&ledger, id, 0);
    }
    for (since, count) in [(0, 3_000), (1, 2_999), (1_500, 1_500), (2_999, 1), (3_000, 0), (9_000, 0)] {
        let since = fixture.head.wall + since * 1_000_000;
        let filter = Filter { since: Some(since), ..Filter::default() };
        assert_eq!(read(&fixture.path(), &filter).0.len(), count, "{since}");
        let until = Filter { until: Some(since), ..Filter::default() };
        assert_eq!(read(&fixture.path(), &until).0.len(), 3_000 - count, "{since}");
    }
}

#[test]
fn a_line_that_is_too_long_is_counted_once_and_the_next_one_is_read() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    fixture.one(&ledger, 1, 0);
    ledger.close();
    let path = segments(&fixture.path()).remove(0);
    for length in [60_000, 70_000, 300_000, 1_000_000] {
        let text = fs::read(&path).unwrap();
        let first = text.iter().position(|b| *b == b'\n').unwrap() + 1;
        let long = [&text[..first], &vec![b'x'; length], b"\n", &text[first..]].concat();
        let other = Fixture::new();
        fs::create_dir(other.path()).unwrap();
        fs::set_permissions(other.path(), std::os::unix::fs::PermissionsExt::from_mode(0o700)).unwrap();
        fs::write(other.path().join(path.file_name().unwrap()), long).unwrap();
        for filter in [Filter::default(), Filter { starts: true, ..Filter::default() }] {
            let (found, counts) = read(&other.path(), &filter);
            assert_eq!((found.len(), counts.unreadable), (1 + usize::from(filter.starts), 1), "{length}");
        }
    }
}

#[test]
fn newer_lines_and_segments_are_passed_over_and_counted() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    fixture.one(&ledger, 1, 0);
    ledger.close();
    let path = segments(&fixture.path()).remove(0);
    let newer = format!("{{\"v\":{},\"t\":5,\"n\":1,\"event\":\"new\"}}\ntorn\n", VERSION + 1);
    fs::write(&path, [fs::read(&path).unwrap(), newer.clone().into_bytes()].concat()).unwrap();
    fs::write(fixture.path().join("0000000000000005-7.jsonl"), newer).unwrap();
    fs::write(fixture.path().join("0000000000000006-7.jsonl"), "").unwrap();
    fs::write(fixture.path().join("notes.txt"), "no segment").unwrap();
    let (found, counts) = read(&fixture.path(), &Filter::default());
    assert_eq!((found.len(), counts.newer, counts.unreadable), (1, 2, 1));
}

#[test]
fn failures_that_outlive_the_other_series_are_read_and_the_others_only_once() {
    let fixture = Fixture::new();
    let all = Limits { segment_bytes: 600, bytes: 3_000, ..Limits::ALL };
    let ledger = fixture.open(Options { all, ..fixture.options() });
    for id in 1..=40 {
        fixture.clocks.set(fixture.head.wall + i64::try_from(id).unwrap() * 1_000);
        fixture.one(&ledger, id, if id % 4 == 0 { 9 } else { 0 });
    }
    let (found, _) = read(&fixture.path(), &Filter { outcome: Some(Outcome::Killed), ..Filter::default() });
    let ids: Vec<u64> = found.iter().map(|l| if let Item::Ended(r) = &l.item { r.id } else { 0 }).collect();
    assert_eq!(ids, [4, 8, 12, 16, 20, 24, 28, 32, 36, 40]);
    let (found, _) = read(&fixture.path(), &Filter { outcome: Some(Outcome::Exited), ..Filter::default() });
    assert!(found.len() < 20, "the older ones were removed: {}", found.len());
}

#[test]
fn what_cannot_be_a_segment_is_passed_over() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    fixture.one(&ledger, 1, 0);
    nix::unistd::mkfifo(&fixture.path().join("0000000000000007-7.jsonl"), nix::sys::stat::Mode::S_IRWXU).unwrap();
    let target = fixture.dir.path().join("other");
    fs::write(&target, encode(&head(), (1, 1, None), &Item::Segment(Box::new(head())), KeepOutput::None)).unwrap();
    std::os::unix::fs::symlink(&target, fixture.path().join("0000000000000008-7.jsonl")).unwrap();
    let before = fs::read(&target).unwrap();
    assert_eq!(read(&fixture.path(), &Filter::default()).0.len(), 1);
    drop(fixture.open(fixture.options()));
    assert_eq!(fs::read(&target).unwrap(), before, "no link is followed");
}

/// Of a modprobe that the kernel started, the module is not known if its command line could not be read.
#[test]
fn a_name_finds_modprobe_also_where_the_module_or_its_usual_arguments_are_missing() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    let plain = Record { wall: time(fixture.head.wall), ..fixtures::record(1, b"dccp", 0) };
    let nameless = Record { id: 2, module: None, ..plain.clone() };
    let arguments = Args::List([Box::from(&b"/bin/other"[..]), Box::from(&b"dccp"[..])].into());
    let unusual = Record { id: 3, args: arguments.clone(), ..plain.clone() };
    let helper = Record {
        id: 4,
        kind: Kind::Helper,
        module: None,
        path: b"/bin/other"[..].into(),
        args: arguments,
        ..plain.clone()
    };
    [plain, nameless, unusual, helper].into_iter().for_each(|record| ledger.finished(&Arc::new(record)));
    let ids = |name: &[u8]| {
        let (found, _) = read(&fixture.path(), &Filter { name: Some(name.to_vec()), ..Filter::default() });
        found.iter().map(|line| if let Item::Ended(r) = &line.item { r.id } else { 0 }).collect::<Vec<_>>()
    };
    assert_eq!(ids(b"modprobe"), [1, 2, 3]);
    assert_eq!(ids(b"/sbin/modprobe"), [1, 2, 3]);
    assert_eq!(ids(b"dccp"), [1, 3]);
    assert_eq!(ids(b"other"), [4]);
}

#[test]
fn a_reader_stops_when_it_is_told_to() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    (1..=5).for_each(|id| fixture.one(&ledger, id, 0));
    let mut seen = 0;
    let counts = Reader::open(&fixture.path()).unwrap().scan(&Filter::default(), &mut |_, _| {
        seen += 1;
        if seen == 2 { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
    });
    assert_eq!((seen, counts.matched), (2, 2));
    assert!(Reader::open(&fixture.dir.path().join("none")).is_err());
    let wall: Wall = fixture.head.wall;
    assert!(wall > 0);
}

/// Lines are searched in pieces. A line that matches may lie across the end of one.
#[test]
fn a_match_at_the_end_of_a_piece_is_found() {
    let piece = super::cursor::PIECE;
    let write = |pad: usize, killed: Option<u64>| {
        let fixture = Fixture::new();
        let ledger = fixture.open(fixture.options());
        for id in 1..=1500 {
            // The first lines are longer, so that the end of the piece lies at every place of a line.
            let more = pad.saturating_sub(50 * (usize::try_from(id).unwrap() - 1)).min(50);
            let name = [&b"dccp"[..], &vec![b'a'; more]].concat();
            let raw = if killed == Some(id) { 9 } else { 0 };
            let record = Record { wall: time(fixture.head.wall), ..fixtures::record(id, &name, raw) };
            ledger.finished(&Arc::new(record));
        }
        ledger.close();
        fixture
    };
    for pad in (0..250).step_by(10) {
        // The line across the end of the first piece. Its beginning does not depend on how its helper ended.
        let plain = write(pad, None);
        let text = fs::read(&segments(&plain.path())[0]).unwrap();
        assert!(text.len() > piece + 2000, "{}", text.len());
        // The first line is the segment's, and is read before.
        let begin = 1 + text.iter().position(|b| *b == b'\n').unwrap();
        let at = 1 + text[..begin + piece].iter().rposition(|b| *b == b'\n').unwrap();
        let line = String::from_utf8_lossy(&text[at..at + 200]).into_owned();
        let id = line.split("\"id\":").nth(1).unwrap().split(',').next().unwrap().parse().unwrap();
        let filter = Filter { outcome: Some(Outcome::Killed), ..Filter::default() };
        let (found, counts) = read(&write(pad, Some(id)).path(), &filter);
        assert_eq!((found.len(), counts.unreadable), (1, 0), "{pad}: request {id}");
    }
}
