//! The terminal at every kind of exit, and through a stop.

#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

use std::process::Command;
use std::thread;

use nix::sys::signal::{Signal, kill};
use rustix::termios::{InputModes, LocalModes, OutputModes, Termios};

use crate::pty::{Pty, Start};
use crate::steps::{SIZES, TARGET};

/// In every size at the same time, started by `start`.
fn started(start: impl Fn(u16, u16) -> Start + Sync, journey: impl Fn(&mut Pty) + Sync) {
    thread::scope(|scope| {
        for (columns, rows) in SIZES {
            let (start, journey) = (&start, &journey);
            scope.spawn(move || {
                let mut pty = start(columns, rows).start();
                pty.shows(TARGET);
                journey(&mut pty);
            });
        }
    });
}

fn everywhere(journey: impl Fn(&mut Pty) + Sync) {
    started(Start::khelper, journey);
}

/// After it restored the terminal.
fn ends(pty: &mut Pty, code: i32) {
    assert_eq!(pty.ends(), code);
    pty.is_restored();
}

#[test]
fn a_quit_gives_the_terminal_back() {
    everywhere(|pty| {
        assert!(pty.is_raw() && pty.screen().alternate_screen() && pty.screen().bracketed_paste());
        pty.send("q");
        ends(pty, 0);
    });
}

#[test]
fn signals_end_it_with_128_and_their_number() {
    for signal in [Signal::SIGTERM, Signal::SIGHUP, Signal::SIGINT, Signal::SIGQUIT] {
        everywhere(|pty| {
            pty.signal(signal);
            ends(pty, 128 + signal as i32);
        });
    }
}

#[test]
fn a_hang_up_ends_it() {
    everywhere(|pty| {
        pty.hang_up();
        assert_eq!(pty.ends(), 129);
    });
}

#[test]
fn a_hang_up_ends_it_under_nohup_too() {
    started(
        |columns, rows| Start::khelper(columns, rows).ignoring_hangup(),
        |pty| {
            // The signal alone does not: a user of nohup asked for that.
            pty.signal(Signal::SIGHUP);
            pty.frame_after(|pty| pty.resize(50, 12));
            pty.hang_up();
            assert_eq!(pty.ends(), 129);
        },
    );
}

#[test]
fn a_terminal_that_takes_nothing_holds_up_neither_signals_nor_the_end() {
    everywhere(|pty| {
        pty.stall(true);
        pty.resize(70, 20);
        pty.send("?");
        pty.signal(Signal::SIGTERM);
        assert_eq!(pty.ends(), 143);
        pty.modes_are_restored();
    });
}

#[test]
fn a_terminal_that_goes_on_shows_the_newest() {
    everywhere(|pty| {
        pty.stall(true);
        pty.resize(70, 20);
        pty.resize(60, 20);
        pty.frame_after(|pty| pty.stall(false));
        pty.shows(TARGET);
        pty.send("q");
        ends(pty, 0);
    });
}

/// A shell with job control that runs khelper, and continues it when a line is typed.
fn under_a_shell(columns: u16, rows: u16) -> Start {
    let script = "set -m; \"$1\"; echo \"stopped $?\"; read line; fg >/dev/null; echo \"ended $?\"";
    Start::program(columns, rows, "/bin/sh").args(["-c", script, "sh", env!("CARGO_BIN_EXE_khelper")])
}

#[test]
fn ctrl_z_gives_the_terminal_back_and_comes_back() {
    started(under_a_shell, |pty| {
        pty.send("\x1a");
        pty.shows("stopped 1");
        pty.is_restored();
        pty.send("\n");
        pty.until("the console again", |s| s.alternate_screen() && s.contents().contains(TARGET));
        assert!(pty.is_raw() && pty.screen().bracketed_paste());
        // The cursor stands on the chosen row; on a small screen that may be one that comes after the first frame.
        pty.until("the cursor", |s| !s.hide_cursor());
        pty.send("q");
        pty.shows("ended 0");
        ends(pty, 0);
    });
}

#[test]
fn a_stop_from_outside_gives_the_terminal_back_too() {
    started(under_a_shell, |pty| {
        kill(pty.engine(), Signal::SIGTSTP).unwrap();
        pty.shows("stopped 1");
        pty.is_restored();
        pty.send("\n");
        pty.until("the console again", |s| s.alternate_screen() && s.contents().contains(TARGET));
        pty.send("q");
        pty.shows("ended 0");
        ends(pty, 0);
    });
}

/// Modes of a line editor: keys come one by one, output and signals as usual.
fn line_editor(modes: &mut Termios) {
    modes.local_modes.remove(LocalModes::ICANON | LocalModes::ECHO);
    modes.local_modes.insert(LocalModes::ISIG);
    modes.output_modes.insert(OutputModes::OPOST);
}

/// Lines and echo; the rest as the console left it.
fn in_part(modes: &mut Termios) {
    modes.local_modes.insert(LocalModes::ICANON | LocalModes::ECHO | LocalModes::ISIG);
}

