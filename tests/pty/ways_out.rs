//! The terminal on every way out, and on the way through a stop.

use nix::sys::signal::{Signal, kill};

use crate::pty::Start;

/// What every screen says.
const BANNER: &str = "embedded engine (pid ";

#[test]
fn a_quit_gives_the_terminal_back() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows(BANNER);
    assert!(pty.is_raw() && pty.screen().alternate_screen() && pty.screen().bracketed_paste());
    pty.send("q");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
}

#[test]
fn signals_end_it_with_128_and_their_number() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        let mut pty = Start::khelper(80, 24).start();
        pty.shows(BANNER);
        pty.signal(signal);
        assert_eq!(pty.ends(), 128 + signal as i32);
        pty.is_restored();
    }
}

#[test]
fn a_hang_up_ends_it() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows(BANNER);
    pty.hang_up();
    assert_eq!(pty.ends(), 129);
}

#[test]
fn a_hang_up_ends_it_under_nohup_too() {
    let mut pty = Start::khelper(80, 24).ignoring_hangup().start();
    pty.shows(BANNER);
    // The signal alone does not: whoever asked for nohup meant it.
    pty.signal(Signal::SIGHUP);
    pty.frame_after(|pty| pty.resize(40, 10));
    pty.hang_up();
    assert_eq!(pty.ends(), 129);
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_neither_signals_nor_the_end() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows(BANNER);
    pty.stall(true);
    pty.resize(70, 20);
    pty.send("?");
    pty.signal(Signal::SIGTERM);
    assert_eq!(pty.ends(), 143);
    pty.modes_are_restored();
}

#[test]
fn a_terminal_that_goes_on_shows_the_newest() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows(BANNER);
    pty.stall(true);
    pty.resize(70, 20);
    pty.resize(60, 20);
    pty.frame_after(|pty| pty.stall(false));
    pty.shows(BANNER);
    pty.send("q");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
}

/// A shell with job control that runs khelper, and brings it back when a line is typed.
fn under_a_shell() -> Start {
    let script = "set -m; \"$1\"; echo \"stopped $?\"; read line; fg >/dev/null; echo \"ended $?\"";
    Start::program(80, 24, "/bin/sh").args(["-c", script, "sh", env!("CARGO_BIN_EXE_khelper")])
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_comes_back() {
    let mut pty = under_a_shell().start();
    pty.shows(BANNER);
    pty.send("\x1a");
    pty.shows("stopped 1");
    pty.is_restored();
    pty.send("\n");
    pty.until("the console again", |s| s.alternate_screen() && s.contents().contains(BANNER));
    assert!(pty.is_raw());
    assert!(pty.screen().bracketed_paste() && pty.screen().hide_cursor());
    pty.send("q");
    pty.shows("ended 0");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
}

#[test]
fn a_stop_from_outside_gives_the_terminal_back_too() {
    let mut pty = under_a_shell().start();
    pty.shows(BANNER);
    kill(pty.engine(), Signal::SIGTSTP).unwrap();
    pty.shows("stopped 1");
    pty.is_restored();
    pty.send("\n");
    pty.until("the console again", |s| s.alternate_screen() && s.contents().contains(BANNER));
    pty.send("q");
    pty.shows("ended 0");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
}

#[test]
fn pasted_text_never_acts_as_keys() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows(BANNER);
    pty.send("\x1b[200~q\x1b[2");
    pty.send("01~");
    pty.send("\x1b[200~q\x03\x1b\rq\x1b[201~");
    // It lives, and listens.
    pty.frame_after(|pty| pty.resize(60, 20));
    pty.shows(BANNER);
    pty.send("q");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
}

#[test]
fn any_size_is_drawn() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows(BANNER);
    for (columns, rows) in [(1, 1), (2, 1), (1, 200), (500, 1), (65535, 65535), (0, 0), (7, 3)] {
        pty.frame_after(|pty| pty.claim(columns, rows));
    }
    pty.resize(80, 24);
    pty.shows(BANNER);
    pty.send("q");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
}

#[test]
fn without_a_terminal_it_says_so() {
    let mut pty = Start::khelper(80, 24).without_input().start();
    assert_eq!(pty.ends(), 2);
    assert!(pty.text().contains("request"), "{}", pty.text());
    pty.is_restored();
}

#[test]
fn on_a_terminal_that_shows_lines_only_it_says_so() {
    let mut pty = Start::khelper(80, 24).env("TERM", "dumb").start();
    assert_eq!(pty.ends(), 2);
    assert!(pty.flat().contains("terminal of the type `dumb` (TERM): Operation not supported"), "{}", pty.text());
    assert!(!pty.wrote.contains(&0x1b), "{}", pty.text());
    pty.is_restored();
}

#[test]
fn without_an_alternate_screen_the_shell_goes_on_below_the_page() {
    let mut pty = Start::khelper(80, 24).start();
    pty.shows(BANNER);
    pty.send("q");
    assert_eq!(pty.ends(), 0);
    let wrote = String::from_utf8_lossy(&pty.wrote).replace("\x1b[?1049h", "").replace("\x1b[?1049l", "");
    let mut terminal = vt100::Parser::new(24, 80, 0);
    terminal.process(wrote.as_bytes());
    let screen = terminal.screen();
    assert_eq!((screen.cursor_position(), screen.hide_cursor()), ((23, 0), false));
    assert!(screen.contents().contains("q quit") && screen.rows(0, 80).last().unwrap().is_empty());
}
