//! A ledger that an engine on the scripted host writes: its files, and what happens when a write fails.

use std::fs;
use std::os::unix::fs::{MetadataExt, PermissionsExt};
use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};

use nix::errno::Errno;
use tempfile::TempDir;

use crate::abi::error::Explain;
use crate::abi::record::Record;
use crate::abi::sink::RecordSink;
use crate::sys::fake::FakeHost;

use super::clocks::Clocks;
use super::folder::Folder;
use super::line::tests::{head, started, usual_record};
use super::line::{Head, Item, Line, Wall, decode};
use super::rotate::Limits;
use super::writer::{Ledger, Options};

/// Clocks that a test sets.
pub(super) struct TestClocks(AtomicI64);

impl TestClocks {
    pub(super) fn at(wall: Wall) -> Arc<Self> {
        Arc::new(Self(AtomicI64::new(wall)))
    }
    pub(super) fn set(&self, wall: Wall) {
        self.0.store(wall, Ordering::SeqCst);
    }
}

impl Clocks for TestClocks {
    fn wall(&self) -> Wall {
        self.0.load(Ordering::SeqCst)
    }
    fn monotonic(&self) -> u64 {
        5
    }
}

/// A ledger in a folder of its own, and its clocks.
pub(super) struct Fixture {
    pub(super) dir: TempDir,
    pub(super) clocks: Arc<TestClocks>,
    pub(super) head: Head,
}

impl Fixture {
    pub(super) fn new() -> Self {
        let head = head();
        Self { dir: tempfile::tempdir().unwrap(), clocks: TestClocks::at(head.wall), head }
    }
    pub(super) fn path(&self) -> std::path::PathBuf {
        self.dir.path().join("ledger")
    }
    pub(super) fn options(&self) -> Options {
        Options { clocks: self.clocks.clone(), ..Options::new(self.path(), "embedded") }
    }
    pub(super) fn open(&self, options: Options) -> Arc<Ledger> {
        Ledger::open(options, &*FakeHost::new()).unwrap()
    }
    pub(super) fn record(&self, id: u64, raw: i32) -> Arc<Record> {
        Arc::new(usual_record(&self.head, id, raw))
    }
    /// The start and the end of a request.
    pub(super) fn one(&self, ledger: &Ledger, id: u64, raw: i32) {
        let record = self.record(id, raw);
        ledger.started(&Arc::new(started(&record)));
        ledger.finished(&record);
    }
}

/// The segments of a folder, oldest first.
pub(super) fn segments(folder: &Path) -> Vec<std::path::PathBuf> {
    let entries = fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path());
    let mut paths: Vec<_> = entries.filter(|path| path.is_file()).collect();
    paths.sort();
    paths
}

/// Every line of a segment.
pub(super) fn lines(segment: &Path) -> Vec<Line> {
    let text = fs::read(segment).unwrap();
    let mut head = None;
    let mut all = Vec::new();
    for text in text.strip_suffix(b"\n").unwrap().split(|b| *b == b'\n') {
        let line = decode(head.as_ref(), text).unwrap_or_else(|e| panic!("{e:?}: {}", String::from_utf8_lossy(text)));
        if let Item::Segment(first) = &line.item {
            head = Some(Head::clone(first));
        }
        all.push(line);
    }
    all
}

pub(super) fn names(lines: &[Line]) -> Vec<String> {
    let name = |line: &Line| match &line.item {
        Item::Segment(_) => "segment".to_owned(),
        Item::Started(h) => format!("started {}", h.record.id),
        Item::Open(h) => format!("open {}", h.record.id),
        Item::StillRunning(h) => format!("still_running {}", h.record.id),
        Item::Ended(r) => format!("ended {} {}", r.id, r.outcome.name()),
        Item::Changed(_) => "changed".to_owned(),
        Item::Lost { count, .. } => format!("lost {count}"),
        Item::End { next_id, open } => format!("end {next_id} {open}"),
    };
    lines.iter().map(name).collect()
}

fn mode(path: &Path) -> u32 {
    fs::metadata(path).unwrap().permissions().mode() & 0o7777
}

