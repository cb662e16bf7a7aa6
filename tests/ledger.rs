//! The ledger with real processes: killed while they write, three at once, and on a full disk.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

mod common;

use std::collections::{BTreeMap, BTreeSet};
use std::io::{BufRead, BufReader, Write};
use std::ops::ControlFlow;
use std::path::{Path, PathBuf};
use std::process::{Child, Command, Stdio};
use std::sync::Arc;
use std::time::{Duration, Instant};

use common::{Dir, info, skipped};
use khelper::abi::actor::Origin;
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::Outcome;
use khelper::abi::sink::RecordSink;
use khelper::abi::wait::WaitMode;
use khelper::control::target_info::RunId;
use khelper::engine::{Engine, KnobWrite};
use khelper::ledger::line::{Item, Line};
use khelper::ledger::reader::filter::Filter;
use khelper::ledger::reader::{Counts, Reader};
use khelper::ledger::writer::{Ledger, Options};
use khelper::sys::linux::LinuxHost;
use khelper::sys::process;
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;

/// The ledger of a process that a test has started, and what it does.
const LEDGER: &str = "KHELPER_TEST_LEDGER";
const REQUESTS: &str = "KHELPER_TEST_REQUESTS";
/// Threads of such a process that do nothing but use CPU time.
const BUSY: usize = 2;
/// Helpers that sleep while the process writes.
const SLEEPERS: usize = 50;
/// How old a line may be that is lost when its process is killed.
const AGE: Duration = Duration::from_secs(1);
/// No test waits longer for anything.
const PATIENCE: Duration = Duration::from_secs(60);

fn open(folder: &Path) -> Arc<Ledger> {
    Ledger::open(Options::new(folder, "embedded"), &LinuxHost::new()).unwrap()
}

fn engine(ledger: &Arc<Ledger>) -> Engine {
    let builder = Engine::builder().fix_sigchld(true).record_sink(ledger.clone()).first_id(ledger.first_id());
    let engine = builder.start().unwrap();
    let path = KnobWrite::Modprobe(parse_modprobe(b"/bin/true").unwrap());
    engine.write(&[path], Origin::Library).unwrap();
    engine
}

fn read(folder: &Path, filter: &Filter) -> (Vec<Line>, Counts) {
    let mut lines = Vec::new();
    let counts = Reader::open(folder).unwrap().scan(filter, &mut |found, counts| {
        lines.extend(found.read(counts));
        ControlFlow::Continue(())
    });
    (lines, counts)
}

/// This test binary again, as a process that writes a ledger (`writes`).
fn writer(folder: &Path, requests: &str) -> Child {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["writes", "--exact", "--nocapture"]).env(LEDGER, folder).env(REQUESTS, requests);
    command.stdin(Stdio::null()).stdout(Stdio::piped()).spawn().unwrap()
}

/// Not a test by itself: makes requests and prints the id of each one that is over.
#[test]
fn writes() {
    let (Some(folder), Some(requests)) = (std::env::var_os(LEDGER), std::env::var(REQUESTS).ok()) else { return };
    let ledger = open(&PathBuf::from(folder));
    let engine = engine(&ledger);
    let endless = requests == "endless";
    for _ in 0..if endless { BUSY } else { 0 } {
        std::thread::spawn(|| {
            loop {
                std::hint::spin_loop();
            }
        });
    }
    for _ in 0..if endless { SLEEPERS } else { 0 } {
        let record = engine.call_usermodehelper(info(&["/bin/sleep", "1000"]), WaitMode::EXEC);
        assert_eq!(record.outcome, Outcome::Running);
        println!("started {} {}", record.id, record.pid.unwrap());
    }
    println!("run {}", ledger.run());
    let most = if endless { u64::MAX } else { requests.parse().unwrap() };
    for _ in 0..most {
        let record = engine.request_module("nf_conntrack", true);
        println!("ended {}", record.id);
    }
    engine.shutdown(Duration::from_secs(5));
    ledger.close();
    assert_eq!(ledger.stats().lost, 0);
}

