//! The console and the command line over a target that is not an engine of this process. The tests run this program
//! again with `KHELPER_TARGETS` set: there the real console in a terminal, or the real command line, has the scripted
//! target, which acts on function keys that the console ignores.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;
#[path = "targets/scripted.rs"]
mod scripted;

use std::process::{Command, Output, Stdio};
use std::sync::{Arc, OnceLock};
use std::thread;

use crossterm::event::KeyCode;
use khelper::cli;
use khelper::control::target::Target;
use khelper::sys::signals::Signals;
use khelper::tui::model::Model;
use khelper::tui::msg::{Effect, Msg};
use khelper::tui::{self, Frontend, Options};
use pty::{Pty, Start};
use scripted::{RECORDS, Scripted};

const HOW: &str = "KHELPER_TARGETS";
const SIZES: [(u16, u16); 2] = [(120, 40), (80, 24)];
/// The text about the target on every screen.
const TARGET: &str = "daemon box";

/// The actions of the target: F2 and the following keys.
const ACTS: [fn(&Scripted); 7] = [
    |t| t.release(),
    |t| t.hold(),
    |t| t.lose(),
    |t| {
        t.goes_on(500);
        t.comes_back(false);
    },
    |t| {
        t.lose();
        t.comes_back(true);
    },
    |t| t.floods(700),
    |t| t.one_ends(),
];
const RELEASE: &str = "\x1bOQ";
const HOLD: &str = "\x1bOR";
const LOSE: &str = "\x1bOS";
const BACK: &str = "\x1b[15~";
const RESTART: &str = "\x1b[17~";
const FLOOD: &str = "\x1b[18~";
const ONE_ENDS: &str = "\x1b[19~";
const END: &str = "\x1b[F";
const ESC: &str = "\x1b";

static SCRIPTED: OnceLock<Arc<Scripted>> = OnceLock::new();

/// The console's own frontend, except for the target's keys.
fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    if let Msg::Key(key) = &msg
        && let KeyCode::F(number @ 2..) = key.code
    {
        let act = ACTS[usize::from(number) - 2];
        thread::spawn(move || act(SCRIPTED.get().unwrap()));
        return Vec::new();
    }
    (Frontend::KHELPER.update)(model, msg)
}

/// Runs the console; then prints the commands that the target received.
fn console(hold: bool) -> ! {
    let signals = Signals::take(&tui::SIGNALS).unwrap();
    let scripted = SCRIPTED.get_or_init(|| Scripted::new(hold)).clone();
    let target: Arc<dyn Target> = scripted.clone();
    let options = Options { read_only: false, mouse: true, ascii: false, theme: None };
    let code = tui::run_with(&target, &signals, options, Frontend { update, ..Frontend::KHELPER });
    println!("asked for: {}", scripted.came().join(", "));
    std::process::exit(code.into())
}

/// In every size at the same time: the console of `test`. With `hold`, its target holds answers back at first.
fn everywhere(test: &str, hold: bool, journey: impl Fn(&mut Pty) + Sync) {
    if std::env::var_os(HOW).is_some() {
        console(hold);
    }
    thread::scope(|scope| {
        for (columns, rows) in SIZES {
            let journey = &journey;
            scope.spawn(move || {
                let folder = tempfile::tempdir().unwrap();
                let start = Start::again(columns, rows, test).env(HOW, "1").env("RUST_BACKTRACE", "0");
                let mut pty = start.env("XDG_STATE_HOME", folder.path()).start();
                pty.shows(TARGET);
                journey(&mut pty);
            });
        }
    });
}

#[test]
fn no_key_waits_for_the_target_and_ten_thousand_records_are_paged() {
    everywhere("no_key_waits_for_the_target_and_ten_thousand_records_are_paged", true, |pty| {
        // No answer has come, and none will before it is released.
        pty.says("waiting for its state");
        for (key, tab) in [("2", "[2 Masks]"), ("1", "[1 Overview]")] {
            pty.press(key, tab);
            pty.shows("its state is not known yet");
            assert!(!pty.text().contains("full (") && !pty.text().contains("0 of 0"), "{}", pty.text());
        }
        pty.press("4", "[4 Log]");
        pty.press("3", "[3 Activity]");
        pty.press(":get x", "get x");
        pty.send(ESC);
        pty.hides("get x");
        assert!(!pty.text().contains(&format!("m{RECORDS}")) && pty.text().contains("waiting for its state"));
        pty.send(RELEASE);
        pty.shows(&format!("m{RECORDS}"));
        pty.unsays("waiting for its state");
        pty.says("untouched");
        // The other end of the list, and back.
        pty.press(END, "m1 ");
        pty.press("\x1b[H", &format!("m{RECORDS}"));
        // A key takes effect while its page is held back.
        pty.send(HOLD);
        pty.press("1", "[1 Overview]");
        pty.press("3", "[3 Activity]");
        pty.send(RELEASE);
        pty.send("q");
        assert_eq!(pty.ends(), 0);
        assert!(!pty.text().contains("shutdown"), "a daemon outlives its console: {}", pty.text());
    });
}

