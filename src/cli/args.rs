//! What may be typed.

use std::ffi::OsString;
use std::time::Duration;

use clap::error::ErrorKind;
use clap::{Args as ClapArgs, CommandFactory, Parser, Subcommand, ValueEnum};

use crate::abi::wait::WaitMode;

const AFTER_HELP: &str = "\
Without a command: the console, over an engine of its own. This machine's kernel is untouched.

Exit codes: the helper's own; 128 + n if signal n killed it; 127 not found, 126 not executable;
124 timed out; 130 interrupted; 64 usage; 70 status lost; 75 refused for now (limit, gate, empty path,
engine within an engine); 77 not permitted; 74 the answer could not be written; 2 no terminal for the console.";

/// The whole command line.
#[derive(Debug, Parser)]
#[command(name = "khelper", version, about = "Usermode helpers: a console and an engine", after_help = AFTER_HELP)]
pub struct Args {
    /// Knobs to write first.
    #[command(flatten)]
    before: Set,
    /// Nothing can be changed or started from the console
    #[arg(long)]
    pub read_only: bool,
    /// Leave the mouse to the terminal
    #[arg(long)]
    pub no_mouse: bool,
    /// What to do; none is the console.
    #[command(subcommand)]
    pub command: Option<Command>,
}

/// `--set`, which may stand before or after the command.
#[derive(Clone, Debug, Default, ClapArgs)]
pub struct Set {
    /// Write a knob of the engine that this command starts; may be repeated
    #[arg(long = "set", value_name = "KEY=VALUE")]
    set: Vec<OsString>,
}

/// The commands.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Ask for modules, as the kernel's request_module does
    Request(Request),
    /// Call any helper, as the kernel's call_usermodehelper does
    Run(Run),
    /// Run the built-in probe as a helper: what does a helper get now?
    Probe(Probe),
    /// Show masks in every form
    Mask(Mask),
    /// Read knobs
    Get(Get),
}

/// `khelper request`.
#[derive(Debug, ClapArgs)]
pub struct Request {
    #[command(flatten)]
    set: Set,
    /// Answer when the helper has been executed (WAIT_EXEC), not when it has ended
    #[arg(long)]
    pub nowait: bool,
    /// Up to N of the names at the same time
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u16).range(1..=4096))]
    pub parallel: u16,
    /// The whole list N times
    #[arg(long, value_name = "N", default_value_t = 1, value_parser = clap::value_parser!(u32).range(1..))]
    pub repeat: u32,
    /// Print one JSON object a line for each request
    #[arg(long)]
    pub json: bool,
    /// The modules; one that starts with `-` after `--`
    #[arg(value_name = "NAME", required = true)]
    pub names: Vec<OsString>,
}

/// `khelper run`.
#[derive(Debug, ClapArgs)]
pub struct Run {
    #[command(flatten)]
    set: Set,
    /// When to answer: once queued, once executed, or when the helper has ended
    #[arg(long, value_name = "MODE", value_enum, default_value_t = Wait::Proc)]
    pub wait: Wait,
    /// TERM after so many seconds, KILL 2 s later (with --wait proc)
    #[arg(long, value_name = "SECONDS", value_parser = seconds)]
    pub timeout: Option<Duration>,
    /// A narrower bounding set for this call
    #[arg(long, value_name = "MASK", allow_hyphen_values = true)]
    pub bset: Option<OsString>,
    /// A narrower inheritable set for this call
    #[arg(long, value_name = "MASK", allow_hyphen_values = true)]
    pub inheritable: Option<OsString>,
    /// Add to the helper's environment; may be repeated
    #[arg(long, value_name = "K=V", value_parser = variable())]
    pub env: Vec<OsString>,
    /// Print one JSON object
    #[arg(long)]
    pub json: bool,
    /// The program, from `/`, and its arguments
    #[arg(value_name = "PATH [ARG]", last = true, required = true)]
    pub argv: Vec<OsString>,
}

/// `khelper probe`.
#[derive(Debug, ClapArgs)]
pub struct Probe {
    #[command(flatten)]
    set: Set,
    /// Print the record as one JSON object, with the report under `probe`
    #[arg(long)]
    pub json: bool,
}

/// `khelper mask`.
#[derive(Debug, ClapArgs)]
pub struct Mask {
    #[command(flatten)]
    set: Set,
    /// Print one JSON object a line for each mask
    #[arg(long)]
    pub json: bool,
    /// Two words ("65536 0"), one 0x number, names, full, empty, +cap_x -cap_y (of full), ~cap_x
    #[arg(value_name = "MASK", required = true, allow_hyphen_values = true)]
    pub masks: Vec<OsString>,
}

/// `khelper get`.
#[derive(Debug, ClapArgs)]
pub struct Get {
    #[command(flatten)]
    set: Set,
    /// Every knob
    #[arg(short = 'a', long)]
    pub all: bool,
    /// Only the values
    #[arg(short = 'n', long)]
    pub values: bool,
    /// Pass over unknown keys
    #[arg(short = 'e', long)]
    pub ignore: bool,
    /// The knobs, with `.` or `/`
    #[arg(value_name = "KEY", required_unless_present = "all")]
    pub keys: Vec<OsString>,
}

