//! The arguments of khelper.

use std::ffi::OsString;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{CommandFactory, Parser, Subcommand};

#[cfg(feature = "console")]
use super::console::{Console, ConsoleCommand};
use super::help;
use super::log::Log;
use super::over_ssh::{self, OverSsh};
use super::posture::Posture;
use super::profile::Profile;
use super::rules::RulesCommand;
use super::serve::{Bridge, Serve};
use super::shim::Shim;
use super::target::{self, Chosen};
use super::why::Why;
use crate::verbs::knobs::Get;
use crate::verbs::options::{LedgerOutput, Set};
use crate::verbs::verb::Common;

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "khelper", version, about = "Usermode helpers: a console and an engine", after_help = help::after())]
pub struct Args {
    /// The engine to use: `embedded` (one of this process), `daemon`, `unix:PATH` (the daemon at that socket), or
    /// `kernel` (this machine's kernel, watched; of `log` and `why`: its lines alone); `daemon/kernel` or
    /// `unix:PATH/kernel` for the kernel that a daemon watches; `ssh://[USER@]HOST[:PORT][/kernel]` for those of another
    /// machine
    #[arg(short = 't', long, value_name = "TARGET", global = true, value_parser = target::parser())]
    pub target: Option<Chosen>,
    /// Options for other machines.
    #[command(flatten)]
    pub far: OverSsh,
    /// Knobs to write first.
    #[command(flatten)]
    before: Set,
    /// Options of the console.
    #[cfg(feature = "console")]
    #[command(flatten)]
    pub console: Console,
    /// The command; without one, khelper starts the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// The verbs that the console's command line shares.
    #[command(flatten)]
    Verb(Common),
    /// Show what a ledger has recorded, oldest first
    Log(Log),
    /// Explain one request: who asked, what was decided, what ran and how it ended
    Why(Why),
    /// Show what this machine's kernel may execute on its own, how it stands, and why it matters
    Posture(Posture),
    /// Check, try, learn and export rules: who may ask for which module and helper
    Rules(RulesCommand),
    /// Put a program before the kernel's modprobe that asks the daemon for a verdict
    Shim(Shim),
    /// Show and check profiles, what helpers are confined to; find the fewest capabilities that a program needs
    Profile(Profile),
    /// Serve one engine to other processes, over a socket
    Serve(Serve),
    /// Join stdin and stdout to the daemon's socket
    Bridge(Bridge),
    /// Start the console; the same as no command
    #[cfg(feature = "console")]
    Console(ConsoleCommand),
    /// Print the console's keys, as settings for console.toml
    #[cfg(feature = "console")]
    Keys,
}

