//! Floor 6: builds the parts, connects them and stops them in order.
#![forbid(unsafe_code)]

mod configuration;
#[cfg(feature = "console")]
mod demo;
mod ledger;
#[cfg(feature = "console")]
mod others;
mod serve;
mod target;
mod verdict;

use std::cell::OnceCell;
use std::ffi::OsString;
use std::io::{self, Write};
use std::path::Path;
use std::process::ExitCode;
use std::sync::{Arc, OnceLock};

use crate::abi::error::SysError;
use crate::abi::error::io_words;
use crate::cli::complete::{COMPLETE_ARG, complete};
use crate::cli::{self, Args, exit};
use crate::control::config::Config;
use crate::control::host::{self, HostKernel};
use crate::control::kernel_knobs::{KernelKnobs, Unwatched};
use crate::control::profiles;
use crate::control::target::Target;
use crate::control::text::kernel::state;
use crate::engine::Engine;
use crate::sys::host::Host;
use crate::sys::linux::LinuxHost;
use crate::sys::malloc;
use crate::sys::probe::PROBE_ARG;
use crate::verbs::verb::Common;
use crate::wire::path::default_path;
use ledger::{Changes, Kept};
use target::{Named, Wanted};
#[cfg(feature = "console")]
use {
    crate::cli::need::{Need, Use},
    crate::sys::{orphans, signals::Signals},
    crate::tui,
    nix::sys::signal::Signal,
    std::io::IsTerminal,
};

/// The whole program.
pub fn main() -> ExitCode {
    let args: Vec<OsString> = std::env::args_os().collect();
    // The probe comes before everything else: it must not disturb what it measures.
    if args.get(1).is_some_and(|first| first == PROBE_ARG) {
        return cli::probe::report().into();
    }
    if args.get(1).is_some_and(|first| first == COMPLETE_ARG) {
        return complete(&args[2..], LinuxHost::new().known(), &target::ids).into();
    }
    #[cfg(feature = "console")]
    if let Some(code) = demo::helper(&args) {
        return code.into();
    }
    end_on_panic();
    malloc::keep_one_heap();
    cli::parse(args).map_or_else(ExitCode::from, |args| run(&args).into())
}

/// Where panics abort, the program ends as where they unwind: with code 101 and without a core. std's own hook is not
/// called: with `RUST_BACKTRACE` set it would look for tables that the release program lacks (build.rs), and abort. The
/// console puts its own hook before this one.
fn end_on_panic() {
    if cfg!(panic = "abort") {
        std::panic::set_hook(Box::new(|info| {
            let thread = std::thread::current();
            // There is nobody else to tell.
            let _ = writeln!(io::stderr(), "\nthread '{}' {info}", thread.name().unwrap_or("?"));
            std::process::exit(101);
        }));
    }
}

