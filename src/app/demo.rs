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
use crate::control::target::Target;
use crate::engine::{Engine, KnobWrite};
use crate::sys::probe::PROBE_ARG;
use crate::sys::user_namespace;

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
    let failed = |why: String| {
        cli::say(&format!("cannot start the demo: {why}"));
        126
    };
    let engine = Engine::builder().fix_sigchld(true).probe(helper::PATH.into(), PROBE_ARG).start();
    let engine = engine.map_err(|error| failed(error.whole()))?;
    let path = parse_modprobe(helper::PATH.as_bytes()).map_err(|error| failed(error.to_string()))?;
    let writes = [KnobWrite::Modprobe(path), KnobWrite::MaxConcurrent(SLOTS)];
    engine.write(&writes, Origin::Library).map_err(|(key, error)| failed(format!("{}: {error}", key.name())))?;
    let target: Arc<dyn Target> = Arc::new(Local::new(engine).named("demo"));
    stream::start(target.clone()).map_err(|error| failed(format!("a thread: {error}")))?;
    Ok(target)
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
