//! Signals that end the console while a helper is alive, in any state of the console: the terminal is restored, the
//! helper is left running and named (UMH-14).
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

use std::fs::File;
use std::io::{Read, Seek};
use std::os::fd::AsFd;
use std::thread;

use nix::poll::{PollFd, PollFlags, poll};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use rustix::process::PidfdFlags;

use crate::pty::{Pty, Start, pid_after};
use crate::steps::{ENTER, HOLD, SIZES, ask, runs};

const ENDING: [Signal; 4] = [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT];
/// A shell that does not report a job as stopped if it has ended meanwhile: it notices the end when it waits for
/// another job.
const WAIT: &str = "/bin/true; wait %1";
const LEFT: &str = "left running: #1 foo (pid ";

fn set() -> [String; 2] {
    ["--set".to_owned(), format!("kernel.modprobe={HOLD}")]
}

/// The console with one live helper.
fn with_helper(start: Start) -> Pty {
    let mut pty = start.start();
    pty.shows("[engine]");
    ask(&mut pty, "foo", 1);
    runs(&mut pty, "#1 foo");
    pty
}

/// Checks that the helper named by `said` is alive, and ends it.
fn left_and_named(said: &str) {
    let pid = pid_after(said, LEFT).unwrap_or_else(|| panic!("no `{LEFT}` in: {said}"));
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("it is alive");
    assert!(!stat.contains(") Z "), "{stat}");
    kill(pid, Signal::SIGKILL).unwrap();
}

/// Runs the test with each of the signals, in every size at the same time.
fn everywhere(journey: impl Fn((u16, u16), Signal) + Sync) {
    thread::scope(|scope| {
        for size in SIZES {
            let journey = &journey;
            scope.spawn(move || ENDING.into_iter().for_each(|signal| journey(size, signal)));
        }
    });
}

/// Brings the console into a state, then lets each of the signals end it, in every size.
fn ended_while(at: impl Fn(&mut Pty) + Sync) {
    everywhere(|(columns, rows), signal| {
        let mut pty = with_helper(Start::khelper(columns, rows).args(set()));
        at(&mut pty);
        pty.signal(signal);
        assert_eq!(pty.ends(), 128 + signal as i32, "{}", pty.text());
        pty.is_restored();
        left_and_named(&pty.text());
    });
}

#[test]
fn signals_leave_helpers_running_and_name_them() {
    ended_while(|_| {});
}

#[test]
fn signals_end_it_with_a_dialog_open() {
    ended_while(|pty| pty.press("c", "Call a helper"));
}

#[test]
fn signals_end_it_while_it_asks_what_becomes_of_helpers() {
    ended_while(|pty| pty.press("q", "Quit?"));
}

#[test]
fn signals_end_it_while_it_waits_for_helpers() {
    ended_while(|pty| {
        pty.press("q", "Quit?");
        pty.press("w", "> wait");
        pty.send(ENTER);
        pty.says("quits when the last helper has ended");
    });
}

#[test]
fn signals_end_it_while_the_gate_drains() {
    ended_while(|pty| {
        pty.press("g", "The gate");
        pty.press("d", "> disable");
        pty.send(ENTER);
        pty.until("the drain", |s| ["disabled, draining", "gate disabled"].iter().any(|w| s.contents().contains(w)));
    });
}

#[test]
fn signals_end_it_in_a_terminal_that_takes_nothing() {
    everywhere(|(columns, rows), signal| {
        let mut errors = tempfile::tempfile().unwrap();
        let start = Start::khelper(columns, rows).args(set()).errors_to(errors.try_clone().unwrap());
        let mut pty = with_helper(start);
        pty.stall(true);
        pty.resize(70, 20);
        pty.signal(signal);
        assert_eq!(pty.ends(), 128 + signal as i32);
        pty.modes_are_restored();
        left_and_named(&all(&mut errors));
    });
}

fn all(file: &mut File) -> String {
    let mut text = String::new();
    file.rewind().and_then(|()| file.read_to_string(&mut text)).unwrap();
    text
}

/// A shell with job control that runs the console, and executes `then` once the console is stopped and a line is typed.
fn under_a_shell((columns, rows): (u16, u16), then: &str) -> Pty {
    let script = format!("set -m; \"$@\"; echo \"stopped $?\"; read line; {then}; echo \"ended $?\"");
    let args = ["-c", &script, "sh", env!("CARGO_BIN_EXE_khelper")].map(str::to_owned);
    with_helper(Start::program(columns, rows, "/bin/sh").args(args.into_iter().chain(set())))
}

/// Waits until that process has ended.
fn over(pid: Pid) {
    let pid = rustix::process::Pid::from_raw(pid.as_raw()).unwrap();
    let Ok(pidfd) = rustix::process::pidfd_open(pid, PidfdFlags::empty()) else { return };
    let mut fds = [PollFd::new(pidfd.as_fd(), PollFlags::POLLIN)];
    assert_eq!(poll(&mut fds, 20_000u16).unwrap(), 1, "it does not end");
}

fn ended_by(pty: &mut Pty, signal: Signal) {
    pty.shows(&format!("ended {}", 128 + signal as i32));
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
    left_and_named(&pty.text());
}

#[test]
fn signals_end_a_stopped_console_that_comes_back() {
    everywhere(|size, signal| {
        let mut pty = under_a_shell(size, "fg >/dev/null");
        let engine = pty.engine();
        pty.send("\x1a");
        pty.shows("stopped 1");
        kill(engine, signal).unwrap();
        pty.send("\n");
        ended_by(&mut pty, signal);
    });
}

#[test]
fn signals_end_a_stopped_console_in_the_background() {
    everywhere(|size, signal| {
        let mut pty = under_a_shell(size, WAIT);
        let engine = pty.engine();
        pty.send("\x1a");
        pty.shows("stopped 1");
        pty.is_restored();
        let wrote = pty.wrote.len();
        // Continued without the signal, it stops again; neither time does it take the terminal from the shell.
        for sent in [Signal::SIGCONT, signal, Signal::SIGCONT] {
            kill(engine, sent).unwrap();
        }
        over(engine);
        pty.send("\n");
        ended_by(&mut pty, signal);
        assert!(!pty.wrote[wrote..].contains(&0x1b), "{:?}", String::from_utf8_lossy(&pty.wrote[wrote..]));
    });
}

#[test]
fn a_console_that_was_stopped_by_force_gives_the_terminal_back_from_the_background() {
    everywhere(|size, signal| {
        let mut pty = under_a_shell(size, WAIT);
        let engine = pty.engine();
        kill(engine, Signal::SIGSTOP).unwrap();
        pty.writes(b"stopped 1");
        assert!(pty.is_raw() && pty.screen().alternate_screen());
        for sent in [signal, Signal::SIGCONT] {
            kill(engine, sent).unwrap();
        }
        over(engine);
        pty.modes_are_restored();
        pty.send("\n");
        ended_by(&mut pty, signal);
    });
}

#[test]
fn a_console_that_is_continued_in_the_background_waits_for_its_turn() {
    for size in SIZES {
        let mut pty = under_a_shell(size, "fg >/dev/null");
        let engine = pty.engine();
        pty.send("\x1a");
        pty.shows("stopped 1");
        kill(engine, Signal::SIGCONT).unwrap();
        pty.send("\n");
        pty.until("the console again", |s| s.alternate_screen() && s.contents().contains("#1 foo"));
        pty.signal(Signal::SIGCONT);
        kill(engine, Signal::SIGTERM).unwrap();
        ended_by(&mut pty, Signal::SIGTERM);
    }
}