/// A process that wrote and was killed.
struct Killed {
    run: RunId,
    /// The requests that were over early enough.
    ended: BTreeSet<u64>,
    /// The helpers that were started early enough.
    started: BTreeSet<u64>,
    /// The pid and the start time of every helper that sleeps.
    sleepers: BTreeMap<u64, (i32, Option<u64>)>,
}

/// Starts a process that writes, and kills it when its first line is old enough; `at_once`: when its last sleeper has
/// been started.
fn killed(folder: &Path, at_once: bool) -> Killed {
    let mut child = writer(folder, "endless");
    let lines = BufReader::new(child.stdout.take().unwrap()).lines();
    let (mut run, mut ends, mut starts, mut sleepers) = (None, Vec::new(), Vec::new(), BTreeMap::new());
    for line in lines {
        let line = line.unwrap();
        let now = Instant::now();
        if let Some(id) = line.strip_prefix("ended ") {
            ends.push((id.parse().unwrap(), now));
        } else if let Some((id, pid)) = line.strip_prefix("started ").and_then(|rest| rest.split_once(' ')) {
            let (id, pid) = (id.parse().unwrap(), pid.parse().unwrap());
            starts.push((id, now));
            sleepers.insert(id, (pid, process::start_time(pid)));
        } else if let Some(id) = line.strip_prefix("run ") {
            run = RunId::parse(id);
        }
        let is_old = ends.first().is_some_and(|(_, at)| at.elapsed() > AGE + AGE / 10);
        if run.is_some() && (at_once || is_old) {
            break;
        }
    }
    let now = Instant::now();
    child.kill().unwrap();
    child.wait().unwrap();
    let old = |lines: Vec<(u64, Instant)>| {
        lines.into_iter().filter(|(_, at)| now.duration_since(*at) >= AGE).map(|(id, _)| id).collect()
    };
    assert_eq!(sleepers.len(), SLEEPERS);
    Killed { run: run.unwrap(), ended: old(ends), started: old(starts), sleepers }
}

/// One round: a process is killed, and the next start names what still lives. Returns how many lines were checked.
fn round(folder: &Path, at_once: bool) -> usize {
    let killed = killed(folder, at_once);
    let (lines, counts) = read(folder, &Filter { starts: true, ..Filter::default() });
    assert_eq!((counts.unreadable, counts.newer), (0, 0));
    let (mut ended, mut sleepers) = (BTreeSet::new(), BTreeMap::new());
    for line in lines.iter().filter(|line| line.run == killed.run) {
        match &line.item {
            Item::Ended(record) => _ = ended.insert(record.id),
            Item::Started(h) if h.record.title() == b"/bin/sleep" => {
                sleepers.insert(h.record.id, (h.record.pid.unwrap(), h.start_time));
            }
            _ => {}
        }
    }
    let lost: Vec<_> = killed.ended.difference(&ended).collect();
    assert!(lost.is_empty(), "lost: {lost:?}");
    let lost: Vec<_> = killed.started.iter().filter(|id| !sleepers.contains_key(id)).collect();
    assert!(lost.is_empty(), "lost starts: {lost:?}");
    assert!(sleepers.iter().all(|(id, named)| killed.sleepers.get(id) == Some(named)));

    let next = open(folder);
    assert!(next.first_id() > ended.last().copied().unwrap_or(0));
    let (lines, counts) = read(folder, &Filter::default());
    assert_eq!(counts.unreadable, 0);
    let named = lines.iter().filter(|line| line.run == killed.run).filter_map(|line| match &line.item {
        Item::StillRunning(h) => Some((h.record.id, (h.record.pid?, h.start_time))),
        _ => None,
    });
    assert_eq!(named.collect::<BTreeMap<_, _>>(), sleepers, "the next start names them");
    // Each of them is lost when it ends.
    let written = next.stats().written;
    for (pid, started) in killed.sleepers.values() {
        assert_eq!(process::start_time(*pid), *started);
        kill(Pid::from_raw(*pid), Signal::SIGKILL).unwrap();
    }
    let deadline = Instant::now() + PATIENCE;
    while next.stats().written < written + sleepers.len() as u64 {
        assert!(Instant::now() < deadline, "{:?}", next.stats());
        std::thread::sleep(Duration::from_millis(2));
    }
    next.close();
    killed.ended.len() + killed.started.len()
}

