//! An idle console does nothing: every thread sleeps in a call without a timeout.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::ffi::OsString;
use std::fs;
use std::path::Path;
use std::sync::Arc;
use std::thread;
use std::time::{Duration, Instant};

use khelper::control::local::Local;
use khelper::engine::Engine;
use khelper::sys::probe::PROBE_ARG;
use khelper::sys::signals::Signals;
use khelper::tui::{self, Options};
use nix::sys::signal::Signal;

use crate::host::Odd;
use crate::pty::{Pty, Start};
use crate::steps::quits_without_the_draft;

/// Whether the thread sleeps in `poll` or `futex` without a timeout; `None` if this machine does not show it.
fn sleeps_for_good(task: &Path) -> Option<bool> {
    let call = match fs::read_to_string(task.join("syscall")) {
        Ok(call) => call,
        // The kernel has no such file, or denies it; a thread that has just ended has no directory.
        Err(_) if task.exists() => return None,
        Err(_) => return Some(false),
    };
    // `running`, or the number of the call and its arguments in hexadecimal.
    let mut words = call.split_whitespace();
    let Some(number) = words.next().and_then(|n| n.parse::<libc::c_long>().ok()) else { return Some(false) };
    let arguments: Vec<u64> = words.filter_map(|w| u64::from_str_radix(w.strip_prefix("0x")?, 16).ok()).collect();
    // futex: the timeout's address is the fourth argument; poll: the third is milliseconds, an int.
    let waits = match number {
        libc::SYS_futex => arguments.get(3) == Some(&0),
        #[cfg(target_arch = "x86_64")]
        libc::SYS_poll => arguments.get(2).is_some_and(|ms| *ms as u32 == u32::MAX),
        // On machines that have only ppoll, the timeout's address is the third.
        libc::SYS_ppoll => arguments.get(2) == Some(&0),
        _ => false,
    };
    Some(waits)
}

/// Every thread and its count of context switches; empty unless all of them sleep without a timeout. `None` if this
/// machine does not show it.
fn asleep(tasks: &str) -> Option<Vec<(OsString, u64)>> {
    let mut all = Vec::new();
    for task in fs::read_dir(tasks).unwrap() {
        let task = task.unwrap();
        if !sleeps_for_good(&task.path())? {
            return Some(Vec::new());
        }
        let status = fs::read_to_string(task.path().join("status")).unwrap_or_default();
        let times = status.lines().filter(|line| line.contains("voluntary_ctxt_switches:"));
        all.push((task.file_name(), times.filter_map(|line| line.rsplit('\t').next()?.parse::<u64>().ok()).sum()));
    }
    Some(all)
}

/// Waits until no thread can run without an outside event: each is seen asleep twice without a timeout, and none has
/// run between. Then nothing can be written. Prints what it saw; `false` if this machine does not show it.
fn falls_asleep(pty: &Pty) -> bool {
    let tasks = format!("/proc/{}/task", pty.pid());
    let deadline = Instant::now() + Duration::from_secs(20);
    loop {
        let (Some(one), Some(other)) = (asleep(&tasks), asleep(&tasks)) else {
            let _ = std::io::Write::write_all(
                &mut std::io::stderr(),
                b"skipped: the kernel does not show what a thread waits in\n",
            );
            return false;
        };
        if one.len() > 1 && one == other {
            return true;
        }
        assert!(Instant::now() < deadline, "some thread goes on waking up");
        thread::yield_now();
    }
}

#[test]
fn an_idle_console_only_sleeps() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows("embedded engine (pid ");
    // A paste without an end does not keep it awake after it was dropped.
    pty.send("\x1b[200~x");
    pty.shows("the pasted text was ignored");
    if falls_asleep(&pty) {
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    }
}

/// The graph of the last minutes stands still when nothing changes: its right end is the last change, not now.
#[test]
fn an_overview_with_a_graph_only_sleeps() {
    for (columns, rows) in [(80, 24), (120, 40), (200, 60)] {
        let mut pty = Start::khelper(columns, rows).args(["--set", "kernel.modprobe=/bin/true"]).start();
        pty.shows("[1 Overview]");
        pty.press(":", "Command");
        pty.send("request --repeat 20 foo\r");
        pty.shows("20 asked, ");
        pty.until("the graph, and nothing that runs", |s| {
            let dots = s.contents().chars().any(|c| ('\u{2801}'..='\u{28ff}').contains(&c));
            dots && s.contents().contains("0 running")
        });
        if falls_asleep(&pty) {
            pty.send("q");
            assert_eq!(pty.ends(), 0);
        }
    }
}

const HOW: &str = "KHELPER_IDLE";

/// The console over a fake host, where a minute can pass at once; ends the process.
fn console() -> ! {
    let signals = Signals::take(&[Signal::SIGWINCH]).unwrap();
    let builder = Engine::builder().fix_sigchld(true).host(Arc::new(Odd::default()));
    let engine = builder.probe(env!("CARGO_BIN_EXE_khelper").into(), PROBE_ARG).start().unwrap();
    let code = tui::run(
        &Local::shared(&engine),
        &signals,
        Options { read_only: false, mouse: true, ascii: false, theme: None },
    );
    std::process::exit(code.into())
}

#[test]
fn a_console_that_has_seen_everything_only_sleeps_once_nothing_runs() {
    if std::env::var_os(HOW).is_some() {
        console();
    }
    let folder = tempfile::tempdir().unwrap();
    let test = "idle::a_console_that_has_seen_everything_only_sleeps_once_nothing_runs";
    let start = Start::again(80, 24, test).args(["--test-threads=1"]);
    let mut pty = start.env(HOW, "1").env("XDG_STATE_HOME", folder.path()).start();
    pty.shows("embedded engine (pid ");
    pty.press("2", "> cap_sys_module");
    pty.press(" ", "· drops  ");
    pty.press("p", "the built-in probe");
    pty.press("\r", "Rehearsal");
    crate::steps::compared(&mut pty);
    pty.send("\x1b");
    pty.hides("Rehearsal");
    pty.press("4", "[4 Log]");
    pty.press("1", "[1 Overview]");
    pty.press(":", "Command");
    pty.press("run -- /bin/true\r", "/bin/true: ✓ exit 0");
    pty.press("3", "of 3");
    pty.press("\r", "esc back");
    pty.send("\x1b");
    pty.hides("esc back");
    pty.press("w", "Save records");
    pty.send(format!("\x15{}\r", folder.path().join("records").display()));
    pty.shows("saved 3 records");
    pty.press("1", "3 launched");
    pty.press("e", "Edit kernel.modprobe");
    pty.send("\x15/later\r\r");
    pty.shows("modprobe     /later");
    if falls_asleep(&pty) {
        quits_without_the_draft(&mut pty);
    }
}
