//! `khelper serve`: builds the daemon's parts. The console is none of them.

use std::path::Path;
use std::sync::Arc;

use nix::errno::Errno;
use nix::sys::signal::Signal;

use crate::abi::error::{ControlError, Explain, SysError};
use crate::abi::escape::screen;
use crate::abi::event::Level;
use crate::cli::exit::Verdict;
use crate::cli::serve::Serve;
use crate::cli::{self, exit};
use crate::control::Left;
use crate::control::config::Config;
use crate::control::host::{self, HostKernel};
use crate::control::local::Local;
use crate::control::rules::Refused;
use crate::control::text::log::losses;
use crate::daemon::descriptors;
use crate::daemon::journal::Journal;
use crate::daemon::notify::Notify;
use crate::daemon::server::{Parts, SIGNALS, Server};
use crate::daemon::socket::Listener;
use crate::engine::{Builder, Engine};
use crate::ledger::folder;
use crate::ledger::view::Files;
use crate::ledger::writer::{Ledger, Options};
use crate::sys::host::Host;
use crate::sys::linux::{LinuxHost, cgroup};
use crate::sys::orphans;
use crate::sys::probe::PROBE_ARG;
use crate::sys::signals::Signals;
use crate::wire::path::default_path;

use super::configuration::{Configuration, last_good};
use super::verdict;

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
        Err(Failure::Refused(why, code)) => {
            cli::say(&why);
            code
        }
    }
}

enum Failure {
    Usage(String),
    Failed(String),
    /// The configuration is refused, with this exit code.
    Refused(String, u8),
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
    let folder = args.ledger.clone().or_else(folder::default_path).ok_or_else(|| {
        Failure::Usage("neither XDG_STATE_HOME nor HOME is an absolute path: name a folder with --ledger".to_owned())
    })?;
    // All of this is done before another thread exists: signal masks, the umask and the environment are the process's.
    let adopted = orphans::are_adopted();
    let signals: Vec<Signal> = SIGNALS.into_iter().filter(|signal| adopted || *signal != Signal::SIGCHLD).collect();
    let signals = Signals::take(&signals)?;
    let (passed, for_shim) = Listener::passed();
    let listener = listen(args, passed, readers)?;
    let for_shim = for_shim.map_or_else(|| verdict::listen(args), |passed| Ok(Some(passed)))?;
    let notify = Notify::from_environment();
    let (most, limit) = descriptors::raise();
    let host = Arc::new(LinuxHost::new());
    let ledger = Ledger::open(Options::new(&folder, "daemon"), &*host).map_err(|e| Failure::Failed(e.whole()))?;
    let kernel = args.watch_kernel.then(|| watch(&folder, &host)).transpose()?;
    let builder = builder(&ledger).host(host).helper_limits(vec![limit]);
    let journal = Arc::new(Journal::new()?);
    let state = last_good(&folder).with_file_name("");
    let rules = Arc::new(verdict::rules(args, for_shim.as_ref(), &state, &journal).map_err(refused)?);
    let profiles = verdict::profiles(args, &rules, &journal);
    let builder = builder.rules(rules.hook()).profiles(profiles.hook());
    listener.remark.iter().for_each(|remark| journal.line(Level::Warning, remark));
    let engine = builder.start().map_err(|error| Failure::Failed(error.whole()))?;
    let _reporting = verdict::reporting(&rules, &engine);
    let config = args.config.as_ref().map_or_else(Config::default, Config::folder);
    let config = Arc::new(config.with_last_good(last_good(&folder)));
    let view = Arc::new(Files::new(folder.clone()));
    let local = Local::with_run(engine.clone(), ledger.run());
    let target = Arc::new(local.with_config(config.clone()).with_ledger(view).with_rules(rules.clone()));
    let mut configuration = Configuration::new(target.clone(), config, last_good(&folder), rules.clone(), profiles);
    let unusable = |error: ControlError| Failure::Refused(error.whole(), Verdict::of_error(&error).code());
    configuration.start(&journal).map_err(unusable)?;
    let watched = kernel.as_ref().map(|(kernel, _)| kernel.clone());
    let verdicts = for_shim
        .as_ref()
        .map(|socket| verdict::answer(socket, rules, configuration.profiles.hook(), &journal, watched.clone()))
        .transpose()?
        .map(Arc::new);
    configuration.verdicts.clone_from(&verdicts);
    let reload = Arc::new(move || configuration.reload());
    let counted = engine.clone();
    let parts =
        Parts { engine, target, kernel: watched, listener, signals, notify, journal: journal.clone(), reload, most };
    let left = Server::new(parts)?.run()?;
    verdicts.iter().filter_map(|verdicts| verdicts.report()).for_each(|line| journal.line(Level::Info, &line));
    drop(verdicts);
    drop(for_shim);
    ledger.close();
    let of_kernel = kernel.map(|(kernel, ledger)| unwatch(&kernel, &ledger));
    let own = losses(counted.snapshot().totals.records_lost, &ledger.stats());
    farewell(&journal, own.iter().chain(of_kernel.iter().flatten()), &left);
    Ok(())
}