/// Under load: each process has threads that only use CPU time, and there are four of them.
#[test]
fn a_process_that_is_killed_loses_no_line_older_than_a_second_and_the_next_start_names_what_lives() {
    let checked: usize = std::thread::scope(|scope| {
        let threads: Vec<_> = (0..4)
            .map(|_| {
                scope.spawn(|| {
                    let dir = Dir::new();
                    let folder = dir.path().join("ledger");
                    (0..5).map(|n| round(&folder, n % 2 == 1)).sum::<usize>()
                })
            })
            .collect();
        threads.into_iter().map(|thread| thread.join().unwrap()).sum()
    });
    // The sleepers of each round that goes on for long enough, and one request.
    assert!(checked > 12 * SLEEPERS, "{checked}");
}

/// Losses of the engine's queue are in the ledger, too.
#[test]
fn what_the_queue_had_no_room_for_is_said_in_the_ledger() {
    let dir = Dir::new();
    let folder = dir.path().join("ledger");
    let ledger = open(&folder);
    let builder = Engine::builder().fix_sigchld(true).record_sink(ledger.clone()).record_sink_queue(1);
    let engine = builder.start().unwrap();
    let path = KnobWrite::Modprobe(parse_modprobe(b"/bin/true").unwrap());
    engine.write(&[path], Origin::Library).unwrap();
    for _ in 0..5 {
        assert_eq!(engine.request_module("dummy", true).result, Some(0));
    }
    engine.shutdown(Duration::from_secs(5));
    ledger.close();
    let lost = engine.snapshot().totals.records_lost;
    assert!(lost >= 11, "the knob, and each start and end: {lost}");
    let (lines, _) = read(&folder, &Filter { starts: true, ..Filter::default() });
    let said = lines.iter().map(|line| match &line.item {
        Item::Lost { count, errno: None } => *count,
        other => panic!("{other:?}"),
    });
    assert_eq!(said.sum::<u64>(), lost);
}

#[test]
fn three_processes_write_at_once_and_a_reader_sees_whole_lines_only() {
    let dir = Dir::new();
    let folder = dir.path().join("ledger");
    open(&folder).close();
    let mut writers = [(); 3].map(|()| writer(&folder, "150"));
    let everything = Filter { starts: true, ..Filter::default() };
    let outputs = writers.each_mut().map(|writer| BufReader::new(writer.stdout.take().unwrap()));
    for output in outputs {
        for line in output.lines() {
            // The others write meanwhile.
            if line.unwrap().ends_with('0') {
                let (_, counts) = read(&folder, &everything);
                assert_eq!((counts.unreadable, counts.newer), (0, 0));
            }
        }
    }
    writers.iter_mut().for_each(|writer| assert!(writer.wait().unwrap().success()));
    let (lines, counts) = read(&folder, &everything);
    assert_eq!(counts.unreadable, 0);
    assert!(lines.is_sorted_by_key(|line| line.wall));
    let mut ends: BTreeMap<RunId, Vec<u64>> = BTreeMap::new();
    for line in &lines {
        if let Item::Ended(record) = &line.item {
            ends.entry(line.run).or_default().push(record.id);
        }
    }
    let counts: Vec<usize> = ends.values().map(Vec::len).collect();
    assert_eq!(counts, [150; 3]);
    assert!(ends.values().all(|ids| ids.is_sorted()));
}

/// Mounts a small tmpfs that only this thread sees.
fn small_disk(at: &Path) -> Result<(), nix::errno::Errno> {
    use nix::mount::{MsFlags, mount};
    nix::sched::unshare(nix::sched::CloneFlags::CLONE_NEWNS)?;
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>)?;
    mount(Some("tmpfs"), at, Some("tmpfs"), MsFlags::empty(), Some("size=128k,mode=0700"))
}

