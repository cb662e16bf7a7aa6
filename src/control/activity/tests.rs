use std::sync::Arc;

use super::history::History;
use super::outcomes::{Outcomes, Which};
use super::page::{Anchor, Apart, Fold, IdRange, Moment, PageRequest, RecordPage};
use super::query::{Query, Sort};
use super::reader::Reader;
use crate::abi::actor::{ChainLink, Comm, Origin};
use crate::abi::record::{Record, State};
use crate::abi::snapshot::Live;
use crate::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use crate::abi::wait::{WaitMode, WaitStatus};
use crate::control::testing;
use crate::engine::{Engine, KnobWrite};
use crate::sys::fake::{FOREVER, FakeHost, Script};

/// An engine on a scripted host; modprobe is off, so that module requests end immediately.
fn engine() -> (Arc<FakeHost>, Engine) {
    let host = FakeHost::new();
    host.script("/bin/true", Script { stdout: b"said\n".to_vec(), ..Script::default() });
    host.script("/bin/false", Script { status: Some(WaitStatus::exited(1)), ..Script::default() });
    host.script("/bin/forever", Script { runs: FOREVER, ..Script::default() });
    let engine = Engine::builder().host(host.clone()).start().unwrap();
    engine.write(&[KnobWrite::Modprobe([].into())], Origin::Library).unwrap();
    (host, engine)
}

fn run(engine: &Engine, path: &str, wait: WaitMode) -> u64 {
    let info = SubprocessInfo::setup(Some(path.into()), [path], HELPER_ENV).unwrap();
    engine.call_usermodehelper(info, wait).id
}

fn question(query: &Query, anchor: Anchor, around: usize) -> PageRequest {
    PageRequest { query: query.clone(), still: false, folded: false, tree: false, apart: Vec::new(), anchor, around }
}

fn ids(answer: &RecordPage) -> Vec<u64> {
    answer.rows.iter().map(|row| row.id).collect()
}

#[test]
fn the_newest_come_first_in_a_window_around_the_cursor() {
    let (_, engine) = engine();
    for n in 0..40 {
        engine.request_module(format!("m{n}"), true);
    }
    let mut reader = Reader::new(engine.clone());
    let first = reader.answer(&question(&Query::default(), Anchor::First, 3));
    assert_eq!((ids(&first), first.first, first.at), (vec![40, 39, 38, 37], 0, Some(0)));
    assert_eq!((first.matched, first.looked, first.newest), (40, 40, 40));
    assert_eq!(first.detail.unwrap().record.id, 40);
    // New records appear above: the cursor stays on its request.
    engine.request_module("new", true);
    let near = |by| Anchor::Near { id: 20, index: 0, by };
    let there = reader.answer(&question(&Query::default(), near(0), 2));
    assert_eq!((ids(&there), there.first, there.at), (vec![22, 21, 20, 19, 18], 19, Some(21)));
    assert_eq!(reader.answer(&question(&Query::default(), near(isize::MAX), 2)).at, Some(40));
    assert_eq!(reader.answer(&question(&Query::default(), near(isize::MIN), 2)).at, Some(0));
    let last = reader.answer(&question(&Query::default(), Anchor::Last, 2));
    assert_eq!((ids(&last), last.detail.unwrap().record.id), (vec![3, 2, 1], 1));
    // The record does not exist: the cursor stays at its index.
    let missing = Anchor::Near { id: 999, index: 5, by: 1 };
    assert_eq!(reader.answer(&question(&Query::default(), missing, 1)).at, Some(6));
}