/// The engine, with this ledger.
fn builder(ledger: &Arc<Ledger>) -> Builder {
    let builder = Engine::builder().fix_sigchld(true).record_sink(ledger.clone()).first_id(ledger.first_id());
    let builder = cgroup::delegated().into_iter().fold(builder, Builder::helper_cgroups);
    match std::env::current_exe() {
        Ok(path) => builder.probe(path, PROBE_ARG),
        Err(_) => builder,
    }
}

/// The last lines of the log: what was lost, and what runs on.
fn farewell<'a>(journal: &Journal, lost: impl Iterator<Item = &'a String>, left: &[Left]) {
    for line in lost {
        journal.line(Level::Error, line);
    }
    for left in left {
        let pid = left.live.pid.map_or_else(|| " (not started yet)".to_owned(), |pid| format!(" (pid {pid})"));
        journal.line(Level::Info, &format!("#{} {}{pid} still runs", left.live.id, screen(&left.live.title)));
    }
    journal.flush();
}

/// Watches this machine's kernel, with a ledger of its own in the same folder: its lines have another target and run.
fn watch(folder: &Path, host: &LinuxHost) -> Result<(Arc<HostKernel>, Arc<Ledger>), Failure> {
    let ledger = Ledger::open(Options::new(folder, "kernel"), host).map_err(|e| Failure::Failed(e.whole()))?;
    let options = host::Options {
        sink: Some(ledger.clone()),
        run: Some((ledger.run(), ledger.first_id())),
        left: ledger.left(),
        // It acts on the kernel for no other process: no probe.
        ..host::Options::new(host.known(), host.actor())
    };
    match HostKernel::start(options) {
        Ok(kernel) => Ok((Arc::new(kernel), ledger)),
        Err(why) => {
            cli::kernel::not_watched(&why, false);
            Err(Failure::Failed("this machine's kernel cannot be watched; start without --watch-kernel".to_owned()))
        }
    }
}

/// Ends that. Returns what was lost.
fn unwatch(kernel: &HostKernel, ledger: &Ledger) -> Vec<String> {
    // The last helpers are written first.
    kernel.stop();
    ledger.close();
    losses(0, &ledger.stats())
}

/// The socket that the service manager passed, or one that is made here.
fn listen(args: &Serve, passed: Option<Result<Listener, SysError>>, readers: Option<u32>) -> Result<Listener, Failure> {
    let options =
        [(args.socket.is_some(), "--socket", "ListenStream="), (args.readers.is_some(), "--readers", "SocketGroup=")];
    if let Some((_, option, instead)) = options.into_iter().find(|(given, ..)| *given && passed.is_some()) {
        let why =
            format!("the service manager has passed a socket, so {option} cannot be used: set {instead} in its unit");
        return Err(Failure::Usage(why));
    }
    Ok(match (passed, &args.socket) {
        (Some(passed), _) => passed?,
        (None, Some(path)) => Listener::make(path, readers)?,
        (None, None) => {
            let why = "XDG_RUNTIME_DIR is not set: name a socket with --socket";
            Listener::make(&default_path().ok_or_else(|| Failure::Usage(why.to_owned()))?, readers)?
        }
    })
}

/// A daemon that cannot read its rules does not start: it would enforce nothing.
fn refused(Refused(faults): Refused) -> Failure {
    Failure::Refused(faults.join("\nkhelper: "), exit::USAGE)
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