impl Args {
    /// Parses the command line, including `argv[0]`.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let words: Vec<OsString> = args.into_iter().collect();
        let mut args = match Self::plain_get(&words) {
            Some(get) => get,
            None => Self::try_parse_from(&words)?,
        };
        if !args.far.host.is_empty() {
            args.far.rest = over_ssh::rest(&words).to_vec();
        }
        #[cfg(feature = "console")]
        args.take_console();
        let checked = match &mut args.command {
            Some(Command::Verb(verb)) => verb.check(),
            _ => Ok(()),
        };
        if let Err((kind, why)) = checked {
            return Err(Self::command().error(kind, why));
        }
        #[cfg(feature = "console")]
        args.console.check(args.command.is_some(), args.target.is_some(), args.ledger().is_some()).map_err(conflict)?;
        args.check_far().map_err(conflict)?;
        if args.command.as_ref().is_some_and(Command::starts_no_engine) {
            if !args.set().is_empty() {
                return Err(conflict("this command starts no engine, so --set cannot be used with it"));
            }
            if args.ledger().is_some() {
                return Err(conflict("this command starts no engine, so it writes no ledger"));
            }
        }
        if args.target.is_some() && args.command.as_ref().is_some_and(Command::needs_no_target) {
            let is_kernels = matches!(args.command, Some(Command::Posture(_) | Command::Shim(_)))
                && args.target == Some(Chosen::Kernel);
            if !is_kernels {
                return Err(conflict("this command needs no target, so --target cannot be used with it"));
            }
        }
        if let Some(Command::Verb(Common::Get(get))) = &mut args.command {
            get.of_kernel = args.target == Some(Chosen::Kernel);
        }
        if args.target.as_ref().is_some_and(|target| *target != Chosen::Embedded) {
            if !args.set().is_empty() {
                return Err(conflict("--set is for an engine of this process: use `set`, or --target embedded"));
            }
            // With `--target kernel` they read files, of which they select the kernel's lines.
            let read = match &args.command {
                _ if args.ledger_target().is_some() => None,
                Some(Command::Log(log)) => log.ledger.as_deref(),
                Some(Command::Why(why)) => why.ledger.as_deref(),
                _ => None,
            };
            if (args.ledger().is_some() && !args.records_changes()) || read.is_some() {
                return Err(conflict("--ledger is for an engine of this process: a daemon has its own"));
            }
        }
        let config = args.command.as_ref().and_then(Command::config).is_some();
        if config && args.target.as_ref().is_some_and(|target| *target != Chosen::Embedded) {
            return Err(conflict("--config is for an engine of this process: the daemon has files of its own"));
        }
        Ok(args)
    }

    /// `console` is the same as no command: its options become those before it.
    #[cfg(feature = "console")]
    fn take_console(&mut self) {
        let Some(Command::Console(after)) = self.command.take_if(|command| matches!(command, Command::Console(_)))
        else {
            return;
        };
        let (before, more) = (&mut self.console, after.options);
        before.line |= more.line;
        before.demo |= more.demo;
        before.read_only |= more.read_only;
        before.no_mouse |= more.no_mouse;
        before.ascii |= more.ascii;
        before.theme = more.theme.or(before.theme.take());
        self.before.set.extend(after.set.set);
        if after.set.ledger.is_some() {
            (self.before.ledger, self.before.ledger_output) = (after.set.ledger, after.set.ledger_output);
        }
    }

    /// Reads `[--target TARGET] get KEY...` without other options: to build the definition of every command takes longer
    /// than this command. `None` for everything else.
    fn plain_get(args: &[OsString]) -> Option<Self> {
        let mut words = args.iter().skip(1);
        let (mut word, mut target) = (words.next()?, None);
        if word == "-t" || word == "--target" {
            target = Some(target::read(words.next()?).ok()?);
            word = words.next()?;
        }
        let keys: Vec<OsString> = words.cloned().collect();
        if word != "get" || keys.is_empty() || keys.iter().any(|key| key.as_encoded_bytes().starts_with(b"-")) {
            return None;
        }
        Some(Self {
            target,
            far: OverSsh::default(),
            before: Set::default(),
            #[cfg(feature = "console")]
            console: Console::default(),
            command: Some(Command::Verb(Common::Get(Get { keys, ..Get::default() }))),
        })
    }

    /// Checks the options for other machines against the others. The error says what cannot be used together.
    fn check_far(&self) -> Result<(), &'static str> {
        let (hosts, is_far) = (!self.far.host.is_empty(), matches!(self.target, Some(Chosen::Far(_))));
        match &self.command {
            _ if self.far.names_twice() => Err("--host names a host twice"),
            _ if hosts && self.target.is_some() => Err("--host names the targets, so --target cannot be used with it"),
            Some(command) if hosts && command.needs_no_target() => {
                Err("this command is about this machine alone, so --host cannot be used with it")
            }
            _ if hosts && self.wants_own() => {
                Err("--set, --ledger and --config are for an engine of this process: use neither with --host")
            }
            None if hosts => Err("--host needs a command: for the console, use `--target ssh://HOST`"),
            Some(Command::Verb(Common::Metrics(metrics))) if hosts && metrics.textfile.is_some() => {
                Err("--textfile names one file, so --host cannot be used with it")
            }
            Some(Command::Verb(Common::Set(set))) if hosts && set.load.iter().any(|path| path.as_os_str() == "-") => {
                Err("stdin can be read once only, so --host cannot be used with `-p -`")
            }
            _ if self.far.sudo && !hosts && !is_far => Err("--sudo is for `--target ssh://HOST` and --host"),
            _ => Ok(()),
        }
    }

    /// Whether an option is for an engine of this process.
    pub fn wants_own(&self) -> bool {
        let config = self.command.as_ref().and_then(Command::config);
        let finds = matches!(&self.command, Some(Command::Profile(profile)) if profile.runs());
        finds || !self.set().is_empty() || self.ledger().is_some() || config.is_some()
    }

    /// The value of every `--set`, those before the command first.
    pub fn set(&self) -> Vec<OsString> {
        let after = self.command.as_ref().and_then(Command::verb).map_or(&[][..], Common::set);
        self.before.set.iter().chain(after).cloned().collect()
    }
}

