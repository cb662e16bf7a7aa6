//! `khelper --demo`, as a newcomer takes it: no root, no modprobe, no home that can be written.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::fs;
use std::os::fd::{AsFd, OwnedFd};
use std::thread;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::Signal;
use nix::unistd::Pid;
use rustix::process::{PidfdFlags, pidfd_open};
use vt100::Screen;

use crate::pty::{Pty, Start};
use crate::steps::{ENTER, ESC, SIZES, ask, has_more, leaves, opens, page_shows, turns};

/// How long a helper may outlive its demo, in milliseconds: less than the slow ones take by themselves.
const SOON: u16 = 20_000;

fn demo(columns: u16, rows: u16) -> Pty {
    let mut pty =
        Start::khelper(columns, rows).args(["--demo"]).env("HOME", "/dev/null").without("XDG_STATE_HOME").start();
    pty.shows("[demo]");
    pty
}

/// The helpers of this process that run now.
fn helpers(of: Pid) -> Vec<OwnedFd> {
    let mut found = Vec::new();
    for entry in fs::read_dir("/proc").unwrap() {
        let path = entry.unwrap().path();
        let stat = fs::read_to_string(path.join("stat")).unwrap_or_default();
        let Some((pid, rest)) =
            stat.split_once(' ').zip(stat.rsplit_once(')')).map(|((pid, _), (_, rest))| (pid, rest))
        else {
            continue;
        };
        let parent = rest.split_whitespace().nth(1).and_then(|parent| parent.parse().ok());
        let process = rustix::process::Pid::from_raw(pid.parse().unwrap()).unwrap();
        if parent == Some(of.as_raw())
            && fs::read(path.join("cmdline")).is_ok_and(|line| line.starts_with(b"/proc/self/exe\0-q\0--\0"))
        {
            found.extend(pidfd_open(process, PidfdFlags::empty()));
        }
    }
    found
}

/// Waits until these processes have ended.
fn end(helpers: &[OwnedFd]) {
    for helper in helpers {
        let mut fds = [PollFd::new(helper.as_fd(), PollFlags::POLLIN)];
        assert_eq!(poll(&mut fds, PollTimeout::from(SOON)), Ok(1), "a helper outlives its demo");
    }
}

/// The terminal's cursor stands on the helper that takes its time, which was the first to start.
fn stands_on_what_runs(pty: &mut Pty) {
    pty.until("raid456 under the cursor", |s| {
        let (row, _) = s.cursor_position();
        s.rows(0, 200).nth(row.into()).is_some_and(|text| text.contains("raid456"))
    });
}

fn says_what_it_is(pty: &Pty) {
    let text = pty.text();
    let first = text.lines().next().unwrap();
    assert!(first.contains("[demo") && first.contains("a demo"), "{text}");
}

#[test]
fn the_whole_tour() {
    thread::scope(|scope| {
        for (columns, rows) in SIZES {
            scope.spawn(move || tour(&mut demo(columns, rows)));
        }
    });
}

/// The tour is at this step: a small screen has a shorter form.
fn is_at(text: &str, number: u8) -> bool {
    text.contains(&format!("Tour {number} of 8")) || text.contains(&format!("Tour {number}/8"))
}

fn step(pty: &mut Pty, number: u8) {
    pty.until(&format!("step {number}"), |s| is_at(&s.contents(), number));
}

/// Requests `dummy`, and waits for its end. Returns its row, which is the newest one and that of the cursor.
fn asks_for_dummy(pty: &mut Pty) -> String {
    let newest = |s: &Screen| s.contents().lines().find(|row| row.starts_with('>')).unwrap_or_default().to_owned();
    let before = newest(pty.screen());
    ask(pty, "dummy", 1);
    let is_over = |row: &str| row.contains("exit ") || row.contains("refused");
    pty.until("its end", |s| newest(s) != before && is_over(&newest(s)));
    newest(pty.screen())
}