#[test]
fn queries_are_kept_up_with_as_records_end() {
    let (_, engine) = engine();
    for n in 0..10 {
        engine.request_module(if n % 2 == 0 { "even" } else { "odd" }, true);
        run(&engine, if n % 2 == 0 { "/bin/true" } else { "/bin/false" }, WaitMode::PROC);
    }
    let mut reader = Reader::new(engine.clone());
    let odd = Query { words: vec!["odd".into()], ..Query::default() };
    let mut look = |query: &Query| reader.answer(&question(query, Anchor::First, 100));
    assert_eq!((look(&odd).matched, look(&odd).looked), (5, 20));
    engine.request_module("odder", true);
    engine.request_module("even", true);
    assert_eq!((look(&odd).matched, look(&odd).looked), (6, 22));
    let failed = Query { which: Outcomes::failures(), ..Query::default() };
    assert_eq!(look(&failed).matched, 5);
    let oldest = Query { reverse: true, ..failed };
    assert_eq!(ids(&look(&oldest)), [4, 8, 12, 16, 20]);
    let named = Query { which: Outcomes::from(vec![Which::Noop]), sort: Sort::Name, ..Query::default() };
    let titles: Vec<String> = look(&named)
        .rows
        .iter()
        .map(|row| String::from_utf8_lossy(row.record.as_ref().unwrap().title()).into())
        .collect();
    assert!(titles.is_sorted() && titles.len() == 12, "{titles:?}");
    let nothing = look(&Query { words: vec!["nowhere".into()], ..Query::default() });
    assert_eq!((nothing.matched, nothing.at, nothing.looked), (0, None, 22));
}

#[test]
fn the_classes_of_what_the_rest_of_the_query_selects_are_counted() {
    let (_, engine) = engine();
    for n in 0..6 {
        engine.request_module(if n % 2 == 0 { "even" } else { "odd" }, true);
        run(&engine, if n % 3 == 0 { "/bin/true" } else { "/bin/false" }, WaitMode::PROC);
    }
    let forever = run(&engine, "/bin/forever", WaitMode::EXEC);
    let mut reader = Reader::new(engine.clone());
    let mut look = |query: &Query| reader.answer(&question(query, Anchor::First, 100));
    let of = |page: &RecordPage| [Which::Noop, Which::Fine, Which::Exited, Which::Open].map(|w| page.tally.of(w));
    let failed = Query { which: Outcomes::failures(), ..Query::default() };
    let page = look(&failed);
    assert_eq!((page.matched, of(&page)), (4, [6, 2, 4, 1]));
    let page = look(&Query { words: vec!["odd".into()], ..failed.clone() });
    assert_eq!((page.matched, of(&page)), (0, [3, 0, 0, 0]));
    let page = look(&failed);
    engine.request_module("odd", true);
    engine.kill(forever, libc::SIGKILL).unwrap();
    while engine.record(forever).unwrap().state != State::Ended {
        std::thread::yield_now();
    }
    assert_eq!((of(&page), of(&look(&failed))), ([6, 2, 4, 1], [7, 2, 4, 0]));
    assert_eq!(look(&failed).tally.of(Which::Killed), 1);
    // Letters in their order, and whether a record has the word as it stands.
    let letters = |word: &str| Query { words: vec![word.into()], scattered: true, ..Query::default() };
    let (some, all) = (look(&letters("evn")), look(&letters("even")));
    assert_eq!((some.matched, some.exact, all.matched, all.exact), (3, false, 3, true));
}

#[test]
fn a_live_request_is_listed_once_and_stays_when_it_ends() {
    let (host, engine) = engine();
    let id = run(&engine, "/bin/forever", WaitMode::EXEC);
    run(&engine, "/bin/true", WaitMode::PROC);
    let mut reader = Reader::new(engine.clone());
    let open = Query { which: Outcomes::from(vec![Which::Open]), ..Query::default() };
    let answer = reader.answer(&question(&open, Anchor::First, 5));
    assert_eq!((ids(&answer), answer.looked), (vec![id], 2));
    let open_one = answer.rows[0].record.as_ref().unwrap();
    assert_eq!((open_one.state, open_one.pid.is_some()), (State::Running, true));
    let all = reader.answer(&question(&Query::default(), Anchor::First, 5));
    assert_eq!(ids(&all), [2, 1]);
    engine.kill(id, libc::SIGKILL).unwrap();
    host.wait_for("its end", |now| now.running == 0);
    while engine.record(id).unwrap().state != State::Ended {
        std::thread::yield_now();
    }
    let all = reader.answer(&question(&Query::default(), Anchor::First, 5));
    assert_eq!((ids(&all), all.looked), (vec![2, 1], 2));
    assert_eq!(reader.answer(&question(&open, Anchor::First, 5)).matched, 0);
}