impl Args {
    /// The target whose lines `log` and `why` look at; `None` for all.
    pub fn ledger_target(&self) -> Option<&'static str> {
        (self.target == Some(Chosen::Kernel)).then_some("kernel")
    }

    /// The ledger of the new engine, and of which helpers it stores the output; the options after the command win.
    pub fn ledger(&self) -> Option<(&Path, Option<LedgerOutput>)> {
        let after = self.command.as_ref().and_then(Command::verb).and_then(Common::new_engine);
        let given = after.into_iter().chain([&self.before]).find(|new| new.ledger.is_some())?;
        Some((given.ledger.as_deref()?, given.ledger_output))
    }
}

impl Command {
    /// The verb, if the command is one.
    pub const fn verb(&self) -> Option<&Common> {
        match self {
            Self::Verb(verb) => Some(verb),
            Self::Serve(_)
            | Self::Bridge(_)
            | Self::Log(_)
            | Self::Why(_)
            | Self::Posture(_)
            | Self::Rules(_)
            | Self::Shim(_)
            | Self::Profile(_) => None,
            #[cfg(feature = "console")]
            Self::Keys | Self::Console(_) => None,
        }
    }

    /// The folder of configuration files, if one was given.
    pub fn config(&self) -> Option<&Path> {
        self.verb().and_then(Common::config)
    }

    /// Whether the command starts no engine.
    fn starts_no_engine(&self) -> bool {
        self.needs_no_target() || self.reads_ledger() || self.verb().is_some_and(Common::needs_running)
    }

    /// Whether the command reads the ledger's files.
    const fn reads_ledger(&self) -> bool {
        matches!(self, Self::Log(_) | Self::Why(_))
    }

    /// Whether the command needs no engine.
    fn needs_no_target(&self) -> bool {
        match self {
            Self::Verb(verb) => matches!(verb, Common::Mask(_)),
            Self::Serve(_) | Self::Bridge(_) | Self::Posture(_) | Self::Rules(_) | Self::Shim(_) | Self::Profile(_) => {
                true
            }
            // They read files unless a daemon is named.
            Self::Log(_) | Self::Why(_) => false,
            #[cfg(feature = "console")]
            Self::Keys => true,
            #[cfg(feature = "console")]
            Self::Console(_) => false,
        }
    }
}

