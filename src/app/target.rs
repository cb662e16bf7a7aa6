//! Finds the engine of a command: the daemon's, or one of this process.

use std::ffi::OsString;
use std::sync::Arc;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::{ControlError, Explain};
use crate::cli::target::{Chosen, Need, Use};
use crate::cli::{self, exit};
use crate::control::Command;
use crate::control::ask::ask;
use crate::control::target::Target;
use crate::control::text::target::object;
use crate::remote::{Address, Direct, Remote};

/// Opens the target of a command. `own` starts an engine of this process. With `tells`, a target that the operator did
/// not choose is named on stderr. The error is the exit code; the cause is already on stderr.
pub(super) fn open(
    chosen: Option<&Chosen>,
    (need, uses): (Need, Use),
    settings: &[OsString],
    tells: bool,
    own: impl FnOnce() -> Result<Arc<dyn Target>, u8>,
) -> Result<Arc<dyn Target>, u8> {
    let connect = |address: &Address| match uses {
        Use::Waits => Remote::connect(address),
        Use::Asks => Direct::connect(address).map(|direct| Arc::new(direct) as Arc<dyn Target>),
    };
    match (chosen, need) {
        (Some(Chosen::Embedded), _) => own(),
        (Some(Chosen::Kernel), _) => {
            cli::say("this version only watches the kernel: `khelper watch --target kernel`");
            Err(exit::USAGE)
        }
        (Some(Chosen::Unix(path)), _) => connect(&Address::unix(path)).map_err(|error| fail(&error)),
        (Some(Chosen::Daemon), _) => connect(&Address::usual()).map_err(|error| fail(&error)),
        // The settings are for a new engine.
        (None, _) if !settings.is_empty() => own(),
        (None, Need::Daemon) => connect(&Address::usual()).map_err(|error| {
            cli::say(&format!("{error}; start one with `khelper serve`, or choose another with `--target unix:PATH` or `--target embedded`"));
            exit::UNAVAILABLE
        }),
        (None, Need::Any) => {
            let address = Address::usual();
            match connect(&address).and_then(|daemon| lets_in(&*daemon).map(|()| daemon)) {
                Ok(daemon) => {
                    if tells {
                        cli::say(&format!("uses {}", object(&daemon.info())));
                    }
                    Ok(daemon)
                }
                Err(why) => {
                    let own = own()?;
                    if tells {
                        cli::say(&format!("uses {}; {why}", object(&own.info())));
                    }
                    Ok(own)
                }
            }
        }
    }
}

/// Whether the daemon takes requests from this process. A process that may read alone gets an engine of its own.
fn lets_in(daemon: &dyn Target) -> Result<(), ControlError> {
    // The daemon takes the actor from the socket.
    let nobody = Actor::new(Origin::CommandLine, 0, 0, 0, b"");
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    ask(daemon, &nobody, Command::Chain(pid)).map(|_| ())
}

fn fail(error: &dyn Explain) -> u8 {
    cli::complain(error);
    exit::UNAVAILABLE
}

/// The requests of the daemon that have not ended, for completion. None if it cannot be reached.
pub(super) fn ids() -> Vec<u64> {
    let live = Direct::connect(&Address::usual()).and_then(|daemon| daemon.ask(&Command::Live { after: 0, most: 256 }));
    match live {
        Ok(crate::control::Reply::Live(live)) => live.into_iter().map(|live| live.id).collect(),
        _ => Vec::new(),
    }
}