#[test]
fn a_paused_reader_shows_nothing_newer_even_with_another_query() {
    let (_, engine) = engine();
    (0..5).for_each(|_| drop(engine.request_module("old", true)));
    let mut reader = Reader::new(engine.clone());
    reader.answer(&question(&Query::default(), Anchor::First, 5));
    (0..5).for_each(|_| drop(engine.request_module("new", true)));
    let still = |query: Query| PageRequest {
        query,
        still: true,
        folded: false,
        apart: Vec::new(),
        tree: false,
        anchor: Anchor::First,
        around: 20,
    };
    assert_eq!(ids(&reader.answer(&still(Query::default()))), [5, 4, 3, 2, 1]);
    let other = Query { reverse: true, ..Query::default() };
    assert_eq!(ids(&reader.answer(&still(other.clone()))), [1, 2, 3, 4, 5]);
    assert_eq!(reader.answer(&PageRequest { still: false, ..still(other) }).matched, 10);
}

#[test]
fn ten_thousand_records_are_read_in_pieces_and_not_kept() {
    let (_, engine) = engine();
    let mut reader = Reader::new(engine.clone());
    for n in 0..10_300 {
        engine.request_module(if n == 10_299 { "newest" } else { "dummy" }, true);
        if n == 5_000 {
            reader.answer(&question(&Query::default(), Anchor::First, 5));
        }
    }
    let answer = reader.answer(&question(&Query::default(), Anchor::Last, 5));
    assert_eq!((answer.matched, answer.looked, answer.rows.last().unwrap().id), (10_000, 10_000, 301));
    assert_eq!(answer.tally.of(Which::Noop), 10_000, "what was dropped is not counted");
    drop(answer);
    let newest = engine.records(1).remove(0);
    let name = newest.module.as_ref().unwrap();
    assert_eq!(&**name, b"newest");
    // The record under the cursor was dropped meanwhile.
    engine.request_module("dummy", true);
    let holders = Arc::strong_count(name);
    let still = PageRequest { still: true, ..question(&Query::default(), Anchor::Last, 1) };
    let answer = reader.answer(&still);
    assert!(answer.rows[1].id == 301 && answer.rows[1].record.is_none());
    assert!(answer.detail.is_none());
    drop((answer, reader));
    assert_eq!(Arc::strong_count(name), holders, "neither the reader nor its answers had kept the record");
}

/// Records that no engine holds any more, as a ledger has them: the oldest 300 are gone.
struct Ledger(Vec<Arc<Record>>);

impl History for Ledger {
    fn record(&self, id: u64) -> Option<Arc<Record>> {
        self.0.iter().find(|record| record.id == id).cloned()
    }
    fn ended_from(&self, from: u64, most: usize) -> (u64, Vec<Arc<Record>>) {
        let first = from.max(300);
        let at = usize::try_from(first - 300).unwrap();
        (first, self.0.iter().skip(at).take(most).cloned().collect())
    }
    fn live_after(&self, _: u64, _: usize) -> Vec<(Live, Arc<Record>)> {
        Vec::new()
    }
    fn chain(&self, pid: i32) -> Vec<ChainLink> {
        vec![ChainLink { pid, comm: Comm::new(b"sh"), known: true, helper_of: None }]
    }
}

#[test]
fn a_page_is_read_from_any_history() {
    let ended = |id| Arc::new(Record { id, ..testing::record(id, b"dummy", if id % 10 == 0 { 256 } else { 0 }) });
    let mut reader = Reader::new(Ledger((301..=1000).map(ended).collect()));
    let page = reader.answer(&question(&Query::default(), Anchor::Last, 1));
    assert_eq!((page.matched, page.looked, ids(&page)), (700, 700, vec![302, 301]));
    let detail = page.detail.unwrap();
    assert_eq!((detail.record.id, detail.chain.len()), (301, 1));
    let failed = Query { which: Outcomes::failures(), ..Query::default() };
    assert_eq!(reader.ids(&failed, Some(340)), [340, 330, 320, 310]);
}

