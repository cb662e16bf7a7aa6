//! Floor 5: the command line: arguments, sysctl-style output, JSON, exit codes. Peer of `tui`.
#![forbid(unsafe_code)]

mod args;
pub mod bridge;
pub mod complete;
#[cfg(feature = "console")]
mod console;
mod diff;
pub mod exit;
mod follow_log;
mod get;
mod help;
mod host_lines;
pub mod hosts;
pub mod kernel;
pub mod log;
mod mask;
pub mod need;
mod operate;
mod output;
pub mod over_ssh;
pub mod posture;
mod printer;
pub mod probe;
pub mod profile;
mod rehearse;
mod request;
pub mod rules;
mod rules_ledger;
mod rules_mode;
pub mod serve;
mod set;
pub mod shim;
mod sigint;
pub mod target;
mod watch;
pub mod why;

use std::ffi::OsString;
use std::io::{self, Write};
use std::sync::{Arc, OnceLock};
use std::time::Duration;

pub use args::{Args, Command};
pub use output::{complain, say};
pub use sigint::signals;

use nix::sys::signal::Signal;

use crate::abi::actor::{Actor, ChainLink, Origin};
use crate::abi::cap::CapMask;
use crate::abi::error::ControlError;
use crate::abi::error::io_words;
use crate::abi::escape::screen;
use crate::control::ask;
use crate::control::batch::Batch;
use crate::control::target::Target;
use crate::control::{self, Left, Reply};
use crate::sys::signals::Signals;
use crate::verbs::perform::{self, Ask};
use crate::verbs::verb::Common;

use exit::Verdict;
use follow_log::Log;
use output::Answers;
use request::Asker;
use sigint::Ending;

/// How long an interrupted command waits for the helpers that it abandoned (UMH-14); a second ctrl-c kills them.
const PATIENCE: Duration = Duration::from_secs(5);

/// Parses the command line. The error is the exit code; help or error text has already been printed.
pub fn parse(args: impl IntoIterator<Item = OsString>) -> Result<Args, u8> {
    Args::read(args).map_err(|error| {
        let text = error.render().to_string();
        if !error.use_stderr() {
            // --help and --version.
            return print(&text);
        }
        // clap repeats what was typed, which may be hostile bytes.
        for line in text.lines() {
            let _ = io::stderr().lock().write_all(format!("{}\n", screen(line.as_bytes())).as_bytes());
        }
        exit::USAGE
    })
}

/// The definition of the command line, for completions and manual pages.
pub fn definition() -> clap::Command {
    <Args as clap::CommandFactory>::command()
}

/// Runs a command that needs no engine and returns its exit code; `None` if the command needs one.
pub fn without_engine(command: &Command, known: impl FnOnce() -> CapMask) -> Option<u8> {
    let verb = command.verb().filter(|verb| matches!(verb, Common::Mask(_)))?;
    let (known, answers) = (known(), Answers::default());
    let verdict = match perform::ask(verb, known) {
        Ok(Ask::Masks(masks)) => mask::mask(&masks, verb.json(), known, &answers),
        // `Common::Mask` always yields `Ask::Masks`.
        Ok(_) => Verdict::Usage,
        Err(error) => request::fail(&error),
    };
    Some(answers.code(verdict.code()))
}

/// Prints a text on stdout. Returns the exit code.
pub fn print(text: &str) -> u8 {
    let answers = Answers::default();
    answers.write(text.as_bytes(), b"");
    answers.code(0)
}

/// The target of a command, and the actor that gives it.
#[derive(Clone)]
struct Caller {
    target: Arc<dyn Target>,
    by: Actor,
    chain: Arc<OnceLock<Vec<ChainLink>>>,
}

impl Caller {
    fn new(target: Arc<dyn Target>) -> Self {
        Self { target, by: control::actor(Origin::CommandLine), chain: Arc::default() }
    }

    /// A caller of a daemon, which takes the actor from the socket.
    fn of_daemon(target: Arc<dyn Target>) -> Self {
        Self { target, by: Actor::new(Origin::CommandLine, 0, 0, 0, b""), chain: Arc::default() }
    }

    /// Asks for the chain of processes that led to this process; empty if the target does not tell. Not to be called
    /// from a completion, which uses [`Self::chain`].
    fn read_chain(&self) {
        self.chain.get_or_init(|| match self.ask(control::Command::Chain(self.by.pid)) {
            Ok(Reply::Chain(chain)) => chain,
            _ => Vec::new(),
        });
    }

    fn chain(&self) -> &[ChainLink] {
        self.chain.get().map_or(&[], Vec::as_slice)
    }

    /// Submits a command and blocks until it is answered.
    fn ask(&self, command: control::Command) -> Result<Reply, ControlError> {
        ask::ask(&*self.target, &self.by, command)
    }
}

/// Writes the knobs of `--set`. The error is the exit code; the cause is already on stderr.
pub fn set(target: &Arc<dyn Target>, settings: &[OsString]) -> Result<(), u8> {
    // The console's first frame need not wait for the files of this process.
    if settings.is_empty() {
        return Ok(());
    }
    set::set(&Caller::new(target.clone()), settings)
}