#[test]
fn a_lost_connection_is_shown_and_the_console_recovers() {
    everywhere("a_lost_connection_is_shown_and_the_console_recovers", false, |pty| {
        pty.press("3", &format!("m{RECORDS}"));
        pty.send(LOSE);
        pty.says("connection lost, state of");
        pty.says("the cable was cut");
        assert!(pty.text().contains(TARGET) && pty.text().contains(&format!("m{RECORDS}")), "the last state stays");
        // Commands are refused with the reason, and other keys still work.
        pty.press("4", "[4 Log]");
        pty.says("lost the connection: the cable was cut");
        pty.send(":set khelper.deny=x\r");
        pty.says("no connection to the daemon box");
        pty.says("nothing was sent");
        pty.send(ESC);
        pty.hides("khelper.deny=x");
        pty.press("3", "[3 Activity]");
        pty.send(BACK);
        pty.says("the connection to the daemon box (pid 4242) is back");
        // The missed events' state is shown.
        pty.says(&format!("m{}", RECORDS + 500));
        pty.unsays("connection lost");
        // The target answers again.
        pty.send(":request dummy\r");
        pty.says(&format!("#{0} m{0}: ", RECORDS + 501));
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    });
}

#[test]
fn a_reply_is_shown_with_a_state_that_contains_it() {
    everywhere("a_reply_is_shown_with_a_state_that_contains_it", false, |pty| {
        let ended = |n| format!("#{n} m{n} ");
        pty.says(&ended(RECORDS));
        for n in 1..4 {
            pty.send(":request dummy\r");
            let reply = format!("#{0} m{0}: ✓ exit 0", RECORDS + n);
            pty.says(&reply);
            assert!(pty.text().contains(&ended(RECORDS + n)), "an older state: {}", pty.text());
        }
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    });
}

#[test]
fn missed_events_and_another_start_are_caught_up_with() {
    everywhere("missed_events_and_another_start_are_caught_up_with", false, |pty| {
        pty.press("3", &format!("m{RECORDS}"));
        pty.send(ONE_ENDS);
        pty.says(&format!("m{}", RECORDS + 1));
        pty.send(FLOOD);
        pty.says(&format!("m{}", RECORDS + 701));
        pty.send(RESTART);
        pty.says("was restarted");
        pty.says("m3");
        pty.unsays(&format!("m{}", RECORDS + 701));
        pty.says("untouched");
        pty.send("q");
        assert_eq!(pty.ends(), 0);
    });
}

/// Runs the command line of `test` in this program again, with the target in this state.
fn command(test: &str, state: &str, args: &[&str]) -> Output {
    let mut command = Command::new(std::env::current_exe().unwrap());
    command.args(["--exact", test, "--nocapture"]).env(HOW, state).env("KHELPER_TARGETS_ARGS", args.join(" "));
    command.stdin(Stdio::null()).output().unwrap()
}

/// Runs the command line and ends the process with its code.
fn command_line(state: &str) -> ! {
    let args = std::env::var("KHELPER_TARGETS_ARGS").unwrap();
    let args = std::iter::once("khelper").chain(args.split(' ')).map(Into::into);
    let args = cli::parse(args).expect("sound arguments");
    let signals = cli::signals().unwrap();
    let scripted = Scripted::new(false);
    if state == "lost" {
        scripted.lose();
    }
    let target: Arc<dyn Target> = scripted.clone();
    let code = cli::run(&target, args.command.as_ref().expect("a command"), &args.set(), &signals);
    println!("asked for: {}", scripted.came().join(", "));
    std::process::exit(code.into())
}

#[test]
fn the_command_line_asks_the_target_and_reports_a_lost_connection() {
    let test = "the_command_line_asks_the_target_and_reports_a_lost_connection";
    if let Ok(state) = std::env::var(HOW) {
        command_line(&state);
    }
    let said = |output: &Output| {
        let text = |bytes: &[u8]| String::from_utf8_lossy(bytes).into_owned();
        (output.status.code(), text(&output.stdout), text(&output.stderr))
    };
    let (code, out, err) = said(&command(test, "up", &["get", "khelper.gate", "khelper.era"]));
    assert!(code == Some(0) && err.is_empty(), "{code:?} {err}");
    assert!(out.contains("khelper.gate = khelper.gate of box\nkhelper.era = khelper.era of box\n"), "{out}");
    assert!(out.contains("asked for: knobs\n"), "the engine of a daemon is not ended: {out}");
    let (code, out, err) = said(&command(test, "up", &["request", "--parallel", "3", "--repeat", "7", "dummy"]));
    assert_eq!((code, out.matches(": exit 0").count()), (Some(0), 7), "{out}{err}");
    for args in [&["get", "khelper.gate"][..], &["request", "dummy"], &["request", "--set", "khelper.deny=x", "dummy"]]
    {
        let (code, out, err) = said(&command(test, "lost", args));
        assert_eq!(code, Some(69), "{args:?}: {out}{err}");
        assert!(err.contains("no connection: the cable was cut (ENOTCONN); wait for the connection"), "{err}");
    }
}
