//! The console after a panic, whole: in `update`, in the view, between the two, and on other threads. A panic hook is
//! the process's own, so it is a process of its own: a test runs this program again in a terminal, with `KHELPER_PANIC`
//! set.
#![expect(clippy::unwrap_used, clippy::expect_used, reason = "in a test a failure may end it")]

#[path = "common/host.rs"]
mod host;
#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;

use std::panic::{AssertUnwindSafe, catch_unwind};
use std::sync::atomic::Ordering;
use std::sync::{Arc, OnceLock};
use std::thread;

use crossterm::event::KeyCode;
use host::Odd;
use khelper::abi::subprocess::{HELPER_ENV, SubprocessInfo};
use khelper::abi::wait::WaitMode;
use khelper::control::local::Local;
use khelper::engine::Engine;
use khelper::sys::signals::Signals;
use khelper::tui::model::{Model, Tab};
use khelper::tui::msg::{Effect, Msg};
use khelper::tui::{self, Frontend, Options};
use nix::sys::signal::{Signal, kill};
use nix::unistd::Pid;
use pty::{Pty, Start, pid_after};
use ratatui::buffer::Buffer;
use ratatui::layout::Position;

const HOW: &str = "KHELPER_PANIC";
const SIZES: [(u16, u16); 3] = [(120, 40), (80, 24), (40, 10)];
/// Helpers that live meanwhile.
const HELPERS: usize = 2;
/// What is written last when the terminal is given back.
const LEAVE: &str = "\x1b[?1049l";

static MACHINE: OnceLock<Arc<Odd>> = OnceLock::new();

fn is(how: &str) -> bool {
    std::env::var(HOW).is_ok_and(|it| it == how)
}

/// The console's own, but for the key of the Log.
fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    if matches!(&msg, Msg::Key(key) if key.code == KeyCode::Char('4')) {
        assert!(!is("update"), "the judgement is wrong");
    }
    (Frontend::KHELPER.update)(model, msg)
}

/// The console's own, but for the Log: wrong when half of it is drawn, or else the next look at the engine is, which asks
/// for the time with its books open.
fn draw(model: &Model, page: &mut Buffer) -> Option<Position> {
    let cursor = (Frontend::KHELPER.draw)(model, page);
    assert!(!(is("view") && model.tab == Tab::Log), "the page is wrong");
    if is("between") && model.tab == Tab::Log {
        *MACHINE.get().unwrap().time.lock().unwrap() = Some(thread::current().id());
    }
    cursor
}

/// The console over an engine with helpers that live; ends the process.
fn console() -> ! {
    let signals = Signals::take(&tui::SIGNALS).unwrap();
    let machine = MACHINE.get_or_init(Arc::default);
    for wrong in [&machine.kill, &machine.chain] {
        wrong.store(is("elsewhere"), Ordering::Release);
    }
    let engine = Engine::builder().fix_sigchld(true).host(machine.clone()).start().unwrap();
    for _ in 0..HELPERS {
        let engine = engine.clone();
        thread::spawn(move || {
            let info = SubprocessInfo::setup(Some("/bin/sleep".into()), ["/bin/sleep", "1000"], HELPER_ENV).unwrap();
            engine.call_usermodehelper(info, WaitMode::PROC)
        });
    }
    let options = Options { read_only: false, mouse: true, ascii: false, theme: None };
    let shown = || tui::run_with(&Local::shared(&engine), &signals, options, Frontend { update, draw });
    // What the program itself ends with, but without a word of the test runner's.
    std::process::exit(catch_unwind(AssertUnwindSafe(shown)).map_or(101, i32::from))
}

fn again((columns, rows): (u16, u16), test: &str, how: &str) -> Pty {
    let mut pty = Start::again(columns, rows, test).env(HOW, how).env("RUST_BACKTRACE", "0").start();
    let says = [format!("live helpers {HELPERS}"), format!("live {HELPERS}")];
    pty.until(&says[0], |s| says.iter().any(|words| s.contents().contains(words)));
    // Each of them in a row of its own.
    pty.send("+");
    pty.until("their pids", |s| {
        let text = s.contents();
        text.lines().filter(|line| is_helper(line) && line.contains("pid ")).count() == HELPERS
    });
    pty
}

/// Whether the row is one of those of the panel Running.
fn is_helper(line: &str) -> bool {
    line.starts_with(" ▸ ") && line.contains("/bin/sle")
}

/// The pids of the helpers that the screen of the Overview names.
fn helpers(pty: &Pty) -> Vec<Pid> {
    let text = pty.text();
    let named = text.lines().filter(|line| is_helper(line));
    named.filter_map(|line| pid_after(line, "pid ")).collect()
}

/// What was written after the terminal was given back.
fn said(pty: &Pty) -> String {
    let wrote = String::from_utf8_lossy(&pty.wrote).into_owned();
    let (_, after) = wrote.rsplit_once(LEAVE).expect("the terminal was given back");
    after.to_owned()
}