/// Waits until the console has taken the terminal again.
fn comes_back(pty: &mut Pty) {
    pty.until("the console again", |s| s.alternate_screen() && s.contents().contains(TARGET));
    assert!(pty.is_raw());
}

/// SIGSTOP restores nothing: the terminal stays raw, or a shell sets its own modes.
#[test]
fn a_stop_by_force_does_not_change_what_is_restored() {
    let nothing: fn(&mut Termios) = |_| {};
    for change in [nothing, line_editor, in_part] {
        everywhere(|pty| {
            pty.stop();
            pty.shows_the_shell();
            pty.set_modes(change);
            pty.signal(Signal::SIGCONT);
            comes_back(pty);
            pty.send("q");
            ends(pty, 0);
        });
    }
}

/// Modes set by hand before the console continued stay set.
#[test]
fn modes_that_were_chosen_during_a_stop_are_kept() {
    everywhere(|pty| {
        pty.stop();
        pty.shows_the_shell();
        pty.set_shell_modes(|modes| {
            modes.input_modes.remove(InputModes::IXON);
            modes.local_modes.remove(LocalModes::ECHOE);
        });
        pty.signal(Signal::SIGCONT);
        comes_back(pty);
        pty.send("q");
        ends(pty, 0);
    });
}

/// The shell goes on reading with a line editor's modes, and never sets others.
#[test]
fn a_shells_line_editor_leaves_no_modes_behind() {
    for stop in [Signal::SIGSTOP, Signal::SIGTSTP] {
        started(under_a_shell, |pty| {
            kill(pty.engine(), stop).unwrap();
            pty.writes(b"stopped 1");
            pty.shows_the_shell();
            pty.set_modes(line_editor);
            pty.send("\n");
            comes_back(pty);
            pty.send("q");
            pty.shows("ended 0");
            ends(pty, 0);
        });
    }
}

#[test]
fn pasted_text_never_acts_as_keys() {
    everywhere(|pty| {
        pty.send("\x1b[200~q\x1b[2");
        pty.send("01~");
        pty.send("\x1b[200~q\x03\x1b\rq\x1b[201~");
        // It is alive, and handles keys.
        pty.frame_after(|pty| pty.resize(60, 20));
        pty.shows(TARGET);
        pty.send("q");
        ends(pty, 0);
    });
}

#[test]
fn any_size_is_drawn() {
    everywhere(|pty| {
        for (columns, rows) in [(1, 1), (2, 1), (1, 200), (500, 1), (65535, 65535), (0, 0), (7, 3)] {
            pty.frame_after(|pty| pty.claim(columns, rows));
        }
        pty.resize(60, 20);
        pty.shows(TARGET);
        pty.send("q");
        ends(pty, 0);
    });
}

#[test]
fn without_a_terminal_it_says_so() {
    for (columns, rows) in SIZES {
        let mut pty = Start::khelper(columns, rows).without_input().start();
        ends(&mut pty, 2);
        recommends_commands(&pty.text().replace('\n', ""));
    }
}

/// The commands that a refusal recommends exist.
fn recommends_commands(text: &str) {
    let (_, rest) = text.split_once("these commands need no terminal: khelper ").expect(text);
    let (commands, _) = rest.split_once(" (see khelper --help").expect(text);
    assert!(commands.split(", ").count() > 3, "{text}");
    for command in commands.split(", ") {
        let mut khelper = Command::new(env!("CARGO_BIN_EXE_khelper"));
        let output = khelper.args([command, "--help"]).output().unwrap();
        assert!(output.status.success() && !output.stdout.is_empty(), "{command}: {output:?}");
    }
}

#[test]
fn on_a_terminal_without_a_screen_it_says_so() {
    for (columns, rows) in SIZES {
        for (term, says) in [
            (Some("dumb"), "TERM is `dumb`"),
            (Some("unknown"), "TERM is `unknown`"),
            (Some(""), "TERM is empty"),
            (None, "TERM is not set"),
        ] {
            let start = Start::khelper(columns, rows);
            let mut pty = match term {
                Some(term) => start.env("TERM", term),
                None => start.without("TERM"),
            }
            .start();
            ends(&mut pty, 2);
            let text = pty.text().replace('\n', "");
            assert!(text.contains(says) && text.contains("TERM=xterm khelper"), "{text}");
            assert!(!pty.wrote.contains(&0x1b), "{text}");
            recommends_commands(&text);
        }
    }
}

#[test]
fn without_an_alternate_screen_the_shell_goes_on_below_the_page() {
    for (columns, rows) in SIZES {
        let mut pty = Start::khelper(columns, rows).start();
        pty.shows(TARGET);
        pty.send("q");
        assert_eq!(pty.ends(), 0);
        let wrote = String::from_utf8_lossy(&pty.wrote).replace("\x1b[?1049h", "").replace("\x1b[?1049l", "");
        let mut terminal = vt100::Parser::new(rows, columns, 0);
        terminal.process(wrote.as_bytes());
        let screen = terminal.screen();
        assert_eq!((screen.cursor_position(), screen.hide_cursor()), ((rows - 1, 0), false));
        assert!(screen.contents().contains("m module") && screen.rows(0, columns).last().unwrap().is_empty());
    }
}
