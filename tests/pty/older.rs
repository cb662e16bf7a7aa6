//! Records that are older than the session: read from the ledger, found by outcome and time, embedded and of a daemon.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::path::Path;
use std::sync::Arc;
use std::sync::atomic::{AtomicI64, Ordering};
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use khelper::abi::actor::Origin;
use khelper::abi::path::parse_modprobe;
use khelper::abi::record::Record;
use khelper::abi::sink::RecordSink;
use khelper::control::Key;
use khelper::engine::{Engine, KnobWrite};
use khelper::ledger::clocks::Clocks;
use khelper::ledger::writer::{Ledger, Options};
use khelper::sys::linux::LinuxHost;
use khelper::sys::process;

use crate::daemon::Daemon;
use crate::line_mode::Lines;
use crate::pty::{Pty, Start};
use crate::steps::{ENTER, ESC, FAILING, QUICK, SIZES, answers, ask, quits};

/// How many helpers succeeded yesterday, before and after the one that failed.
const FINE: u64 = 300;

/// A clock that is set.
struct Set(AtomicI64);

impl Clocks for Set {
    fn wall(&self) -> i64 {
        self.0.load(Ordering::Relaxed)
    }
    fn monotonic(&self) -> u64 {
        process::monotonic()
    }
}

/// Writes yesterday's records: real helpers, written by the writer with a clock of yesterday.
fn yesterday(folder: &Path, target: &'static str) {
    let ago = Duration::from_secs(86_400);
    let then = SystemTime::now() - ago;
    let micros = i64::try_from(then.duration_since(UNIX_EPOCH).unwrap().as_micros()).unwrap();
    let clock = Arc::new(Set(AtomicI64::new(micros)));
    let options = Options { clocks: clock.clone(), ..Options::new(folder, target) };
    let ledger = Ledger::open(options, &LinuxHost::new()).unwrap();
    let engine = Engine::builder().start().unwrap();
    let run = |modprobe: &str, name: &str| {
        let path = KnobWrite::Modprobe(parse_modprobe(modprobe.as_bytes()).unwrap());
        engine.write(&[path], Origin::Library).unwrap();
        engine.request_module(name, true)
    };
    let (fine, failed) = (run(QUICK, "quiet"), run(FAILING, "nfs_old"));
    let first = ledger.first_id();
    for n in 0..=2 * FINE {
        let record = if n == FINE { &failed } else { &fine };
        let wall = then + Duration::from_millis(n);
        clock.0.fetch_add(1_000, Ordering::Relaxed);
        let mut record = Record::clone(record);
        (record.id, record.wall) = (first + n, wall);
        ledger.finished(&Arc::new(record));
    }
    ledger.close();
}

/// Four keys lead from the Overview to the failure and its stderr, three where the record has room beside its row.
fn finds(pty: &mut Pty, is_tall: bool) {
    let mut pressed = 0;
    let mut press = |pty: &mut Pty, key: &str, shows: &str| {
        pressed += 1;
        pty.press(key, shows);
    };
    press(pty, "3", "[3 Activity]");
    // Today there was one too.
    pty.shows(if pty.screen().size().1 >= 76 { "from the ledger" } else { " rows of 602" });
    press(pty, "O", "outcome failed");
    press(pty, "Y", "yesterday");
    pty.shows("nfs_old");
    pty.shows("1-1 of 1");
    if !is_tall {
        press(pty, ENTER, "esc back");
    }
    // Without a page down, at every size.
    pty.shows("failing: no module nfs_old");
    assert_eq!(pressed, if is_tall { 3 } else { 4 });
    if !is_tall {
        pty.send(ESC);
        pty.hides("esc back");
    }
    // One filter is taken away, and then all.
    pty.press("\x7f", "the time of the filter");
    pty.shows("nfs_new");
    pty.send(ESC);
    pty.press(ESC, "all records are shown again");
    // Equal ones share a row, in the ledger too; and one row can be unfolded alone.
    pty.shows(" rows of 602");
    pty.press("\x1b[F", ">#301 ");
    pty.press("\x1b[A", ">#601 ");
    if pty.screen().size().1 >= 76 {
        pty.shows("×600");
    }
    pty.press("\x1b[C", "600 equal requests, one by one");
    pty.press("\x1b[B", "├ quiet");
    pty.press("\x1b[D", "600 equal requests, in one row again");
    pty.press("+", "every request has a row");
    pty.shows("of 602");
    pty.press("\x1b[F", ">#1 ");
    pty.press("k", "nothing to kill");
    pty.press("\x1b[H", ">#602");
    // Letters in their order, where no record has the word.
    pty.send("/nfsld\r");
    pty.shows("letters nfsld");
    pty.shows("nfs_old");
    quits(pty);
}

#[test]
fn a_failure_of_yesterday_is_found_in_four_keys() {
    for (columns, rows) in SIZES {
        let folder = tempfile::tempdir().unwrap();
        let ledger = folder.path().join("ledger");
        yesterday(&ledger, "embedded");
        let state = folder.path().join("state");
        let options = ["--target", "embedded", "--ledger", ledger.to_str().unwrap(), "--set"];
        let modprobe = format!("kernel.modprobe={FAILING}");
        let start = Start::khelper(columns, rows).args(options).args([&modprobe]).env("XDG_STATE_HOME", &state);
        let mut pty = start.start();
        pty.shows("[engine]");
        ask(&mut pty, "nfs_new", 1);
        // Not only that it runs: a later answer would wait behind the next one.
        answers(&mut pty, "#602 nfs_new: ");
        finds(&mut pty, rows >= 40);
    }
}

/// The same in line mode, in four lines: of an engine of its own, and of a daemon.
#[test]
fn a_failure_of_yesterday_is_found_in_four_lines() {
    let finds = |mut lines: Lines| {
        lines.says("activity", "Activity:");
        lines.says("failures", "outcome failed");
        let said = lines.says("yesterday", "nfs_old");
        assert!(said.contains("1. ") && !said.contains("2. "), "{said}");
        lines.says("open 1", "stderr  failing: no module nfs_old");
        assert_eq!(lines.typed, 4);
        lines.types("back");
        lines.quits();
    };
    let folder = tempfile::tempdir().unwrap();
    let ledger = folder.path().join("ledger");
    yesterday(&ledger, "embedded");
    finds(Lines::with(&["--target", "embedded", "--ledger", ledger.to_str().unwrap()].map(str::to_owned)));
    let mut daemon = Daemon::start();
    daemon.kill();
    yesterday(&daemon.folder().join("ledger"), "daemon");
    daemon.again();
    finds(Lines::with(&["--target".to_owned(), daemon.target()]));
}

/// The daemon answers from its ledger: the console reads none of its files.
#[test]
fn a_failure_of_yesterday_is_found_in_a_daemons_ledger() {
    for (columns, rows) in SIZES {
        let mut daemon = Daemon::start();
        daemon.kill();
        yesterday(&daemon.folder().join("ledger"), "daemon");
        daemon.again();
        daemon.set(Key::Modprobe, FAILING.as_bytes());
        let mut pty = Start::khelper(columns, rows).args(["--target".to_owned(), daemon.target()]).start();
        pty.shows("daemon unix:");
        ask(&mut pty, "nfs_new", 1);
        // Not only that it runs: a later answer would wait behind the next one.
        answers(&mut pty, "#602 nfs_new: ");
        finds(&mut pty, rows >= 40);
    }
}