fn conflict(why: &str) -> clap::Error {
    Args::command().error(ErrorKind::ArgumentConflict, why)
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Args, clap::Error> {
        Args::read(std::iter::once("khelper").chain(args.iter().copied()).map(OsString::from))
    }

    /// A target is refused by a command that has none, so its help must not offer it.
    #[test]
    fn the_help_of_a_command_without_a_target_shows_none() {
        let help = |command: &str| {
            let words: Vec<&str> = command.split(' ').chain(["--help"]).collect();
            read(&words).unwrap_err().to_string()
        };
        let none = ["serve", "bridge", "rules", "rules check", "rules off", "profile", "profile find"];
        for (command, has) in none.iter().map(|none| (*none, false)).chain([("log", true), ("status", true)]) {
            assert_eq!(help(command).contains("--target"), has, "{command}");
        }
        for words in [&["serve", "-t", "daemon"][..], &["-t", "daemon", "bridge"], &["rules", "check", "-t", "daemon"]]
        {
            let refused = read(words).unwrap_err().to_string();
            assert!(refused.contains("this command needs no target"), "{words:?}: {refused}");
        }
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn a_plain_get_is_read_as_the_definition_reads_it() {
        for line in ["get khelper.era", "-t daemon get a b", "--target unix:/x get a", "-t embedded get a/b get"] {
            let args: Vec<OsString> = std::iter::once("khelper").chain(line.split(' ')).map(OsString::from).collect();
            let plain = Args::plain_get(&args).unwrap_or_else(|| panic!("{line}"));
            assert_eq!(format!("{plain:?}"), format!("{:?}", Args::try_parse_from(args).unwrap()), "{line}");
        }
        for line in [
            "",
            "status",
            "get",
            "get -a",
            "get a -n",
            "get -- a",
            "-t",
            "-t ssh://-a get a",
            "--host a get a",
            "--sudo get a",
            "-t daemon",
            "-t get a",
            "--set a=1 get a",
            "request get",
        ] {
            let args: Vec<OsString> = std::iter::once("khelper").chain(line.split(' ')).map(OsString::from).collect();
            assert!(Args::plain_get(&args).is_none(), "{line}");
        }
    }

    #[test]
    fn set_stands_before_or_after_the_command() {
        let args = read(&["--set", "a=1", "--set", "b=2", "request", "--set", "c=3", "dummy", "--set=d=4"]).unwrap();
        assert_eq!(args.set(), ["a=1", "b=2", "c=3", "d=4"]);
    }

    #[cfg(feature = "console")]
    #[test]
    fn console_is_the_same_as_no_command() {
        let args =
            read(&["--no-mouse", "--set", "a=1", "console", "--set=b=2", "--read-only", "--ledger", "/l"]).unwrap();
        assert!(args.command.is_none() && args.console.no_mouse && args.console.read_only && !args.console.ascii);
        assert_eq!(
            (args.set(), args.ledger().map(|(path, _)| path)),
            (vec!["a=1".into(), "b=2".into()], Some("/l".as_ref()))
        );
        assert!(read(&["console", "--line"]).is_ok_and(|args| args.console.line));
        assert!(read(&["console", "x"]).is_err());
    }

    #[test]
    fn settings_before_and_after_each_command_are_written_in_their_order() {
        for (command, rest) in
            [("request", &["dummy"][..]), ("run", &["--", "/bin/true"]), ("probe", &[]), ("get", &["khelper.era"])]
        {
            let line = [&["--set", "a=1", command, "--set", "b=2", "--set=c=3"], rest].concat();
            assert_eq!(read(&line).unwrap().set(), ["a=1", "b=2", "c=3"], "{line:?}");
        }
        assert_eq!(read(&["--set", "a=1"]).unwrap().set(), ["a=1"], "the console's own");
    }

    #[test]
    fn every_option_of_run_reaches_the_call() {
        use crate::abi::cap::CapMask;
        use crate::abi::mask::MaskExpr;
        use crate::abi::wait::WaitMode;
        let of = |options: &[&str]| {
            let args = read(&[&["run"], options, &["--", "/bin/x", "a", "--json"]].concat()).unwrap();
            let Some(Command::Verb(Common::Run(run))) = args.command else { panic!("{args:?}") };
            (run.json, run.call(CapMask::up_to(40)).unwrap())
        };
        let exactly = |bits| Some(MaskExpr::Exactly(CapMask::from_bits(bits)));
        let (json, call) = of(&[]);
        assert_eq!((json, call.wait, call.timeout, call.env.len()), (false, WaitMode::PROC, None, 0));
        assert_eq!((call.bset, call.inheritable), (None, None));
        assert_eq!((&*call.path, call.args.concat()), (&b"/bin/x"[..], b"a--json".to_vec()));
        let options = ["--bset", "cap_chown", "--inheritable", "cap_kill", "--env", "A=1", "--env", "B=2", "--json"];
        let (json, call) = of(&options);
        assert_eq!((json, call.bset, call.inheritable), (true, exactly(1), exactly(1 << 5)));
        assert_eq!(call.env, [b"A=1", b"B=2"]);
        assert_eq!(of(&["--inheritable", "empty"]).1.inheritable, exactly(0), "one without the other");
        assert_eq!(of(&["--inheritable", "empty"]).1.bset, None);
        assert_eq!(of(&["--timeout", "0.5"]).1.timeout, Some(std::time::Duration::from_millis(500)));
        for (mode, wait) in [("none", WaitMode::NoWait), ("exec", WaitMode::EXEC), ("proc", WaitMode::PROC)] {
            assert_eq!(of(&["--wait", mode]).1.wait, wait);
        }
    }

    #[test]
    fn every_option_of_request_and_get_is_read() {
        let args = read(&["request", "--nowait", "--parallel", "3", "--repeat", "5", "--json", "a", "b"]).unwrap();
        let Some(Command::Verb(Common::Request(request))) = args.command else { panic!("{args:?}") };
        assert_eq!((request.nowait, request.parallel, request.repeat, request.json), (true, 3, 5, true));
        assert_eq!(request.names, ["a", "b"]);
        let args = read(&["request", "a"]).unwrap();
        let Some(Command::Verb(Common::Request(request))) = args.command else { panic!("{args:?}") };
        assert_eq!((request.nowait, request.parallel, request.repeat, request.json), (false, 1, 1, false));
        for (flag, all, values, ignore) in
            [("-a", true, false, false), ("-n", false, true, false), ("-e", false, false, true)]
        {
            let args = read(&["get", flag, "k"]).unwrap();
            let Some(Command::Verb(Common::Get(get))) = args.command else { panic!("{args:?}") };
            assert_eq!((get.all, get.values, get.ignore), (all, values, ignore), "{flag}");
        }
    }

    #[test]
    fn a_mask_may_start_with_a_minus() {
        let args = read(&["mask", "-cap_sys_module", "--json", "full"]).unwrap();
        let Some(Command::Verb(Common::Mask(mask))) = args.command else { panic!("{args:?}") };
        assert!(mask.json);
        assert_eq!(mask.masks, ["-cap_sys_module", "full"]);
    }

    #[test]
    fn arguments_after_the_dashes_belong_to_the_helper() {
        let args = read(&["run", "--bset", "-cap_bpf", "--", "/bin/echo", "--json", "--set", "x"]).unwrap();
        let Some(Command::Verb(Common::Run(run))) = args.command else { panic!("{args:?}") };
        assert!(!run.json);
        assert_eq!(run.argv, ["/bin/echo", "--json", "--set", "x"]);
    }

    #[test]
    fn invalid_arguments_are_refused() {
        for bad in [
            &["run", "/bin/true"][..],
            &["run", "--"],
            &["run", "--timeout", "0", "--", "/bin/true"],
            &["run", "--timeout", "-1", "--", "/bin/true"],
            &["run", "--timeout", "1e300", "--", "/bin/true"],
            &["run", "--timeout", "1", "--wait", "none", "--", "/bin/true"],
            &["run", "--env", "=x", "--", "/bin/true"],
            &["run", "--env", "x", "--", "/bin/true"],
            &["request"],
            &["request", "--parallel", "0", "x"],
            &["request", "--repeat", "0", "x"],
            &["get"],
            &["mask"],
            &["mask", "--json"],
            &["mask", "--set", "khelper.era=3.4", "full"],
            &["mask", "--ledger", "/x", "full"],
            &["--ledger", "/x", "ps"],
            &["request", "--ledger-output", "all", "x"],
            &["request", "--ledger", "/x", "--ledger-output", "some", "x"],
            &["log", "--outcome", "nonsense"],
            &["log", "--since", "soon"],
            &["log", "--uid", "-1"],
            &["log", "--module", "["],
            &["why"],
            &["why", "#x"],
            &["why", "pid:0"],
            &["--demo", "get", "-a"],
            &["--demo", "--target", "embedded"],
            &["console", "--demo", "--ledger", "/x"],
            &["--read-only", "get", "-a"],
            &["--no-mouse", "get", "-a"],
            &["--ascii", "get", "-a"],
            &["--theme", "plain", "get", "-a"],
            &["nonsense"],
            &["--host", "a"],
            &["--host", "", "ps"],
            &["--host", "a,-b", "ps"],
            &["--host", "a,a", "ps"],
            &["--host", "a", "--host", "a", "ps"],
            &["--host", "a;b", "ps"],
            &["--host", "a", "-t", "daemon", "ps"],
            &["--host", "a", "--set", "a=1", "request", "x"],
            &["--host", "a", "serve"],
            &["--host", "a", "mask", "full"],
            &["--host", "a", "posture"],
            &["ps", "--host", "a"],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
