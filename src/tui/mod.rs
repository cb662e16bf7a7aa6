//! Floor 5: the console. Peer of `cli`.
//!
//! [`run`] returns the exit code: 0 for a quit, 128 + n for signal n, [`EXIT_HANGUP`] when the terminal is gone, 2 when
//! there is none; a panic gives 101, as in every Rust program.
#![forbid(unsafe_code)]

mod ascii;
pub mod config;
mod dialogs;
mod effect;
mod executor;
mod exit_report;
mod field;
mod input;
pub mod keymap;
mod layout;
mod line_history;
mod line_mode;
mod log_feed;
mod mailbox;
pub mod model;
pub mod msg;
mod older_feed;
mod older_rows;
mod options;
mod paint;
mod panels;
pub mod panics;
mod run;
mod session;
mod sessions;
mod signals;
mod state_feed;
mod targets;
pub mod terminal;
pub mod terminal_type;
#[cfg(test)]
mod testing;
mod text;
pub mod theme;
pub mod update;
mod user_files;
pub mod view;
mod widgets;

use std::fmt::Display;
use std::io::Write;
use std::panic::{AssertUnwindSafe, catch_unwind, resume_unwind};
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::signal::Signal;
use ratatui::buffer::Buffer;
use ratatui::layout::Position;

use crate::abi::actor::Origin;
use crate::control;
use crate::control::target::Target;
use crate::sys::signals::Signals;

pub use model::link::tab;
pub use options::Options;
pub use targets::{Open, Other, Targets};

use model::Model;
use msg::{Effect, Msg};
use panics::Guard;
use run::{Console, Parts};
use terminal::Tty;
use terminal_type::TerminalType;

/// The terminal is gone: end of file, `EIO`, or a hang-up. The code is that of SIGHUP (128 + 1), also where SIGHUP is
/// ignored.
pub const EXIT_HANGUP: u8 = 129;
/// Returned by [`run`] if the operator wants the demo instead; no exit code of the program.
pub const DEMO: u8 = 100;
/// There is no terminal, or the console could not be started.
const EXIT_NO_TERMINAL: u8 = 2;

/// Which commands to use without a terminal.
pub const WITHOUT_TERMINAL: &str =
    "these commands need no terminal: khelper request, run, probe, mask, get (see khelper --help)";

/// The settings are invalid: a usage error, as in the command line.
const EXIT_SETTINGS: u8 = 64;

/// The signals that the console handles.
pub const SIGNALS: [Signal; 7] = [
    Signal::SIGINT,
    Signal::SIGTERM,
    Signal::SIGHUP,
    Signal::SIGQUIT,
    Signal::SIGWINCH,
    Signal::SIGTSTP,
    Signal::SIGCONT,
];

/// The function that handles a message.
pub type Update = fn(&mut Model, Msg) -> Vec<Effect>;
/// The function that draws the screen and returns the position of its cursor.
pub type Draw = fn(&Model, &mut Buffer) -> Option<Position>;

/// The parts of the loop that need no terminal: update and view.
#[derive(Clone, Copy, Debug)]
pub struct Frontend {
    /// Handles one message.
    pub update: Update,
    /// Draws the whole screen.
    pub draw: Draw,
}

impl Frontend {
    /// The console's own update and view.
    pub const KHELPER: Self = Self { update: update::update, draw: view::draw };
}

/// Runs the console over `target` until the operator quits. Returns the exit code of the program.
///
/// `signals` holds [`SIGNALS`], blocked before any other thread was started. An engine of this process is shut down at
/// the end, after a panic too; live helpers are left running and named on stderr (UMH-14).
pub fn run(target: &Arc<dyn Target>, signals: &Signals, options: Options) -> u8 {
    run_with(target, signals, options, Frontend::KHELPER)
}

