//! Floor 4: the command line: arguments, sysctl-style output, JSON, exit codes. Peer of `tui`.
#![forbid(unsafe_code)]

mod args;
mod ask;
pub mod exit;
mod get;
mod interrupt;
mod log;
mod mask;
pub mod probe;
mod say;
mod set;
mod words;

use std::ffi::OsString;
use std::io::{self, Write};
use std::time::Duration;

pub use args::{Args, Command};
pub use say::{complain, say};
pub use set::set;

use crate::abi::cap::CapMask;
use crate::abi::escape::screen;
use crate::engine::{Cancel, Engine};
use crate::sys::signals::Signals;

use ask::Asker;
use exit::Verdict;
use log::Log;
use say::Answers;

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

/// A command over `engine`: writes the knobs of `--set`, runs it, says what is left running. `signals` holds SIGINT,
/// taken before the engine started; none if SIGINT is ignored. The exit code.
pub fn run(engine: &Engine, command: &Command, settings: &[OsString], signals: Option<Signals>) -> u8 {
    let log = match Log::follow(engine) {
        Ok(log) => log,
        Err(e) => {
            say(&format!("no thread to follow the engine's log: {e}"));
            return Verdict::NotExecuted.code();
        }
    };
    let cancel = signals.map_or_else(Cancel::new, |signals| {
        interrupt::listen(engine, signals).unwrap_or_else(|e| {
            say(&format!("no thread to hear ctrl-c: {e}"));
            Cancel::new()
        })
    });
    let answers = Answers::default();
    let code = match set(engine, settings) {
        Ok(()) => answers.code(perform(&Asker { engine, cancel: &cancel, answers: &answers }, command).code()),
        Err(code) => code,
    };
    leave(engine, &cancel);
    log.end();
    code
}

fn perform(asker: &Asker<'_>, command: &Command) -> Verdict {
    match command {
        Command::Request(args) => asker.request(args),
        Command::Run(args) => asker.run(args),
        Command::Probe(args) => asker.probe(args.json),
        Command::Get(args) => get::get(asker.engine, args, asker.answers),
        // Answered without an engine.
        Command::Mask(_) | Command::Keys => Verdict::Usage,
    }
}

/// Helpers that nobody was to wait for live on unmentioned (their output is /dev/null), and are not waited for now.
/// One that was abandoned writes into a pipe of ours: it gets its 5 s, and is named if it outlives them.
fn leave(engine: &Engine, cancel: &Cancel) {
    let interrupted = cancel.is_cancelled();
    let left = engine.shutdown(if interrupted { PATIENCE } else { Duration::ZERO });
    for live in left.iter().filter(|live| live.abandoned) {
        let pid = live.pid.map(|pid| format!(" (pid {pid})")).unwrap_or_default();
        say(&format!("#{} {}{pid} runs on; its next write may end it", live.id, screen(&live.title)));
    }
}