#[test]
fn starts_ends_and_failures_are_written_for_this_user_alone() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    assert!(segments(&fixture.path()).is_empty(), "nothing is written before the first line");
    fixture.one(&ledger, 1, 0);
    fixture.one(&ledger, 2, 9);
    ledger.started(&Arc::new(started(&fixture.record(3, 0))));
    ledger.close();
    let [all] = &segments(&fixture.path())[..] else { panic!() };
    let expected = ["segment", "started 1", "ended 1 exited", "started 2", "ended 2 killed", "started 3", "end 4 1"];
    let read = lines(all);
    assert_eq!(names(&read), expected);
    assert_eq!(read.iter().map(|line| line.n).collect::<Vec<_>>(), [0, 1, 2, 3, 4, 5, 0]);
    assert!(read.iter().all(|line| line.run == ledger.run() && &*line.target == "embedded"));
    let failures = fixture.path().join("failures");
    let [failed] = &segments(&failures)[..] else { panic!() };
    let read = lines(failed);
    assert_eq!((names(&read), read[1].n), (vec!["segment".into(), "ended 2 killed".into(), "end 4 0".into()], 4));
    assert_eq!([&fixture.path(), &failures, all, failed].map(|path| mode(path)), [0o700, 0o700, 0o600, 0o600]);
    let stats = ledger.stats();
    assert_eq!((stats.written, stats.lost, stats.lag_us, stats.error), (5, 0, 0, None));
    assert_eq!(stats.bytes, fs::metadata(all).unwrap().size() + fs::metadata(failed).unwrap().size());
}

#[test]
fn a_new_segment_begins_by_size_by_age_and_when_the_clock_goes_back() {
    let fixture = Fixture::new();
    let all = Limits { segment_bytes: 400, ..Limits::ALL };
    let ledger = fixture.open(Options { all, ..fixture.options() });
    let count = || segments(&fixture.path()).len();
    fixture.one(&ledger, 1, 0);
    assert_eq!(count(), 1);
    ledger.started(&Arc::new(started(&fixture.record(2, 0))));
    assert_eq!(count(), 2, "by size");
    fixture.clocks.set(fixture.head.wall + all.segment_age - 1);
    ledger.started(&Arc::new(started(&fixture.record(3, 0))));
    assert_eq!(count(), 2);
    fixture.clocks.set(fixture.head.wall + all.segment_age + 10);
    ledger.finished(&fixture.record(3, 0));
    assert_eq!(count(), 3, "by age");
    fixture.clocks.set(fixture.head.wall + all.segment_age + 10 - 1_000_000);
    ledger.finished(&fixture.record(2, 0));
    assert_eq!(count(), 3, "less than a second back");
    fixture.clocks.set(fixture.head.wall);
    ledger.started(&Arc::new(started(&fixture.record(4, 0))));
    ledger.close();
    assert_eq!(count(), 4, "more than a second back");
    let read: Vec<_> = segments(&fixture.path()).iter().map(|path| lines(path)).collect();
    let named: Vec<_> = read.iter().map(|lines| names(lines)).collect();
    assert_eq!(named[0], ["segment", "started 1", "ended 1 exited", "end 2 0"]);
    // The last one begins at the time of the first ones, so its name is next to theirs.
    assert_eq!(named[1], ["segment", "started 2", "started 3", "end 4 0"]);
    assert_eq!(named[2], ["segment", "started 4", "end 5 1"]);
    assert_eq!(named[3], ["segment", "open 2", "open 3", "ended 3 exited", "ended 2 exited", "end 4 0"]);
    let Item::Segment(first) = &read[3][0].item else { panic!() };
    assert_eq!((first.n, first.next_id), (5, 4));
}

#[test]
fn of_unlocked_segments_the_oldest_are_removed_and_locked_ones_stay() {
    let fixture = Fixture::new();
    let all = Limits { segment_bytes: 400, bytes: 3_000, ..Limits::ALL };
    let options = || Options { all, ..fixture.options() };
    let other = fixture.open(options());
    fixture.one(&other, 1, 0);
    let [locked] = &segments(&fixture.path())[..] else { panic!() };
    let ledger = fixture.open(options());
    for id in 2..40 {
        fixture.clocks.set(fixture.head.wall + Wall::try_from(id).unwrap());
        fixture.one(&ledger, id, 0);
    }
    let left = segments(&fixture.path());
    let bytes: u64 = left.iter().map(|path| fs::metadata(path).unwrap().size()).sum();
    // The limit is checked when a segment begins; its own first line and last line come on top.
    assert!(bytes <= 4_000 && left.len() >= 2, "{bytes} in {}", left.len());
    assert!(left.contains(locked), "the other process writes it");
    assert_eq!(names(&lines(locked)), ["segment", "started 1", "ended 1 exited"]);
    assert!(ledger.stats().bytes <= 4_000);
}

