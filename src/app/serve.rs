//! `khelper serve`: builds the daemon's parts. The console is none of them.

use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::abi::error::{Explain, SysError};
use crate::abi::escape::screen;
use crate::cli::serve::Serve;
use crate::cli::{self, exit};
use crate::daemon::descriptors;
use crate::daemon::notify::Notify;
use crate::daemon::server::{Parts, SIGNALS, Server};
use crate::daemon::socket::{Listener, default_path};
use crate::engine::Engine;
use crate::sys::orphans;
use crate::sys::probe::PROBE_ARG;
use crate::sys::signals::Signals;

/// Serves until a signal ends it. Returns the exit code.
pub(super) fn serve(args: &Serve) -> u8 {
    match run(args) {
        Ok(()) => 0,
        Err(Failure::Usage(why)) => {
            cli::say(&why);
            exit::USAGE
        }
        Err(Failure::Failed(why)) => {
            cli::say(&why);
            exit::UNAVAILABLE
        }
    }
}

enum Failure {
    Usage(String),
    Failed(String),
}

impl From<SysError> for Failure {
    fn from(error: SysError) -> Self {
        match error.errno {
            Errno::EADDRINUSE => Self::Failed(format!("{error}; stop it, or choose another socket with --socket")),
            Errno::EEXIST => Self::Failed(format!("{error}; remove it, or choose another socket with --socket")),
            _ => Self::Failed(error.whole()),
        }
    }
}

fn run(args: &Serve) -> Result<(), Failure> {
    let readers = args.readers.as_deref().map(group).transpose().map_err(Failure::Usage)?;
    // All of this is done before another thread exists: signal masks, the umask and the environment are the process's.
    let adopted = orphans::are_adopted();
    let signals: Vec<Signal> = SIGNALS.into_iter().filter(|signal| adopted || *signal != Signal::SIGCHLD).collect();
    let signals = Signals::take(&signals)?;
    let listener = match (Listener::passed(), &args.socket) {
        (Some(passed), _) => passed?,
        (None, Some(path)) => Listener::make(path, readers)?,
        (None, None) => {
            let why = "XDG_RUNTIME_DIR is not set: name a socket with --socket";
            Listener::make(&default_path().ok_or_else(|| Failure::Usage(why.to_owned()))?, readers)?
        }
    };
    let notify = Notify::from_environment();
    let (most, limit) = descriptors::raise();
    let mut builder = Engine::builder().fix_sigchld(true).helper_limits(vec![limit]);
    if let Ok(path) = std::env::current_exe() {
        builder = builder.probe(path, PROBE_ARG);
    }
    let engine = builder.start().map_err(|error| Failure::Failed(error.whole()))?;
    let reload = Arc::new(|| Ok(vec!["there is no configuration to read".to_owned()]));
    let parts = Parts { engine: engine.clone(), listener, signals, notify, reload, most };
    let left = Server::new(parts)?.run()?;
    // The last handle: the record sink gets what is left in its queue.
    drop(engine);
    for left in left {
        let pid = left.live.pid.map_or_else(|| " (not started yet)".to_owned(), |pid| format!(" (pid {pid})"));
        cli::say(&format!("#{} {}{pid} still runs", left.live.id, screen(&left.live.title)));
    }
    Ok(())
}

/// A group by its name or its number.
fn group(name: &str) -> Result<u32, String> {
    if let Ok(gid) = name.parse() {
        return Ok(gid);
    }
    match nix::unistd::Group::from_name(name) {
        Ok(Some(group)) => Ok(group.gid.as_raw()),
        Ok(None) => Err(format!("there is no group `{}`", screen(name.as_bytes()))),
        Err(e) => Err(format!("the group `{}` cannot be looked up: {}", screen(name.as_bytes()), e.desc())),
    }
}
