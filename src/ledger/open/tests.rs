//! Starts after a crash: each test copies the segments of a ledger that was never closed, as a killed process leaves
//! them, into a folder that nobody has locked.

use std::fs;
use std::os::unix::fs::PermissionsExt;
use std::path::Path;
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use crate::abi::event::{Event, EventKind};
use crate::abi::record::{Outcome, Record};
use crate::abi::sink::{Changed, RecordSink};
use crate::ledger::line::tests::started;
use crate::ledger::line::{Item, Line};
use crate::ledger::reader::filter::Filter;
use crate::ledger::reader::tests::read;
use crate::ledger::rotate::Limits;
use crate::ledger::tests::{Fixture, lines, names, segments};
use crate::ledger::writer::{Ledger, Options};

/// What is left of a ledger when its process is killed now.
fn killed(fixture: &Fixture) -> Fixture {
    let left = Fixture::new();
    for (from, to) in [(fixture.path(), left.path()), (fixture.path().join("failures"), left.path().join("failures"))] {
        fs::create_dir(&to).unwrap();
        fs::set_permissions(&to, fs::Permissions::from_mode(0o700)).unwrap();
        segments(&from).iter().for_each(|path| _ = fs::copy(path, to.join(path.file_name().unwrap())).unwrap());
    }
    left.clocks.set(fixture.head.wall + 60_000_000);
    left
}

/// A process that runs until it is dropped.
struct Sleeper(Child);

impl Sleeper {
    fn new() -> Self {
        Self(Command::new("/bin/sleep").arg("1000").stdin(Stdio::null()).spawn().unwrap())
    }
    fn pid(&self) -> i32 {
        i32::try_from(self.0.id()).unwrap()
    }
    fn end(&mut self) {
        self.0.kill().unwrap();
        self.0.wait().unwrap();
    }
}