/// A page that stands still is about the caller's own last page, whatever another one has read since.
#[test]
fn a_page_stands_still_for_its_caller_alone() {
    use crate::control::ask::ask;
    use crate::control::command::{Command, Reply};
    use crate::control::local::Local;
    let host = crate::sys::fake::FakeHost::new();
    host.script("/sbin/modprobe", crate::sys::fake::Script::default());
    let engine = crate::engine::Engine::builder().host(host).start().unwrap();
    let target = Local::shared(&engine);
    let by = |pid| crate::abi::actor::Actor::new(crate::abi::actor::Origin::Library, pid, 0, 0, b"x");
    let read = |pid, still| {
        let page = PageRequest { still, ..question(&Query::default(), Anchor::First, 20) };
        match ask(&*target, &by(pid), Command::Activity(Box::new(page))).unwrap() {
            Reply::Activity(page) => (page.matched, page.newest),
            other => panic!("{other:?}"),
        }
    };
    let request = || _ = engine.request_module("dummy", true);
    (0..3).for_each(|_| request());
    assert_eq!(read(1, false), (3, 3));
    request();
    assert_eq!((read(2, false), read(1, true)), ((4, 4), (3, 3)));
    request();
    assert_eq!((read(2, true), read(1, true), read(3, true)), ((4, 4), (3, 3), (5, 5)));
    assert_eq!((read(1, false), read(2, true)), ((5, 5), (4, 4)));
}

#[test]
fn equal_records_share_a_row_at_the_place_of_the_newest() {
    let (host, engine) = engine();
    let wait = WaitMode::PROC;
    let ids_of = |path: &str, times: usize| (0..times).map(|_| run(&engine, path, wait)).collect::<Vec<u64>>();
    let failed = ids_of("/bin/false", 3);
    ids_of("/bin/true", 2);
    let last = ids_of("/bin/false", 2);
    let runs = run(&engine, "/bin/forever", WaitMode::EXEC);
    let mut reader = Reader::new(engine.clone());
    let folded = |anchor| PageRequest { folded: true, ..question(&Query::default(), anchor, 9) };
    let page = reader.answer(&folded(Anchor::First));
    assert_eq!((page.matched, page.in_rows, ids(&page)), (8, 3, vec![runs, last[1], 5]));
    assert!(page.rows[0].fold.is_none());
    let fold = page.rows[1].fold.as_deref().unwrap();
    let of = |first, last| IdRange { first, last };
    assert_eq!((fold.times(), &fold.ids[..]), (5, &[of(1, 3), of(6, 7)][..]));
    let oldest = engine.record(failed[0]).unwrap();
    assert_eq!(fold.since, Some(Moment { wall: oldest.wall, at: oldest.at }));
    assert!(failed.iter().chain(&last).all(|id| fold.contains(*id)) && !fold.contains(4) && !fold.contains(8));
    // The cursor stays with its record, whichever row that is in; from another row it takes the first one.
    let on = |reader: &mut Reader, id, by| {
        let page = reader.answer(&folded(Anchor::Near { id, index: 0, by }));
        (page.at.unwrap(), page.detail.unwrap().record.id)
    };
    assert_eq!(on(&mut reader, failed[1], 0), (1, failed[1]));
    assert_eq!(on(&mut reader, failed[1], 1), (2, 5));
    assert_eq!(on(&mut reader, failed[1], -1), (0, runs));
    // Without folds, in the same place.
    let page = reader.answer(&question(&Query::default(), Anchor::Near { id: failed[1], index: 0, by: 0 }, 1));
    assert_eq!((page.matched, page.in_rows, page.at, ids(&page)), (8, 8, Some(6), vec![3, 2, 1]));
    assert!(page.rows.iter().all(|row| row.fold.is_none()));
    engine.kill(runs, libc::SIGKILL).unwrap();
    host.wait_for("its end", |now| now.running == 0);
}

