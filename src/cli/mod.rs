//! Floor 5: the command line: arguments, sysctl-style output, JSON, exit codes. Peer of `tui`.
#![forbid(unsafe_code)]

mod args;
pub mod exit;
mod follow_log;
mod get;
mod mask;
mod output;
pub mod probe;
mod request;
mod set;
mod sigint;

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

pub use args::{Args, Command};
pub use output::{complain, say};
pub use set::set;
pub use sigint::signals;

use nix::sys::signal::Signal;

use crate::abi::cap::CapMask;
use crate::abi::escape::screen;
use crate::abi::wait::WaitMode;
use crate::engine::Engine;
use crate::sys::signals::Signals;

use exit::Verdict;
use follow_log::Log;
use output::Answers;
use request::Asker;
use sigint::Ending;

/// How long an interrupted command waits for the helpers that it abandoned (UMH-14); a second ctrl-c ends them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Reads the command line; the error is the exit code, help or complaint having been printed.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, u8> {
    Args::read(args).map_err(|error| {
        let text = error.render().to_string();
        if !error.use_stderr() {
            // --help and --version.
            return print(&text);
        }
        // clap repeats what was typed: hostile bytes.
        for line in text.lines() {
            let _ = io::stderr().lock().write_all(format!("{}\n", screen(line.as_bytes())).as_bytes());
        }
        exit::USAGE
    })
}

/// What may be typed, for completions and manual pages.
pub fn definition() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// A command that needs no engine; `None` if it does.
pub fn without_engine(command: &Command, known: impl FnOnce() -> CapMask) -> Option<u8> {
    let Command::Mask(args) = command else { return None };
    let answers = Answers::default();
    let verdict = mask::mask(args, known(), &answers);
    Some(answers.code(verdict.code()))
}

/// Prints a text as the answer; the exit code.
pub fn print(text: &str) -> u8 {
    let answers = Answers::default();
    answers.write(text.as_bytes(), b"");
    answers.code(0)
}

/// A command over `engine`: writes the knobs of `--set`, runs it, names what is left running; the exit code. To be called
/// on the main thread, with the [`signals`] that were taken before the engine started.
pub fn run(engine: &Engine, command: &Command, settings: &[OsString], signals: &Signals) -> u8 {
    let work = |ending: &Ending| {
        let log = match Log::follow(engine) {
            Ok(log) => log,
            Err(e) => {
                say(&format!("no thread to follow the engine's log: {e}"));
                return Verdict::NotExecuted.code();
            }
        };
        let answers = Answers::default();
        let code = match set(engine, settings) {
            Ok(()) => {
                let asker = Asker { engine, cancel: &ending.cancel, answers: &answers };
                answers.code(perform(&asker, command).code())
            }
            Err(code) => code,
        };
        leave(engine, ending);
        log.end();
        code
    };
    sigint::run(engine, signals, work, |ending| leave(engine, ending))
}

fn perform(asker: &Asker<'_>, command: &Command) -> Verdict {
    match command {
        Command::Request(args) => asker.request(args),
        Command::Run(args) => asker.run(args),
        Command::Probe(args) => asker.probe(args.json),
        Command::Get(args) => get::get(asker.engine, args, asker.answers),
        // Answered without an engine.
        Command::Mask(_) => Verdict::Usage,
        #[cfg(feature = "console")]
        Command::Keys => Verdict::Usage,
    }
}

/// Ends the engine and names the helpers that it leaves running. One that was abandoned writes into a pipe of ours: it
/// gets its 5 s after ctrl-c, and is named if it outlives them. One that nobody was to wait for is named only if a signal
/// ends the command: else its caller knows.
fn leave(engine: &Engine, ending: &Ending) {
    let signal = ending.signal();
    let patience = if signal.is_none() && ending.cancel.is_cancelled() { PATIENCE } else { Duration::ZERO };
    let left = engine.shutdown(patience);
    if !ending.names() {
        return;
    }
    if let Some(name) = signal.and_then(|n| Signal::try_from(i32::from(n)).ok()) {
        say(&format!("ended by {name}; helpers left running: {}", left.len()));
    }
    for live in left.iter().filter(|live| live.abandoned || signal.is_some()) {
        let pid = live.pid.map_or_else(|| " (not started yet)".to_owned(), |pid| format!(" (pid {pid})"));
        let captured = engine.record(live.id).is_some_and(|r| matches!(r.wait, WaitMode::Proc { .. }));
        let fate = if captured { "; its next write may end it" } else { "" };
        say(&format!("#{} {}{pid} runs on{fate}", live.id, screen(&live.title)));
    }
}