/// `--wait`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Wait {
    /// NO_WAIT: answered once queued.
    None,
    /// WAIT_EXEC: answered once executed.
    Exec,
    /// WAIT_PROC: answered when the helper has ended.
    Proc,
}

impl From<Wait> for WaitMode {
    fn from(wait: Wait) -> Self {
        match wait {
            Wait::None => Self::NoWait,
            Wait::Exec => Self::EXEC,
            Wait::Proc => Self::PROC,
        }
    }
}

impl Args {
    /// Reads the command line, `argv[0]` included.
    pub fn read(args: impl IntoIterator<Item = OsString>) -> Result<Self, clap::Error> {
        let mut args = Self::try_parse_from(args)?;
        if let Some(Command::Mask(mask)) = &mut args.command {
            mask.take_options()?;
        }
        if args.command.is_some() && (args.read_only || args.no_mouse) {
            return Err(conflict("--read-only and --no-mouse are for the console: leave them out before a command"));
        }
        if let Some(Command::Run(run)) = &args.command
            && run.timeout.is_some()
            && run.wait != Wait::Proc
        {
            return Err(conflict("--timeout needs --wait proc: nobody would be there to end the helper"));
        }
        if let Some(Command::Mask(mask)) = &args.command
            && !(args.before.set.is_empty() && mask.set.set.is_empty())
        {
            return Err(conflict("`khelper mask` starts no engine: there is no knob to set"));
        }
        Ok(args)
    }

    /// Every `--set`, those before the command first.
    pub fn set(&self) -> Vec<OsString> {
        let after = match &self.command {
            None => &[][..],
            Some(Command::Request(c)) => &c.set.set,
            Some(Command::Run(c)) => &c.set.set,
            Some(Command::Probe(c)) => &c.set.set,
            Some(Command::Mask(c)) => &c.set.set,
            Some(Command::Get(c)) => &c.set.set,
        };
        self.before.set.iter().chain(after).cloned().collect()
    }
}

impl Mask {
    /// Behind the first mask clap takes everything for one, since a mask may start with `-`; no mask is `--json`.
    fn take_options(&mut self) -> Result<(), clap::Error> {
        let before = self.masks.len();
        self.masks.retain(|mask| mask != "--json");
        self.json |= self.masks.len() < before;
        if self.masks.is_empty() {
            return Err(Args::command().error(ErrorKind::MissingRequiredArgument, "no MASK was given"));
        }
        Ok(())
    }
}

fn conflict(why: &str) -> clap::Error {
    Args::command().error(ErrorKind::ArgumentConflict, why)
}

fn seconds(text: &str) -> Result<Duration, String> {
    let wanted = "a number of seconds above 0, as 2 or 0.5";
    let seconds: f64 = text.parse().map_err(|_| wanted.to_owned())?;
    Duration::try_from_secs_f64(seconds).ok().filter(|d| !d.is_zero()).ok_or_else(|| wanted.to_owned())
}

/// `K=V` with a name before the `=`; any bytes.
fn variable() -> impl clap::builder::TypedValueParser<Value = OsString> {
    use clap::builder::TypedValueParser;
    use std::os::unix::ffi::OsStrExt;
    clap::builder::OsStringValueParser::new().try_map(|text: OsString| {
        match text.as_bytes().iter().position(|b| *b == b'=') {
            Some(at) if at > 0 => Ok(text),
            _ => Err("give NAME=VALUE"),
        }
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(args: &[&str]) -> Result<Args, clap::Error> {
        Args::read(std::iter::once("khelper").chain(args.iter().copied()).map(OsString::from))
    }

    #[test]
    fn the_definition_is_sound() {
        Args::command().debug_assert();
    }

    #[test]
    fn set_stands_before_or_after_the_command() {
        let args = read(&["--set", "a=1", "--set", "b=2", "request", "--set", "c=3", "dummy", "--set=d=4"]).unwrap();
        assert_eq!(args.set(), ["a=1", "b=2", "c=3", "d=4"]);
    }

    #[test]
    fn a_mask_may_start_with_a_minus() {
        let args = read(&["mask", "-cap_sys_module", "--json", "full"]).unwrap();
        let Some(Command::Mask(mask)) = args.command else { panic!("{args:?}") };
        assert!(mask.json);
        assert_eq!(mask.masks, ["-cap_sys_module", "full"]);
    }

    #[test]
    fn what_follows_the_dashes_is_the_helpers() {
        let args = read(&["run", "--bset", "-cap_bpf", "--", "/bin/echo", "--json", "--set", "x"]).unwrap();
        let Some(Command::Run(run)) = args.command else { panic!("{args:?}") };
        assert!(!run.json);
        assert_eq!(run.argv, ["/bin/echo", "--json", "--set", "x"]);
    }

    #[test]
    fn nonsense_is_refused() {
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
            &["--read-only", "get", "-a"],
            &["nonsense"],
        ] {
            assert!(read(bad).is_err(), "{bad:?}");
        }
    }
}