/// One row can be unfolded alone. It stays so when more of its records come, and when the request that named it is equal
/// to others.
#[test]
fn equal_records_of_one_row_can_be_shown_one_by_one() {
    let (host, engine) = engine();
    let wait = WaitMode::PROC;
    run(&engine, "/bin/false", wait);
    let fine: Vec<u64> = (0..3).map(|_| run(&engine, "/bin/true", wait)).collect();
    run(&engine, "/bin/false", wait);
    let mut reader = Reader::new(engine.clone());
    let rows = |reader: &mut Reader, apart: &[u64]| -> Vec<(u64, u64, Option<Apart>)> {
        let asked = PageRequest { folded: true, apart: apart.into(), ..question(&Query::default(), Anchor::First, 9) };
        let page = reader.answer(&asked);
        page.rows.iter().map(|row| (row.id, row.fold.as_deref().map_or(1, Fold::times), row.apart)).collect()
    };
    let place = |by, at, of| Some(Apart { by, at, of });
    assert_eq!(rows(&mut reader, &[]), [(5, 2, None), (4, 3, None)]);
    let by = fine[1];
    let three = [(5, 2, None), (4, 1, place(by, 0, 3)), (3, 1, place(by, 1, 3)), (2, 1, place(by, 2, 3))];
    assert_eq!(rows(&mut reader, &[by]), three);
    // A request that does not exist names nothing.
    assert_eq!(rows(&mut reader, &[99]), [(5, 2, None), (4, 3, None)]);
    assert_eq!(rows(&mut reader, &[by]), three);
    // More of them, and more of the others.
    run(&engine, "/bin/false", wait);
    let newest = run(&engine, "/bin/true", wait);
    let shown = rows(&mut reader, &[by]);
    assert_eq!(shown[0], (newest, 1, place(by, 0, 4)));
    assert_eq!((shown.len(), shown[4]), (5, (6, 3, None)));
    assert_eq!(rows(&mut reader, &[]), [(7, 4, None), (6, 3, None)]);
    // A request that runs and then ends names those that run as it did.
    let running: Vec<u64> = (0..3).map(|_| run(&engine, "/bin/forever", WaitMode::EXEC)).collect();
    let before = rows(&mut reader, &[running[0]]);
    assert_eq!(before.iter().filter(|row| row.2.is_some()).count(), 3);
    for id in &running[..2] {
        engine.kill(*id, libc::SIGKILL).unwrap();
    }
    host.wait_for("their ends", |now| now.running == 1);
    // The engine records an end after the process is gone.
    for id in &running[..2] {
        while engine.record(*id).unwrap().state != State::Ended {
            std::thread::yield_now();
        }
    }
    let after = rows(&mut reader, &[running[0]]);
    assert_eq!((after[0].0, after[0].2), (running[2], place(running[0], 0, 1)));
    assert_eq!((after[1].0, after[1].1, after[1].2), (running[1], 2, None));
    engine.kill(running[2], libc::SIGKILL).unwrap();
    host.wait_for("its end", |now| now.running == 0);
}

#[test]
fn the_first_of_a_row_is_the_first_in_the_order() {
    let (_, engine) = engine();
    for name in ["b", "a", "b", "a", "b"] {
        engine.request_module(name, true);
    }
    let mut reader = Reader::new(engine.clone());
    let mut rows =
        |query: Query| ids(&reader.answer(&PageRequest { folded: true, ..question(&query, Anchor::First, 9) }));
    assert_eq!(rows(Query::default()), [5, 4]);
    assert_eq!(rows(Query { reverse: true, ..Query::default() }), [1, 2]);
    assert_eq!(rows(Query { sort: Sort::Name, ..Query::default() }), [4, 5]);
    assert_eq!(rows(Query { words: vec!["#3".into()], ..Query::default() }), [3]);
}

/// Requests of different users or units are different, even if their names and ends are equal.
#[test]
fn requests_of_another_user_or_unit_have_another_row() {
    use crate::abi::actor::Actor;
    use crate::abi::place::{Attribution, Place};
    let by = |id, uid, unit: Option<&[u8]>| {
        let place = unit.map(|unit| Arc::new(Attribution { place: Place::Unit(unit.into()), is_believed: true }));
        let actor = Actor { place, ..Actor::new(Origin::Outside, id as i32, uid, 0, b"x") };
        Arc::new(Record { actor: actor.into(), ..testing::record(id, b"dummy", 0) })
    };
    let all = vec![
        by(301, 0, None),
        by(302, 7, None),
        by(303, 7, Some(b"a")),
        by(304, 7, Some(b"b")),
        by(305, 7, Some(b"a")),
    ];
    let mut reader = Reader::new(Ledger(all));
    let page = reader.answer(&PageRequest { folded: true, ..question(&Query::default(), Anchor::First, 9) });
    assert_eq!(ids(&page), [305, 304, 302, 301]);
}