#[test]
fn old_segments_are_removed_by_the_time_of_their_last_line() {
    let fixture = Fixture::new();
    let now = crate::ledger::line::micros(std::time::SystemTime::now());
    fixture.clocks.set(now);
    fixture.one(&fixture.open(fixture.options()), 1, 0);
    let first = segments(&fixture.path()).remove(0);
    let old = std::time::SystemTime::now() - std::time::Duration::from_secs(30 * 86_400 + 60);
    fs::File::options().write(true).open(&first).unwrap().set_modified(old).unwrap();
    fixture.clocks.set(now + 1_000);
    fixture.one(&fixture.open(fixture.options()), 2, 0);
    assert_eq!(segments(&fixture.path()).len(), 2, "no segment is young: the clock may be wrong");
    fixture.clocks.set(now + 2_000);
    fixture.one(&fixture.open(fixture.options()), 3, 0);
    let left = segments(&fixture.path());
    assert!(left.len() == 2 && !left.contains(&first), "{first:?}: {left:?}");
    fixture.clocks.set(now + Limits::ALL.age + 60_000_000);
    fixture.one(&fixture.open(fixture.options()), 4, 0);
    assert_eq!(segments(&fixture.path()).len(), 3, "the clock went forward, and nothing is lost");
}

#[test]
fn a_folder_that_others_can_use_or_exchange_is_refused() {
    let dir = tempfile::tempdir().unwrap();
    let open = |path: &Path| Folder::open(path, true).map(|_| ()).map_err(|e| (e.errno(), e.to_string()));
    let ledger = dir.path().join("a/b/ledger");
    open(&ledger).unwrap();
    assert_eq!([&ledger, &dir.path().join("a")].map(|path| mode(path)), [0o700, 0o700]);
    fs::set_permissions(&ledger, fs::Permissions::from_mode(0o750)).unwrap();
    let (errno, why) = open(&ledger).unwrap_err();
    assert!(errno == Errno::EPERM && why.contains("0750"), "{why}");
    let link = dir.path().join("link");
    std::os::unix::fs::symlink(dir.path().join("a"), &link).unwrap();
    for path in [&link, &link.join("b"), &link.join("b/new")] {
        let errno = open(path).unwrap_err().0;
        assert!(matches!(errno, Errno::ELOOP | Errno::ENOTDIR), "{errno:?}");
    }
    assert_eq!(open(&dir.path().join("a/../a/b")).unwrap_err().0, Errno::EINVAL);
    let everybody = dir.path().join("a/everybody");
    fs::create_dir(&everybody).unwrap();
    fs::set_permissions(&everybody, fs::Permissions::from_mode(0o777)).unwrap();
    assert_eq!(open(&everybody.join("ledger")).unwrap_err().0, Errno::EPERM);
    fs::set_permissions(&everybody, fs::Permissions::from_mode(0o1777)).unwrap();
    open(&everybody.join("ledger")).unwrap();
    let group = dir.path().join("a/group");
    fs::create_dir(&group).unwrap();
    fs::set_permissions(&group, fs::Permissions::from_mode(0o770)).unwrap();
    open(&group.join("own")).unwrap();
    // A group that is not the user's own: root may give the folder to one, another user may be in one.
    let mine = [nix::unistd::getegid(), nix::unistd::Gid::from_raw(0)];
    let groups = nix::unistd::getgroups().unwrap_or_default();
    let root = nix::unistd::geteuid().is_root().then(|| nix::unistd::Gid::from_raw(7));
    match root.or_else(|| groups.into_iter().find(|gid| !mine.contains(gid))) {
        None => _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: no other group\n"),
        Some(gid) => {
            nix::unistd::chown(&group, None, Some(gid)).unwrap();
            let (errno, why) = open(&group.join("ledger")).unwrap_err();
            assert!(errno == Errno::EPERM && why.contains(&format!("the group {gid} can write")), "{why}");
            fs::set_permissions(&group, fs::Permissions::from_mode(0o1770)).unwrap();
            open(&group.join("ledger")).unwrap();
        }
    }
    assert_eq!(Folder::open(&dir.path().join("none"), false).err().map(|e| e.errno()), Some(Errno::ENOENT));
}