#[test]
fn on_a_full_disk_launches_go_on_and_what_is_lost_is_counted_and_said() {
    let dir = Dir::new();
    let disk = dir.path().join("disk");
    std::fs::create_dir(&disk).unwrap();
    // A thread of its own: it leaves this process's mount namespace.
    std::thread::scope(|scope| scope.spawn(|| full_disk(&disk)).join().unwrap());
}

fn full_disk(disk: &Path) {
    if let Err(errno) = small_disk(disk) {
        return skipped(&format!("this user may not mount a tmpfs: {errno}"));
    }
    let folder = disk.join("ledger");
    let ledger = open(&folder);
    let engine = engine(&ledger);
    for _ in 0..5 {
        assert_eq!(engine.request_module("before", true).result, Some(0));
    }
    // The knob, and a start and an end of each request.
    settled(&engine, &ledger, |state| state.written >= 11);
    // The rest of the disk, to the last byte.
    let mut filler = std::fs::File::create(disk.join("filler")).unwrap();
    while filler.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
    let mut lost = 0;
    for _ in 0..40 {
        assert_eq!(engine.request_module("while_full", true).result, Some(0), "launches go on");
        lost += 2;
    }
    let state = settled(&engine, &ledger, |state| state.lost > 0 && state.lost + state.written >= 11 + lost);
    assert!(state.error.as_deref().is_some_and(|error| error.contains("ENOSPC")), "{state:?}");
    assert_eq!(engine.snapshot().ledger.unwrap(), state, "status, metrics and the console see it");
    let (_, counts) = read(&folder, &Filter::default());
    assert_eq!(counts.unreadable, 0, "a line that did not fit is cut off again");

    drop(filler);
    std::fs::remove_file(disk.join("filler")).unwrap();
    assert_eq!(engine.request_module("after", true).result, Some(0));
    let state = settled(&engine, &ledger, |now| now.written >= state.written + 2 && now.error.is_none());
    engine.shutdown(Duration::from_secs(5));
    let stopped = ledger.stats();
    // One more is lost, and there is no line after it.
    let mut filler = std::fs::File::create(disk.join("filler")).unwrap();
    while filler.write(&[0; 4096]).is_ok_and(|written| written > 0) {}
    let lost = ledger.stats().lost;
    let record = engine.record(1).unwrap();
    while ledger.stats().lost == lost {
        ledger.finished(&record);
    }
    drop(filler);
    std::fs::remove_file(disk.join("filler")).unwrap();
    ledger.close();
    let (lines, counts) = read(&folder, &Filter { starts: true, ..Filter::default() });
    assert_eq!(counts.unreadable, 0);
    let said = lines.iter().filter_map(|line| match &line.item {
        Item::Lost { count, errno } => Some((*count, *errno)),
        _ => None,
    });
    let full = Some(nix::errno::Errno::ENOSPC);
    assert_eq!(said.collect::<Vec<_>>(), [(state.lost, full), (1, full)], "the last one at the end");
    let names = |name: &[u8]| {
        let of = |line: &&Line| matches!(&line.item, Item::Ended(record) if record.title() == name);
        lines.iter().filter(of).count()
    };
    assert!(names(b"before") >= 5 && names(b"after") == 1);
    assert_eq!(state.written + state.lost, stopped.written + stopped.lost - 1, "and the gate's line");
}

/// The state of the ledger once it is as wanted: the sink's thread is a moment behind the engine.
fn settled(
    engine: &Engine,
    ledger: &Ledger,
    wanted: impl Fn(&khelper::abi::sink::LedgerState) -> bool,
) -> khelper::abi::sink::LedgerState {
    let deadline = Instant::now() + PATIENCE;
    loop {
        let state = ledger.stats();
        if state.lag_us == 0 && wanted(&state) {
            return state;
        }
        assert!(Instant::now() < deadline, "{state:?} {:?}", engine.snapshot().totals.records_lost);
        std::thread::sleep(Duration::from_millis(2));
    }
}
