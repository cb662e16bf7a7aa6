//! What an operator meets without having done it: what a library's caller does meanwhile, and what a machine seldom
//! does. The test runs this program again in a terminal, with `KHELPER_RARE` set: there it is the real console over a
//! real engine, in one process with that caller, who acts when a function key is pressed that nobody else hears.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

#[path = "rare/ends.rs"]
mod ends;
#[path = "common/host.rs"]
mod host;
#[path = "rare/knobs.rs"]
mod knobs;
#[path = "rare/machine.rs"]
mod machine;
#[path = "pty/over_own.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod over;
#[path = "pty/mod.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod pty;
#[path = "pty/steps.rs"]
#[expect(dead_code, reason = "the tests of the console use the rest")]
mod steps;

use std::sync::{Arc, OnceLock};
use std::thread;

use crossterm::event::KeyCode;
use host::Odd;
use khelper::abi::actor::Origin;
use khelper::abi::mask::MaskExpr;
use khelper::control::local::Local;
use khelper::engine::{Engine, KnobWrite};
use khelper::sys::signals::Signals;
use khelper::tui::model::Model;
use khelper::tui::msg::{Effect, Msg};
use khelper::tui::{self, Frontend, Options};
use pty::{Pty, Start};
use steps::{ESC, SIZES, TARGET};

/// Whether a row of the screen is a warning. The table of outcomes on a large screen has a row that begins with `!` too.
fn is_warning(row: &str) -> bool {
    row.trim_start().strip_prefix("! ").is_some_and(|rest| !rest.starts_with("cannot exec "))
}

const HOW: &str = "KHELPER_RARE";
/// The keys of the first thing that the library's caller does, and of the second.
const FIRST: &str = "\x1bOQ";
const SECOND: &str = "\x1bOR";
const HOME: &str = "\x1b[H";
const DOWN: &str = "\x1b[B";

/// What the caller does.
type Act = fn(&Engine);

static ENGINE: OnceLock<Engine> = OnceLock::new();
static ACTS: OnceLock<&[Act]> = OnceLock::new();

/// The console's own, but for the keys that are the caller's: F2 and those after it.
fn update(model: &mut Model, msg: Msg) -> Vec<Effect> {
    if let Msg::Key(key) = &msg
        && let KeyCode::F(number @ 2..) = key.code
    {
        let act = ACTS.get().unwrap()[usize::from(number) - 2];
        thread::spawn(move || act(ENGINE.get().unwrap()));
        return Vec::new();
    }
    (Frontend::KHELPER.update)(model, msg)
}

/// The console of a thread that was made ready; ends the process.
fn console(ready: fn(), acts: &'static [Act]) -> ! {
    let signals = Signals::take(&tui::SIGNALS).unwrap();
    ready();
    let host = Arc::new(Odd::default());
    let engine = ENGINE.get_or_init(|| Engine::builder().fix_sigchld(true).host(host).start().unwrap());
    engine.write(&[KnobWrite::Modprobe(b"/bin/true"[..].into())], Origin::CommandLine).unwrap();
    ACTS.set(acts).unwrap();
    let options = Options { read_only: false, mouse: true, ascii: false, theme: None };
    let face = Frontend { update, ..Frontend::KHELPER };
    std::process::exit(tui::run_with(&Local::shared(engine), &signals, options, face).into())
}

/// In every size at the same time: the console of `test`, where `ready` was done first and a caller `acts`.
fn everywhere(test: &str, ready: fn(), acts: &'static [Act], journey: impl Fn(&mut Pty, bool) + Sync) {
    if std::env::var_os(HOW).is_some() {
        console(ready, acts);
    }
    thread::scope(|scope| {
        for (columns, rows) in SIZES {
            let journey = &journey;
            scope.spawn(move || {
                // Of its own: no history of anybody's, and no two cores in one place.
                let folder = tempfile::tempdir().unwrap();
                let start = Start::again(columns, rows, test).env(HOW, folder.path()).env("RUST_BACKTRACE", "0");
                let mut pty = start.env("XDG_STATE_HOME", folder.path()).start();
                pty.shows(TARGET);
                journey(&mut pty, columns >= 80);
            });
        }
    });
}

/// Nothing is odd.
fn nothing() {}

fn write(engine: &Engine, writes: &[KnobWrite]) {
    engine.write(writes, Origin::Library).unwrap();
}

fn bset(engine: &Engine, text: &str) {
    write(engine, &[KnobWrite::Bset(MaskExpr::parse(text.as_bytes(), engine.snapshot().known).unwrap())]);
}

/// Scrolls a page from its beginning until it says so, however it breaks its lines.
fn page_says(pty: &mut Pty, what: &str) {
    for key in std::iter::once(HOME).chain(std::iter::repeat_n(DOWN, 60)) {
        if pty.flat().contains(what) {
            return;
        }
        pty.frame_after(|pty| pty.send(key));
    }
    pty.says(what);
}

/// The log, which is shown, has that line: no other has these words.
fn log_says(pty: &mut Pty, words: &str, line: &str) {
    let filter = format!("/ {words}");
    pty.press(&format!("/\x15{words}"), &filter);
    pty.says(line);
    pty.send(ESC);
    pty.hides(&filter);
}
