//! `khelper --demo`: an engine whose helpers are built into this program, and a calm stream of requests to it. No module
//! is loaded, and nothing is written to a ledger.

mod helper;
mod stream;

use std::os::unix::process::CommandExt;
use std::process::Command;
use std::sync::Arc;

use crate::abi::actor::Origin;
use crate::abi::error::Explain;
use crate::abi::path::parse_modprobe;
use crate::cli::{self, Args};
use crate::control::local::Local;
use crate::control::target::{Target, TargetInfo};
use crate::engine::{Engine, KnobWrite};
use crate::sys::probe::PROBE_ARG;
use crate::sys::user_namespace;
use crate::tui::Other;

pub(super) use helper::helper;

/// How many module requests may be in progress at once: so few that a person can see the limit at work.
const SLOTS: u32 = 8;

/// Prepares this process, before it starts a thread. An ordinary user's helpers have no capabilities, so that no mask
/// could be seen at work; in a user namespace of their own they have all. Where the machine allows none, the demo runs
/// without.
pub(super) fn prepare() {
    if !nix::unistd::geteuid().is_root() {
        let _ = user_namespace::enter();
    }
}

/// Starts the engine and the stream of requests. The error is the exit code; the cause is already on stderr.
pub(super) fn start() -> Result<Arc<dyn Target>, u8> {
    let started = engine(TargetInfo::DEMO[0]).and_then(|target| {
        stream::start(target.clone()).map_err(|error| format!("a thread: {error}"))?;
        Ok(target)
    });
    started.map_err(|why| {
        cli::say(&format!("cannot start the demo: {why}"));
        126
    })
}

/// Another engine, which nobody asks for anything: a second target.
pub(super) fn other() -> Other {
    Other { name: TargetInfo::DEMO[1].into(), open: Arc::new(|| engine(TargetInfo::DEMO[1])) }
}

fn engine(name: &'static str) -> Result<Arc<dyn Target>, String> {
    let engine = Engine::builder().fix_sigchld(true).probe(helper::PATH.into(), PROBE_ARG).start();
    let engine = engine.map_err(|error| error.whole())?;
    let path = parse_modprobe(helper::PATH.as_bytes()).map_err(|error| error.to_string())?;
    let writes = [KnobWrite::Modprobe(path), KnobWrite::MaxConcurrent(SLOTS)];
    engine.write(&writes, Origin::Library).map_err(|(key, error)| format!("{}: {error}", key.name()))?;
    Ok(Arc::new(Local::new(engine).named(name)))
}

/// Becomes `khelper --demo`, with the same options of the screen. Returns the exit code if that fails.
pub(super) fn instead(args: &Args) -> u8 {
    let mut command = Command::new(helper::PATH);
    command.arg("--demo");
    let console = &args.console;
    for (option, given) in [("--ascii", console.ascii), ("--no-mouse", console.no_mouse), ("--line", console.line)] {
        if given {
            command.arg(option);
        }
    }
    command.args(console.theme.iter().flat_map(|theme| ["--theme", theme]));
    let error = command.exec();
    cli::say(&format!("cannot start the demo: {error}"));
    126
}