fn run(args: &Args) -> u8 {
    let settings = args.set();
    let Some(command) = &args.command else { return console(args, &settings) };
    #[cfg(feature = "console")]
    if matches!(command, cli::Command::Keys) {
        return tui::keys().map_or_else(|code| code, |table| cli::print(&table));
    }
    if !args.far.host.is_empty() {
        return cli::signals().map_or_else(|e| refuse(&e), |signals| cli::hosts::run(args, &signals));
    }
    match command {
        cli::Command::Serve(args) => return serve::serve(args),
        cli::Command::Posture(args) => return cli::posture::posture(args),
        cli::Command::Shim(args) => {
            let changes = Changes::default();
            let code = cli::shim::shim(args, changes.recorder());
            changes.close();
            return code;
        }
        cli::Command::Rules(rules) => return cli::rules::rules(rules, &|is_usual| target::rules(args, is_usual)),
        cli::Command::Profile(args) if !args.runs() => return cli::profile::look(args).unwrap_or_default(),
        cli::Command::Bridge(args) => return bridge(args.socket.as_deref()),
        cli::Command::Log(log) => {
            let files = || cli::log::log(log, args.ledger_target());
            return target::history(args, files, |daemon| cli::log::ask(&daemon, log));
        }
        cli::Command::Why(why) => {
            let files = || cli::why::why(why, args.ledger_target());
            return target::history(args, files, |daemon| cli::why::ask(&daemon, why));
        }
        _ => {}
    }
    if let Some(code) = cli::without_engine(command, || LinuxHost::new().known()) {
        return code;
    }
    let own = Own::new(args);
    // Lives to the end of the command, when it may name the target.
    let named = command.verb().is_some_and(|verb| !verb.json()).then(Named::default);
    let needs = (command.need(), command.uses());
    let (chosen, sudo) = (args.target.as_ref(), args.far.sudo);
    let wanted = Wanted { chosen, sudo, needs, own: args.wants_own(), named: named.as_ref() };
    let open = || target::open(&wanted, &|| own.start(), &|| own.kernel(Some(command)));
    if command.asks_only(args.target.as_ref()) && !wanted.own {
        return open().map_or_else(|code| code, |target| cli::ask(&target, command));
    }
    // Signals are taken before the first thread starts.
    let started = cli::signals().map_err(|e| refuse(&e)).and_then(|signals| Ok((open()?, signals)));
    match started {
        Ok((target, signals)) => {
            let code = cli::run(&target, command, &settings, &signals);
            own.close();
            code
        }
        Err(code) => code,
    }
}

/// Joins stdin and stdout to the daemon's socket. Returns the exit code.
fn bridge(socket: Option<&Path>) -> u8 {
    match socket.map(Path::to_owned).or_else(default_path) {
        Some(path) => cli::bridge::bridge(&path),
        None => {
            cli::say("XDG_RUNTIME_DIR is not set: name a socket with --socket");
            exit::USAGE
        }
    }
}

/// Reports that this build has no console and needs a command. Returns exit code 64, as for every usage error.
#[cfg(not(feature = "console"))]
fn console(_: &Args, _: &[OsString]) -> u8 {
    cli::say("this khelper was built without the console (feature `console`); `khelper --help` lists its commands");
    exit::USAGE
}

/// The console. The knobs are written before the terminal is checked, so that a wrong `--set` is reported first.
#[cfg(feature = "console")]
fn console(args: &Args, settings: &[OsString]) -> u8 {
    let mut wanted = tui::SIGNALS.to_vec();
    if orphans::are_adopted() {
        wanted.push(Signal::SIGCHLD);
    }
    let own = Own::new(args);
    if args.console.demo {
        demo::prepare();
    }
    let started = Signals::take(&wanted).map_err(|e| refuse(&e)).and_then(|signals| {
        let needs = (Need::Any, Use::Waits);
        let (chosen, sudo) = (args.target.as_ref(), args.far.sudo);
        let wanted = Wanted { chosen, sudo, needs, own: args.wants_own(), named: None };
        let target = match args.console.demo {
            true => demo::start()?,
            false => target::open(&wanted, &|| own.start(), &|| own.kernel(None))?,
        };
        if target.info().is_owned() {
            cli::set(&target, settings)?;
        }
        Ok((target, signals))
    });
    let (target, signals) = match started {
        Ok(started) => started,
        Err(code) => return code,
    };
    let terminal = std::io::stdin().is_terminal() && std::io::stdout().is_terminal();
    if !terminal && !args.console.line {
        cli::say(&format!("the console needs a terminal on stdin and stdout; {}", tui::WITHOUT_TERMINAL));
        return exit::NO_TERMINAL;
    }
    // While screen(1) reports mouse events, it delays a single ESC.
    let mouse = !args.console.no_mouse && !tui::terminal::within_screen();
    let theme = match args.console.theme.as_deref().map(tui::theme::Theme::named).transpose() {
        Ok(theme) => theme,
        Err(why) => {
            cli::say(&why);
            return exit::USAGE;
        }
    };
    let options = tui::Options { read_only: args.console.read_only, mouse, ascii: args.console.ascii, theme };
    let others = others::others(&target.info(), args, &own.kernel, &own.changes.recorder());
    let targets = tui::Targets::new(target, others);
    let code = match args.console.line {
        true => tui::run_lines(&targets, &signals, options),
        false => tui::run_over(&targets, &signals, options, tui::Frontend::KHELPER),
    };
    own.close();
    if code == tui::DEMO { demo::instead(args) } else { code }
}