#[test]
fn the_ledger_is_never_below_another_users_home() {
    if !nix::unistd::geteuid().is_root() {
        let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: only root can give a folder away\n");
        return;
    }
    let dir = tempfile::tempdir().unwrap();
    let home = dir.path().join("home");
    fs::create_dir(&home).unwrap();
    fs::create_dir(home.join("mine")).unwrap();
    fs::set_permissions(home.join("mine"), fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(&home, Some(1234), None).unwrap();
    for path in [home.join("mine"), home.join("new"), home.clone()] {
        let error = Folder::open(&path, true).unwrap_err();
        assert!(error.errno() == Errno::EPERM && error.to_string().contains("uid 1234"), "{error}");
    }
    assert!(!home.join("new").exists());
    // A folder that is itself another user's, in one of root's.
    let own = dir.path().join("own");
    fs::create_dir(&own).unwrap();
    fs::set_permissions(&own, fs::Permissions::from_mode(0o700)).unwrap();
    std::os::unix::fs::chown(&own, Some(1234), None).unwrap();
    assert_eq!(Folder::open(&own, false).unwrap_err().errno(), Errno::EPERM);
}

#[test]
fn a_line_that_cannot_be_written_is_counted_and_the_next_one_says_so() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    fixture.one(&ledger, 1, 0);
    ledger.close();
    fixture.one(&ledger, 2, 0);
    let stats = ledger.stats();
    assert_eq!((stats.written, stats.lost), (2, 2));
    assert!(stats.error.as_deref().is_some_and(|e| e.contains("ESHUTDOWN")), "{stats:?}");
    assert_eq!(ledger.ledger(), Some(ledger.stats()));
}

#[test]
fn what_never_reached_the_ledger_is_a_line_of_its_own() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    fixture.one(&ledger, 1, 0);
    ledger.lost(3);
    fixture.one(&ledger, 2, 0);
    ledger.close();
    let read = lines(&segments(&fixture.path())[0]);
    let expected = ["segment", "started 1", "ended 1 exited", "lost 3", "started 2", "ended 2 exited", "end 3 0"];
    assert_eq!(names(&read), expected);
    assert_eq!(read.iter().map(|line| line.n).collect::<Vec<_>>(), [0, 1, 2, 0, 6, 7, 0], "3, 4 and 5 are missing");
    let Item::Lost { errno, .. } = &read[3].item else { panic!() };
    assert_eq!((*errno, ledger.stats().lost), (None, 0), "no write failed");
}

#[test]
fn a_failure_that_is_missing_in_the_failures_alone_is_counted_as_that() {
    let fixture = Fixture::new();
    let ledger = fixture.open(fixture.options());
    fixture.one(&ledger, 1, 9);
    // No file can be made in a folder that was removed.
    let failures = fixture.path().join("failures");
    fixture.clocks.set(fixture.head.wall + Limits::FAILURES.segment_age);
    drop(fixture.open(fixture.options()));
    fs::remove_dir_all(&failures).unwrap();
    let next = fixture.open(Options { failures: Limits { segment_bytes: 1, ..Limits::FAILURES }, ..fixture.options() });
    fs::remove_dir_all(&failures).unwrap();
    fixture.one(&next, 2, 9);
    let stats = next.stats();
    assert_eq!((stats.written, stats.lost, stats.failures_lost), (2, 0, 1));
    assert!(stats.error.as_deref().is_some_and(|e| e.contains("/failures`")), "{stats:?}");
    fixture.one(&next, 3, 0);
    assert_eq!(next.stats().error, None);
    next.close();
    let read = lines(segments(&fixture.path()).last().unwrap());
    assert_eq!(
        names(&read)[1..5],
        ["started 2", "ended 2 killed", "started 3", "ended 3 exited"],
        "no line is missing"
    );
}

#[test]
fn many_small_segments_are_bounded_by_their_number() {
    let fixture = Fixture::new();
    let options = || Options { all: Limits { segments: 3, ..Limits::ALL }, ..fixture.options() };
    for id in 1..8 {
        fixture.clocks.set(fixture.head.wall + Wall::try_from(id).unwrap());
        let ledger = fixture.open(options());
        fixture.one(&ledger, id, 0);
        ledger.close();
        assert_eq!(segments(&fixture.path()).len(), 3.min(usize::try_from(id).unwrap()), "{id}");
    }
    let newest = lines(segments(&fixture.path()).last().unwrap());
    assert_eq!(names(&newest)[1], "started 7");
}

#[test]
fn a_ledger_can_be_below_a_folder_that_one_may_enter_but_not_list() {
    let dir = tempfile::tempdir().unwrap();
    let above = dir.path().join("above");
    fs::create_dir(&above).unwrap();
    fs::set_permissions(&above, fs::Permissions::from_mode(0o300)).unwrap();
    let folder = Folder::open(&above.join("ledger"), true).and_then(|folder| folder.names());
    let again = Folder::open(&above.join("ledger"), false).map(|_| ());
    // So that the folder can be removed.
    fs::set_permissions(&above, fs::Permissions::from_mode(0o700)).unwrap();
    assert_eq!((folder.unwrap(), again.unwrap()), (Vec::new(), ()));
}