/// They were left running and are named as such, after `message`; ends them. One that was `killed` may have been named
/// too: the look that panicked may have come before its end.
fn left_and_named(said: &str, message: &str, helpers: &[Pid], killed: Option<Pid>) {
    let told = said.find(message).unwrap_or_else(|| panic!("`{message}` is not told: {said}"));
    for pid in helpers {
        let named =
            said.find(&format!("/bin/sleep (pid {pid})")).unwrap_or_else(|| panic!("{pid} is not named: {said}"));
        assert!(named > told, "{said}");
        kill(*pid, Signal::SIGKILL).expect("it lives");
    }
    let killed = killed.map(|pid| format!("(pid {pid})"));
    let others = said.lines().filter(|line| killed.as_ref().is_none_or(|killed| !line.contains(killed)));
    assert_eq!(others.filter(|line| line.contains("left running: #")).count(), helpers.len(), "{said}");
}

#[test]
fn a_panic_of_the_console_restores_the_terminal_and_names_what_lives_on() {
    if std::env::var_os(HOW).is_some() {
        console();
    }
    let wrong =
        [("update", "the judgement is wrong"), ("view", "the page is wrong"), ("between", "the clock is wrong")];
    for (size, (how, message)) in SIZES.into_iter().flat_map(|size| wrong.map(|wrong| (size, wrong))) {
        let mut pty = again(size, "a_panic_of_the_console_restores_the_terminal_and_names_what_lives_on", how);
        let mut helpers = helpers(&pty);
        assert!(pty.is_raw() && pty.screen().alternate_screen() && helpers.len() == HELPERS, "{}", pty.text());
        pty.send("4");
        let killed = (how == "between").then(|| {
            pty.shows("[4 Log]");
            helpers.pop().unwrap()
        });
        killed.into_iter().for_each(|pid| kill(pid, Signal::SIGKILL).unwrap());
        assert_eq!(pty.ends(), 101, "{how}");
        pty.is_restored();
        assert!(!pty.text().contains("[engine]"), "{how}: {}", pty.text());
        left_and_named(&said(&pty), message, &helpers, killed);
    }
}

#[test]
fn a_panic_waits_for_no_terminal_that_takes_nothing() {
    if std::env::var_os(HOW).is_some() {
        console();
    }
    for size in SIZES {
        let mut pty = again(size, "a_panic_waits_for_no_terminal_that_takes_nothing", "update");
        let helpers = helpers(&pty);
        pty.stall(true);
        pty.send("4");
        assert_eq!(pty.ends(), 101);
        pty.modes_are_restored();
        for pid in helpers {
            kill(pid, Signal::SIGKILL).expect("it lives");
        }
    }
}

#[test]
fn a_panic_of_another_thread_is_answered_and_told_at_the_end() {
    if std::env::var_os(HOW).is_some() {
        console();
    }
    let mut pty = again((80, 24), "a_panic_of_another_thread_is_answered_and_told_at_the_end", "elsewhere");
    let mut helpers = helpers(&pty);
    // The clerk, twice, who goes on.
    pty.press("e", "Edit kernel.modprobe");
    pty.send("\x15/wrong\r\r");
    pty.shows("kernel.modprobe was perhaps changed: khelper panicked");
    pty.send("\x1b");
    pty.shows("Edit kernel.modprobe");
    pty.send("\x1b");
    pty.hides("Edit kernel.modprobe");
    pty.shows("not checked: khelper panicked");
    // The reader: another one is hired for the next question.
    pty.press("3", "khelper panicked while it read records");
    pty.press("S", "oldest");
    pty.until("the records", |s| s.contents().lines().any(|line| line.starts_with('>') && line.contains("#1")));
    pty.press("+", "every request has a row");
    pty.until("two rows", |s| s.contents().contains("1-2 of 2 ") && s.contents().contains(">#1"));
    pty.press("k", "Kill the helper of #1?");
    pty.send("k\r");
    pty.shows("perhaps done: khelper panicked");
    pty.press("k", "Kill the helper of #1?");
    pty.send("k\r");
    pty.shows("† killed");
    pty.press("q", "Quit?");
    pty.press("l", "> leave");
    pty.send("\r");
    assert_eq!(pty.ends(), 0);
    pty.is_restored();
    let said = said(&pty);
    helpers.retain(|pid| kill(*pid, None).is_ok());
    assert_eq!(helpers.len(), 1);
    // The path was looked at as it was written, and once more for the strip of warnings.
    for (message, times) in [("the path is wrong", 2), ("the chain is wrong", 1), ("the kill is wrong", 1)] {
        assert_eq!(said.matches(message).count(), times, "{said}");
    }
    left_and_named(&said, "the kill is wrong", &helpers, None);
}
