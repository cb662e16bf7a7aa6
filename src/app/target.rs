//! Finds the engine of a command: the daemon's, or one of this process.

use std::cell::OnceCell;
use std::io::IsTerminal;
use std::sync::Arc;
use std::time::Duration;

use crate::abi::actor::{Actor, Origin};
use crate::abi::error::ControlError;
use crate::abi::rules_mode::RulesState;
use crate::cli::exit::Verdict;
use crate::cli::need::{Need, Use};
use crate::cli::target::Chosen;
use crate::cli::{self, Args, exit};
use crate::control::ask::ask;
use crate::control::target::Target;
use crate::control::text::target::object;
use crate::control::{Command, Reply};
use crate::remote::{Address, Direct, Remote};
use crate::sys::channel::channel;
use crate::sys::thread::spawn;

/// What a command wants of its target.
pub(super) struct Wanted<'a> {
    /// The choice of the operator.
    pub(super) chosen: Option<&'a Chosen>,
    /// Be root on another machine.
    pub(super) sudo: bool,
    /// The engine that it needs, and how it uses it.
    pub(super) needs: (Need, Use),
    /// An option is for an engine of this process.
    pub(super) own: bool,
    /// A target that the operator did not choose is named on stderr by this.
    pub(super) named: Option<&'a Named>,
}

/// Names a target that the operator did not choose: on a terminal before the command runs, elsewhere in the last line, so
/// that the first line of stderr is the command's own.
#[derive(Default)]
pub(super) struct Named(OnceCell<String>);

impl Named {
    fn say(&self, words: String) {
        if std::io::stderr().is_terminal() {
            cli::say(&words);
        } else {
            let _ = self.0.set(words);
        }
    }
}

impl Drop for Named {
    fn drop(&mut self) {
        if let Some(words) = self.0.get() {
            cli::say(words);
        }
    }
}

/// Starts a target. The error is the exit code; the cause is already on stderr.
pub(super) trait Open: Fn() -> Result<Arc<dyn Target>, u8> {}
impl<F: Fn() -> Result<Arc<dyn Target>, u8>> Open for F {}

/// Opens the target of a command. `own` starts an engine of this process, `kernel` a watch of the kernel. The error is the
/// exit code; the cause is already on stderr.
pub(super) fn open(wanted: &Wanted<'_>, own: &dyn Open, kernel: &dyn Open) -> Result<Arc<dyn Target>, u8> {
    let &Wanted { chosen, sudo, needs: (need, uses), own: wants_own, named } = wanted;
    let connect = |address: &Address| match uses {
        Use::Waits => Remote::connect(address),
        Use::Asks => Direct::connect(address).map(|direct| Arc::new(direct) as Arc<dyn Target>),
    };
    if let Some(address) = chosen.and_then(|chosen| address(chosen, sudo)) {
        return connect(&address).map_err(|error| fail(&error));
    }
    match (chosen, need) {
        (Some(Chosen::Kernel), _) => kernel(),
        // Of the others, only the engine of this process has no address.
        (Some(_), _) => own(),
        (None, _) if wants_own => own(),
        (None, Need::Daemon) => connect(&Address::usual()).map_err(|error| {
            if matches!(error, ControlError::Version(_)) {
                return fail(&error);
            }
            cli::say(&format!("{error}; start one with `khelper serve`, or choose another with `--target unix:PATH` or `--target embedded`"));
            exit::UNAVAILABLE
        }),
        (None, Need::Any) => {
            let address = Address::usual();
            match connect(&address).and_then(|daemon| lets_in(&*daemon).map(|()| daemon)) {
                Ok(daemon) => {
                    if let Some(named) = named {
                        named.say(format!("uses {}", object(&daemon.info())));
                    }
                    Ok(daemon)
                }
                // A daemon runs, and what it would do cannot be known.
                Err(error @ ControlError::Version(_)) => Err(fail(&error)),
                Err(why) => {
                    let own = own()?;
                    if let Some(named) = named {
                        named.say(format!("uses {}; {why}", object(&own.info())));
                    }
                    Ok(own)
                }
            }
        }
    }
}

/// Where a daemon is that the operator chose; `None` for what this process has itself.
pub(super) fn address(chosen: &Chosen, sudo: bool) -> Option<Address> {
    match chosen {
        Chosen::Far(far) => Some(Address::far(far, sudo)),
        Chosen::Unix(path) => Some(Address::unix(path)),
        Chosen::UnixKernel(path) => Some(Address::unix(path).kernel()),
        Chosen::Daemon => Some(Address::usual()),
        Chosen::DaemonKernel => Some(Address::usual().kernel()),
        Chosen::Embedded | Chosen::Kernel => None,
    }
}

/// Reads a ledger: with `files`, or with `ask` from the daemon that the operator chose. Returns the exit code.
pub(super) fn history(args: &Args, files: impl FnOnce() -> u8, ask: impl FnOnce(Arc<dyn Target>) -> u8) -> u8 {
    let chosen = args.target.as_ref().and_then(|chosen| address(chosen, args.far.sudo));
    let Some(address) = chosen else { return files() };
    Direct::connect(&address).map_or_else(|error| fail(&error), |direct| ask(Arc::new(direct)))
}

/// The state of the rules of the daemon that the operator chose, or of the usual one if that `is_usual`.
pub(super) fn rules(args: &Args, is_usual: bool) -> Result<Option<RulesState>, ControlError> {
    let chosen = args.target.as_ref().and_then(|chosen| address(chosen, args.far.sudo));
    let Some(address) = chosen.or_else(|| is_usual.then(Address::usual)) else { return Ok(None) };
    match Direct::connect(&address)?.ask(&Command::Status)? {
        Reply::Status(snapshot) => Ok(snapshot.rules),
        _ => Ok(None),
    }
}

/// Whether the daemon takes requests from this process. A process that may read alone gets an engine of its own.
fn lets_in(daemon: &dyn Target) -> Result<(), ControlError> {
    // The daemon takes the actor from the socket.
    let nobody = Actor::new(Origin::CommandLine, 0, 0, 0, b"");
    let pid = i32::try_from(std::process::id()).unwrap_or_default();
    ask(daemon, &nobody, Command::Chain(pid)).map(|_| ())
}

fn fail(error: &ControlError) -> u8 {
    cli::complain(error);
    match error {
        ControlError::Version(_) | ControlError::Unreached(_) => Verdict::of_error(error).code(),
        _ => exit::UNAVAILABLE,
    }
}

/// How long a completion waits for the daemon.
const COMPLETES_IN: Duration = Duration::from_millis(500);

/// The requests of the daemon that have not ended, for completion. None if it does not answer at once.
pub(super) fn ids(chosen: Option<Chosen>) -> Vec<u64> {
    let address = match chosen {
        // A key that completes a word does not log in anywhere.
        Some(Chosen::Far(_)) => return Vec::new(),
        Some(chosen) => address(&chosen, false),
        None => Some(Address::usual()),
    };
    let Some(address) = address else { return Vec::new() };
    let (sender, answer) = channel();
    let ask = move || {
        let live = Direct::connect(&address).and_then(|daemon| daemon.ask(&Command::Live { after: 0, most: 256 }));
        // Nobody waits for an answer that comes late.
        let _ = sender.send(live);
    };
    let started = spawn("ids", ask);
    match started.ok().and_then(|_| answer.recv_timeout(COMPLETES_IN).ok()) {
        Some(Ok(Reply::Live(live))) => live.into_iter().map(|live| live.id).collect(),
        _ => Vec::new(),
    }
}