/// Runs a command that only asks a daemon, on this thread. Returns the exit code.
pub fn ask(target: &Arc<dyn Target>, command: &Command) -> u8 {
    let (ending, answers) = (Arc::default(), Arc::new(Answers::default()));
    let asker = Asker { caller: Caller::of_daemon(target.clone()), ending, answers: answers.clone(), log: None };
    answers.code(perform(&asker, command).code())
}

/// Runs a command on `target`: writes the knobs of `--set`, performs the command, and names the helpers that are left
/// running. Returns the exit code. Call it on the main thread, with the [`signals`] that were taken before the engine
/// started.
pub fn run(target: &Arc<dyn Target>, command: &Command, settings: &[OsString], signals: &Signals) -> u8 {
    let caller = Caller::new(target.clone());
    let work = |ending: &Arc<Ending>| {
        // A daemon's log is about all of its callers. `watch` prints the log itself, and the other verbs of a running
        // engine cause no lines of their own.
        let follows = target.info().is_owned() && command.verb().is_none_or(|verb| !verb.needs_running());
        let log = match follows.then(|| Log::follow(&**target)).transpose() {
            Ok(log) => log,
            Err(e) => {
                say(&format!("cannot start the thread that follows the target's log: {}", io_words(&e)));
                return Verdict::NotExecuted.code();
            }
        };
        let answers = Arc::new(Answers::default());
        let code = match set::set(&caller, settings) {
            Ok(()) => {
                let (ending, answers, log) = (ending.clone(), answers.clone(), log.as_ref().map(Log::lines));
                let asker = Asker { caller: caller.clone(), ending, answers: answers.clone(), log };
                answers.code(perform(&asker, command).code())
            }
            Err(code) => code,
        };
        leave(&caller, ending);
        if let Some(log) = log {
            log.end();
        }
        code
    };
    sigint::run(&caller, signals, work, |ending| leave(&caller, ending))
}

fn perform(asker: &Asker, command: &Command) -> Verdict {
    if let Command::Profile(profile) = command {
        return asker.profile(profile);
    }
    // `Command::Keys` needs no engine and is handled earlier.
    let Some(verb) = command.verb() else { return Verdict::Usage };
    // Reading a knob needs no description of the target.
    let known = if matches!(verb, Common::Get(_)) { CapMask::EMPTY } else { asker.caller.target.info().known };
    let json = verb.json();
    if json && matches!(verb, Common::Request(_) | Common::Run(_) | Common::Probe(_) | Common::Rehearse(_)) {
        asker.caller.read_chain();
    }
    match perform::ask(verb, known) {
        Ok(Ask::Requests(requests)) => asker.requests(requests.batch(), json),
        Ok(Ask::Call(call)) => asker.requests(Batch::one(control::Command::Call(call)), json),
        Ok(Ask::Probe) => asker.probe(json),
        Ok(Ask::Knobs(keys, form)) => asker.get(keys, form, json),
        Ok(Ask::Set(set)) => asker.set(&set),
        Ok(Ask::Diff) => asker.diff(json),
        Ok(Ask::Masks(masks)) => mask::mask(&masks, json, known, &asker.answers),
        Ok(Ask::Rehearse(draft)) => asker.rehearse(draft, json),
        Ok(Ask::Ps { tree }) => asker.ps(tree, json),
        Ok(Ask::Status) => asker.status(json),
        Ok(Ask::Watch { utc }) => asker.watch(utc, json),
        Ok(Ask::Metrics(textfile)) => asker.metrics(textfile.as_deref()),
        Ok(Ask::Acts(acts)) => asker.acts(acts),
        Err(error) => request::fail(&error),
    }
}

/// Shuts down an engine of this process and names the helpers that it leaves running. After ctrl-c, abandoned helpers
/// get [`PATIENCE`] to end, since they write into pipes of this process; those that still run are named. Helpers of
/// NO_WAIT and WAIT_EXEC calls are named only if a signal ends the command: otherwise the caller knows that they still
/// run.
fn leave(caller: &Caller, ending: &Ending) {
    if !caller.target.info().is_owned() {
        return;
    }
    let signal = ending.signal();
    let patience = if signal.is_none() && ending.is_interrupted() { PATIENCE } else { Duration::ZERO };
    let reply = caller.ask(control::Command::Shutdown { patience });
    if !ending.names() {
        return;
    }
    let left = match reply {
        Ok(Reply::Left(left)) => left,
        Ok(_) => Vec::new(),
        Err(error) => {
            complain(&error);
            Vec::new()
        }
    };
    if let Some(name) = signal.and_then(|n| Signal::try_from(i32::from(n)).ok()) {
        say(&format!("ended by {name}; helpers left running: {}", left.len()));
    }
    for Left { live, captured } in left.iter().filter(|left| left.live.abandoned || signal.is_some()) {
        let pid = live.pid.map_or_else(|| " (not started yet)".to_owned(), |pid| format!(" (pid {pid})"));
        let fate = if *captured { "; its next write may kill it (SIGPIPE)" } else { "" };
        say(&format!("#{} {}{pid} still runs{fate}", live.id, screen(&live.title)));
    }
}