/// An engine of this process, which is started when a command needs it.
struct Own<'a> {
    args: &'a Args,
    ledger: OnceCell<Kept>,
    /// Shared with the thread on which a console opens it.
    kernel: Arc<OnceLock<Arc<HostKernel>>>,
    changes: Changes,
}

impl<'a> Own<'a> {
    fn new(args: &'a Args) -> Self {
        Self { args, ledger: OnceCell::new(), kernel: Arc::default(), changes: Changes::default() }
    }

    /// Starts the engine, with the built-in probe, and returns it as a target. khelper owns the process, so it may set
    /// SIGCHLD (UMH-8). The error is the exit code; the cause is already on stderr.
    fn start(&self) -> Result<Arc<dyn Target>, u8> {
        let opened = Kept::open(self.args.ledger())?;
        let ledger = self.ledger.get_or_init(|| opened);
        let profiles = profiles::hook(profiles::Folders::default());
        let mut builder = ledger.attach(Engine::builder().fix_sigchld(true).profiles(profiles));
        match std::env::current_exe() {
            Ok(path) => builder = builder.probe(path, PROBE_ARG),
            Err(e) => cli::say(&format!(
                "the built-in probe is unavailable: cannot find the path of the khelper executable: {}",
                io_words(&e)
            )),
        }
        let config = Arc::new(
            self.args.command.as_ref().and_then(cli::Command::config).map_or_else(Config::default, Config::folder),
        );
        let local = |engine| Arc::new(ledger.target(engine).with_config(config)) as Arc<dyn Target>;
        builder.start().map(local).map_err(|error| {
            cli::complain(&error);
            126
        })
    }

    /// This machine's kernel, for this command or the console. It is watched where helpers are shown; knobs need no watch,
    /// and a module is asked for without one too.
    fn kernel(&self, command: Option<&cli::Command>) -> Result<Arc<dyn Target>, u8> {
        let verb = command.and_then(cli::Command::verb);
        if let Some((folder, _)) = self.args.ledger() {
            self.changes.open(folder)?;
        }
        let probe = std::env::current_exe().ok();
        let knobs = KernelKnobs::default().probing(probe.clone());
        let unwatched = |why: String| {
            let unwatched = Unwatched::new(knobs.clone(), why).recorded(self.changes.recorder());
            Ok(Arc::new(unwatched) as Arc<dyn Target>)
        };
        if matches!(verb, Some(Common::Get(_) | Common::Set(_) | Common::Diff(_))) {
            return unwatched("no watcher: this command starts none".to_owned());
        }
        let host = LinuxHost::new();
        let mut options = host::Options::new(host.known(), host.actor());
        (options.changes, options.probe) = (Some(self.changes.recorder()), probe);
        let started = match verb {
            // What runs now is known without a watch.
            Some(verb) if verb.needs_running() && !matches!(verb, Common::Watch(_)) => {
                HostKernel::list(options, matches!(verb, Common::Status(_)))
            }
            _ => HostKernel::start(options),
        };
        match started {
            Ok(kernel) => Ok(self.kernel.get_or_init(|| Arc::new(kernel)).clone()),
            Err(why) if matches!(verb, Some(Common::Request(_))) => {
                let states: Vec<String> = why.states.iter().map(state).collect();
                unwatched(format!("no watcher: {}", states.join("; ")))
            }
            Err(why) => Err(cli::kernel::not_watched(&why, verb.is_some_and(Common::json))),
        }
    }

    /// Closes the ledger, once the engine has stopped, and ends the watch of the kernel.
    fn close(&self) {
        self.kernel.get().inspect(|kernel| kernel.stop());
        self.ledger.get().inspect(|ledger| ledger.close());
        self.changes.close();
    }
}

fn refuse(error: &SysError) -> u8 {
    cli::complain(error);
    126
}