/// Like [`run`], with another frontend: one that panics, for example.
pub fn run_with(target: &Arc<dyn Target>, signals: &Signals, options: Options, face: Frontend) -> u8 {
    run_over(&Targets::new(target.clone(), Vec::new()), signals, options, face)
}

/// Like [`run`], over several targets, of which one is shown at a time.
pub fn run_over(targets: &Targets, signals: &Signals, options: Options, face: Frontend) -> u8 {
    let settings = match config::read() {
        Ok(settings) => settings,
        Err(error) => return complain(&error),
    };
    if let Some(why) = terminal::unusable(std::env::var_os("TERM").as_deref()) {
        return cannot_start(&why);
    }
    let options = Options { ascii: draws_ascii(options, &settings), ..options };
    let tty = match Tty::open(options.mouse) {
        Ok(tty) => Arc::new(tty),
        Err(e) => return cannot_start(&e),
    };
    let by = control::actor(Origin::Console);
    let (owned, teller, ascii) = (targets.owned(), by.clone(), options.ascii);
    let guard = Guard::new(tty.clone(), move || exit_report::say_in_time(owned.clone(), teller.clone(), ascii));
    let parts = Parts { targets, by: by.clone(), tty: tty.clone() };
    let shown = || Console::open(parts, signals, options, settings, face).and_then(|mut c| c.run());
    // Nothing of the console is used after a panic, and the target's locks survive one.
    let end = catch_unwind(AssertUnwindSafe(shown));
    tty.leave();
    exit_report::say(&*targets.owned(), &by, &guard.panics(), options.ascii);
    match end {
        Ok(Ok(code)) => code,
        // The terminal was gone before the console took it.
        Ok(Err(e)) if e.errno == Errno::EIO => EXIT_HANGUP,
        Ok(Err(e)) => cannot_start(&e),
        // The panic message was printed when the terminal was restored.
        Err(panic) => resume_unwind(panic),
    }
}

/// Runs the console in line mode: it needs no terminal. Returns the exit code of the program: 0 for a quit or the end of
/// the input, 128 + n for signal n, [`EXIT_HANGUP`] when the terminal is gone, 64 if a line is not understood and the
/// input is not a terminal, 74 if the output cannot be written.
pub fn run_lines(targets: &Targets, signals: &Signals, options: Options) -> u8 {
    let settings = match config::read() {
        Ok(settings) => settings,
        Err(error) => return complain(&error),
    };
    let options = Options { ascii: draws_ascii(options, &settings), ..options };
    let by = control::actor(Origin::Console);
    let spoken =
        || line_mode::LineMode::open(targets, by.clone(), signals, options, settings).and_then(|mut lines| lines.run());
    let end = catch_unwind(AssertUnwindSafe(spoken));
    exit_report::say(&*targets.owned(), &by, &[], options.ascii);
    match end {
        Ok(Ok(code)) => code,
        Ok(Err(e)) => cannot_start(&e),
        Err(panic) => resume_unwind(panic),
    }
}

/// The command line decides, then the settings, then the terminal's type and the locale.
fn draws_ascii(options: Options, settings: &config::Settings) -> bool {
    options.ascii || settings.ascii.unwrap_or_else(|| TerminalType::from_env().ascii)
}

/// The current key table, in the form of the settings file. The error is the exit code; the messages have been printed.
pub fn keys() -> Result<String, u8> {
    let settings = config::read().map_err(|error| complain(&error))?;
    if let Some(warning) = &settings.warning {
        let _ = writeln!(std::io::stderr(), "khelper: {warning}");
    }
    Ok(settings.keys.settings())
}

fn complain(error: &config::SettingsError) -> u8 {
    let _ = writeln!(std::io::stderr(), "khelper: {error}; correct the file or move it away");
    EXIT_SETTINGS
}

fn cannot_start(why: &impl Display) -> u8 {
    let _ = writeln!(std::io::stderr(), "khelper: cannot start the console: {why}; {WITHOUT_TERMINAL}");
    EXIT_NO_TERMINAL
}