fn tour(pty: &mut Pty) {
    // What holds the slots: the cursor is on it.
    step(pty, 1);
    stands_on_what_runs(pty);
    opens(pty);
    step(pty, 2);
    pty.shows("module raid456");
    says_what_it_is(pty);
    leaves(pty);
    // Why one failed: by another way than the tour names.
    pty.press("3", "[3 Activity]");
    pty.send("/nvidia");
    pty.until("the filter", |s| s.contents().contains("nvidia") && !s.contents().contains("ext4"));
    pty.send(ENTER);
    pty.until("it has ended", |s| s.contents().contains("exit 1"));
    opens(pty);
    page_shows(pty, "Key was rejected by service");
    step(pty, 3);
    leaves(pty);
    pty.send("/");
    pty.send(ESC);
    // A draft, rehearsed.
    pty.press("2", "> cap_sys_module");
    pty.send(" ");
    step(pty, 4);
    says_what_it_is(pty);
    pty.press("p", "the built-in probe");
    pty.send(ENTER);
    step(pty, 5);
    pty.shows("nothing is applied");
    // Not with `leaves`: a small screen has no room for its key.
    pty.send(ESC);
    pty.hides("━ Rehearsal ");
    // Applied, typed out, after the list was read to its end.
    pty.press("w", "type `drop cap_sys_module`");
    while has_more(pty) {
        turns(pty);
    }
    pty.send("drop cap_sys_module");
    pty.send(ENTER);
    step(pty, 6);
    pty.hides("type `drop");
    // The next helper has it no more. Where it had it before, it cannot insert a module now.
    pty.press("3", "[3 Activity]");
    pty.send("/dummy");
    pty.send(ENTER);
    pty.shows("filter dummy");
    // The page of nvidia has ended that the cursor follows the newest.
    pty.send("f");
    // The loop of the demo may have taken every slot: again, until the newest one ran.
    while !asks_for_dummy(pty).contains("exit ") {}
    opens(pty);
    step(pty, 7);
    page_shows(pty, "all but cap_sys_module");
    leaves(pty);
    // Another target: it is a demo too, and says so.
    pty.press("t", "[demo-2]");
    step(pty, 8);
    let left = helpers(pty.pid());
    assert!(!left.is_empty(), "{}", pty.text());
    // It does not ask about helpers that end with it.
    pty.send("q");
    assert_eq!(pty.ends(), 0, "{}", pty.text());
    pty.is_restored();
    assert!(!pty.text().contains("left running"), "{}", pty.text());
    end(&left);
}

#[test]
fn a_small_screen_says_that_the_reasons_are_hidden() {
    let (columns, rows) = SIZES[2];
    let mut pty = demo(columns, rows);
    pty.shows("Tour 1/8: enter on raid456; why hidden");
    says_what_it_is(&pty);
    // Skipped, gone back to, hidden, shown.
    pty.send(ESC);
    pty.shows("Tour 2/8");
    pty.press("D", "Tour 1/8");
    pty.send("d");
    pty.hides("Tour 1/8");
    pty.press("d", "Tour 1/8");
    stands_on_what_runs(&mut pty);
    opens(&mut pty);
    pty.shows("Tour 2/8");
    leaves(&mut pty);
    pty.send("q");
    assert_eq!(pty.ends(), 0, "{}", pty.text());
}

#[test]
fn a_killed_demo_leaves_no_process() {
    let mut pty = demo(80, 24);
    let mut left = helpers(pty.pid());
    while left.is_empty() {
        // The first ones are asked for at once.
        thread::yield_now();
        left = helpers(pty.pid());
    }
    pty.signal(Signal::SIGKILL);
    assert_eq!(pty.ends(), 1009);
    end(&left);
}

#[test]
fn a_machine_without_modprobe_offers_the_tour() {
    thread::scope(|scope| {
        for (columns, rows) in SIZES {
            scope.spawn(move || {
                let absent = ["--set", "kernel.modprobe=/no/such/modprobe"];
                let mut pty = Start::khelper(columns, rows).args(absent).env("HOME", "/dev/null").start();
                pty.shows("[engine]");
                pty.shows(if columns >= 80 { "This machine has no /no/such/modprobe" } else { "d takes a tour" });
                let pid = pty.pid();
                pty.press("d", "[demo]");
                pty.shows("Tour 1");
                assert_eq!(pty.pid(), pid);
                pty.send("q");
                assert_eq!(pty.ends(), 0, "{}", pty.text());
                pty.is_restored();
            });
        }
    });
}