impl Drop for Sleeper {
    fn drop(&mut self) {
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

fn start(fixture: &Fixture, ledger: &Ledger, id: u64, pid: i32) {
    let record = Record { pid: Some(pid), ..Record::clone(&fixture.record(id, 0)) };
    ledger.started(&Arc::new(started(&record)));
}

/// The lines of the newest segment.
fn newest(path: &Path) -> Vec<Line> {
    lines(segments(path).last().unwrap())
}

fn said(line: &Line) -> &str {
    let Item::Ended(record) = &line.item else { panic!("{line:?}") };
    assert_eq!((record.outcome, record.result), (Outcome::Lost, None));
    record.said.as_deref().unwrap()
}

#[test]
fn the_numbers_of_requests_go_on() {
    let fixture = Fixture::new();
    let first = fixture.open(fixture.options());
    assert_eq!(first.first_id(), 1);
    fixture.one(&first, 1, 0);
    fixture.one(&first, 700, 0);
    first.started(&Arc::new(started(&fixture.record(800, 0))));
    first.finished(&fixture.record(2, 0));
    assert_eq!(fixture.open(fixture.options()).first_id(), 801, "of a process that still writes");
    assert_eq!(killed(&fixture).open(killed(&fixture).options()).first_id(), 801);
    let left = killed(&fixture);
    assert_eq!(left.open(left.options()).first_id(), 801, "of one that was killed");
    assert_eq!(left.open(left.options()).first_id(), 801, "and once more");
    first.finished(&fixture.record(800, 0));
    first.close();
    assert_eq!(fixture.open(fixture.options()).first_id(), 801, "of one that was closed");
}

#[test]
fn a_helper_that_still_runs_is_named_and_watched_and_one_that_has_ended_is_lost() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    let (mut lives, mut dead) = (Sleeper::new(), Sleeper::new());
    start(&fixture, &ledger, 1, lives.pid());
    start(&fixture, &ledger, 2, dead.pid());
    fixture.one(&ledger, 3, 0);
    dead.end();
    let left = killed(&fixture);
    let next = left.open(left.options());
    let read = newest(&left.path());
    assert_eq!(names(&read), ["segment", "still_running 1", "ended 2 lost"]);
    assert!(read[1..].iter().all(|line| line.run == ledger.run()), "the run that made the request");
    assert_eq!(said(&read[2]), super::ENDED);
    let Item::StillRunning(running) = &read[1].item else { panic!() };
    assert_eq!((running.record.pid, running.record.id), (Some(lives.pid()), 1));
    lives.end();
    let deadline = Instant::now() + Duration::from_secs(20);
    while next.stats().written < 3 && Instant::now() < deadline {
        std::thread::sleep(Duration::from_millis(1));
    }
    next.close();
    let read = newest(&left.path());
    assert_eq!(names(&read)[3..], ["ended 1 lost", "end 4 0"]);
    assert_eq!((said(&read[3]), read[3].run), (super::RESTARTED, ledger.run()));
    // Nothing is left for the start after that.
    let count = segments(&left.path()).len();
    left.open(left.options()).close();
    assert_eq!(segments(&left.path()).len(), count);
}

#[test]
fn a_helper_of_the_kernel_is_left_to_the_next_watch_and_ends_in_its_own_run() {
    let fixture = Fixture::new();
    let kernel = |fixture: &Fixture| Options { target: "kernel", ..fixture.options() };
    let watch = fixture.open(kernel(&fixture));
    let (lives, mut dead) = (Sleeper::new(), Sleeper::new());
    start(&fixture, &watch, 1, lives.pid());
    start(&fixture, &watch, 2, dead.pid());
    dead.end();
    let left = killed(&fixture);
    // An engine takes neither of them, and its numbers go on from theirs.
    let engine = left.open(left.options());
    assert_eq!((engine.first_id(), engine.left().len()), (3, 0));
    left.one(&engine, 3, 0);
    engine.close();
    assert_eq!(names(&newest(&left.path())), ["segment", "started 3", "ended 3 exited", "end 4 0"]);
    left.clocks.set(fixture.head.wall + 70_000_000);
    let next = left.open(kernel(&left));
    let [(record, start_time)] = &next.left()[..] else { panic!() };
    assert_eq!((record.id, record.pid), (1, Some(lives.pid())));
    assert_eq!(crate::sys::process::start_time(lives.pid()), Some(*start_time));
    assert!(next.left().is_empty(), "they are handed out once");
    next.finished(&Arc::new(Record { outcome: Outcome::Exited, ..Record::clone(record) }));
    // The signal that ended it may be told later than its end.
    let actor = left.head.actor.clone();
    let kind = EventKind::Signalled { id: 1, pid: lives.pid(), signal: 9, actor };
    next.changed(&Changed { wall: std::time::UNIX_EPOCH, event: Event { seq: 1, at: 1, kind } });
    left.one(&next, 4, 0);
    next.close();
    let read = newest(&left.path());
    assert_eq!(names(&read)[..3], ["segment", "open 1", "ended 2 lost"]);
    assert_eq!(names(&read)[3..], ["ended 1 exited", "changed", "started 4", "ended 4 exited", "end 5 0"]);
    assert_eq!([3, 4, 5].map(|at| read[at].run), [watch.run(), watch.run(), next.run()]);
}

#[test]
fn a_helper_is_handed_on_from_start_to_start_as_long_as_it_lives() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    let lives = Sleeper::new();
    start(&fixture, &ledger, 1, lives.pid());
    // Once killed, once closed in order, and once over a rotation.
    let left = killed(&fixture);
    left.open(left.options()).close();
    assert_eq!(names(&newest(&left.path())), ["segment", "still_running 1", "end 2 1"]);
    left.clocks.set(fixture.head.wall + 61_000_000);
    let third = left.open(Options { all: Limits { segment_bytes: 1, ..Limits::ALL }, ..left.options() });
    left.clocks.set(fixture.head.wall + 62_000_000);
    left.one(&third, 2, 0);
    left.clocks.set(fixture.head.wall + 63_000_000);
    left.one(&third, 3, 0);
    let again = killed(&left);
    again.clocks.set(fixture.head.wall + 64_000_000);
    again.open(again.options());
    let read = newest(&again.path());
    assert_eq!(names(&read)[..2], ["segment", "still_running 1"]);
    assert_eq!(read[1].run, ledger.run());
}

#[test]
fn a_process_with_the_same_pid_is_not_taken_for_the_helper() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    let lives = Sleeper::new();
    start(&fixture, &ledger, 1, lives.pid());
    for (from, to) in [("\"start_time\":", "\"start_time\":1"), ("\"boot\":\"", "\"boot\":\"0")] {
        let left = killed(&fixture);
        let path = segments(&left.path()).remove(0);
        let text = fs::read_to_string(&path).unwrap();
        assert!(text.contains(from));
        // The last occurrence: that of the helper, not of the engine.
        let at = text.rfind(from).unwrap();
        fs::write(&path, [&text[..at], to, &text[at + from.len()..]].concat()).unwrap();
        drop(left.open(left.options()));
        assert_eq!(names(&newest(&left.path()))[1..], ["ended 1 lost", "end 2 0"], "{from}");
    }
}

#[test]
fn a_torn_line_is_ended_and_everything_before_and_after_it_is_read() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    fixture.one(&ledger, 1, 0);
    fixture.one(&ledger, 2, 0);
    let whole = fs::read(segments(&fixture.path()).remove(0)).unwrap();
    let lines_at: Vec<usize> = (0..whole.len()).filter(|at| whole[*at] == b'\n').collect();
    for cut in [whole.len() - 1, whole.len() - 40, lines_at[3] + 2, lines_at[0] + 5] {
        let left = killed(&fixture);
        fs::write(segments(&left.path()).remove(0), &whole[..cut]).unwrap();
        let next = left.open(left.options());
        left.one(&next, next.first_id(), 0);
        next.close();
        let (found, counts) = read(&left.path(), &Filter { starts: true, ..Filter::default() });
        // Of the first, only the newline is missing.
        let torn = u64::from(cut + 1 < whole.len());
        let kept = whole[..=cut].iter().filter(|b| **b == b'\n').count() - 1;
        let lost = found.iter().filter(|line| matches!(&line.item, Item::Ended(r) if r.outcome == Outcome::Lost));
        assert_eq!((found.len() - lost.count(), counts.unreadable), (kept + 2, torn), "{cut}");
    }
}

/// Removes the last line of a segment, as if the disk had been full when it was closed.
fn without_end(segment: &Path) {
    let text = fs::read_to_string(segment).unwrap();
    let (lines, end) = text.trim_end().rsplit_once('\n').unwrap();
    assert!(end.contains("\"event\":\"end\""), "{end}");
    fs::write(segment, format!("{lines}\n")).unwrap();
}

#[test]
fn an_end_in_a_later_segment_counts_where_the_one_of_the_start_was_not_closed() {
    let small = Limits { segment_bytes: 1, ..Limits::ALL };
    for (closed, clock) in [(true, 1_000_000), (false, 1_000_000), (true, -5_000_000)] {
        let fixture = Fixture::new();
        let ledger = fixture.open(Options { all: small, ..fixture.options() });
        let lives = Sleeper::new();
        start(&fixture, &ledger, 1, lives.pid());
        // The clock may have gone back at the rotation, so that the later segment has the earlier name.
        fixture.clocks.set(fixture.head.wall + clock);
        fixture.one(&ledger, 2, 0);
        ledger.finished(&fixture.record(1, 0));
        if closed {
            ledger.close();
            let left = killed(&fixture);
            let first = segments(&left.path()).into_iter().find(|path| names(&lines(path))[1] == "started 1").unwrap();
            without_end(&first);
            left.open(left.options()).close();
            assert!(!names(&newest(&left.path())).iter().any(|name| name.contains("lost")), "clock {clock}");
        } else {
            // The process that writes the later segment still lives.
            let first = segments(&fixture.path()).remove(0);
            without_end(&first);
            let next = fixture.open(fixture.options());
            assert_eq!((next.stats().written, next.first_id()), (0, 3));
            ledger.close();
        }
    }
}

#[test]
fn of_starts_at_the_same_time_one_says_what_was_lost() {
    for _ in 0..20 {
        let fixture = Fixture::new();
        let ledger = fixture.open(fixture.options());
        for id in 1..=5 {
            let mut dead = Sleeper::new();
            start(&fixture, &ledger, id, dead.pid());
            dead.end();
        }
        let left = killed(&fixture);
        let barrier = std::sync::Barrier::new(6);
        std::thread::scope(|scope| {
            for _ in 0..6 {
                scope.spawn(|| {
                    barrier.wait();
                    left.open(left.options()).close();
                });
            }
        });
        let (found, counts) = read(&left.path(), &Filter::default());
        let lost = found.iter().filter(|line| matches!(&line.item, Item::Ended(r) if r.outcome == Outcome::Lost));
        assert_eq!((lost.count(), counts.unreadable), (5, 0));
    }
}
