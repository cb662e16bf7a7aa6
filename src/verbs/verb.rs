//! The verbs: those of the shell and of the console's line, and a line as it is typed into the console.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;

use clap::error::ErrorKind;
use clap::{Args as ClapArgs, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::options::{Get, Mask, Probe, Request, Run};

/// One line.
#[derive(Debug, Parser)]
#[command(name = ":", no_binary_name = true, subcommand_required = true)]
#[command(help_template = "{subcommands}", about = "Commands of the console")]
pub struct Line {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs of the shell and of the line.
#[derive(Debug, Subcommand)]
pub enum Common {
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

impl Common {
    /// Checks what clap cannot: masks behind options, and options that exclude each other. The error is a sentence.
    pub fn check(&mut self) -> Result<(), (ErrorKind, &'static str)> {
        match self {
            Self::Mask(mask) => {
                let left = mask.take_options();
                if left { Ok(()) } else { Err((ErrorKind::MissingRequiredArgument, "no MASK was given")) }
            }
            Self::Run(run) => run.conflict().map_or(Ok(()), |why| Err((ErrorKind::ArgumentConflict, why))),
            Self::Request(_) | Self::Probe(_) | Self::Get(_) => Ok(()),
        }
    }

    /// The knobs of `--set`.
    pub fn set(&self) -> &[OsString] {
        match self {
            Self::Request(c) => &c.set.set,
            Self::Run(c) => &c.set.set,
            Self::Probe(c) => &c.set.set,
            Self::Mask(c) => &c.set.set,
            Self::Get(c) => &c.set.set,
        }
    }

    /// Whether the answer is JSON.
    pub const fn json(&self) -> bool {
        match self {
            Self::Request(c) => c.json,
            Self::Run(c) => c.json,
            Self::Probe(c) => c.json,
            Self::Mask(c) => c.json,
            Self::Get(_) => false,
        }
    }
}

/// The verbs of the line: its engine goes on, so that there is something to change.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// Write knobs, all at once or none; a mask is confirmed first
    Set(Settings),
    /// The shell's.
    #[command(flatten)]
    Common(Common),
    /// Work the gate
    Gate(Gate),
    /// Put a mask back to full (confirmed first), or forget the runaway messages
    Reset(Reset),
    /// Signal helpers and their groups
    Kill(Kill),
    /// Stop waiting for requests; their helpers live on
    Abandon(Abandon),
}

impl Verb {
    /// Whether nothing is changed or started.
    pub const fn only_reads(&self) -> bool {
        matches!(self, Self::Common(Common::Get(_) | Common::Mask(_)))
    }
}

/// `set`.
#[derive(Debug, ClapArgs)]
pub struct Settings {
    /// The knobs with their values
    #[arg(value_name = "KEY=VALUE", required = true)]
    pub settings: Vec<OsString>,
}

/// `gate`.
#[derive(Debug, ClapArgs)]
pub struct Gate {
    /// What to do with it
    #[arg(value_name = "WHAT", value_enum)]
    pub what: Work,
}

/// What can be done with the gate.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Work {
    /// Refuse calls, let readers wait, and drain.
    Freeze,
    /// Refuse calls and readers, and drain.
    Disable,
    /// Let calls pass.
    Enable,
}

/// `reset`.
#[derive(Debug, ClapArgs)]
pub struct Reset {
    /// What to reset
    #[arg(value_name = "WHAT", value_enum)]
    pub what: Resettable,
}

/// What can be reset.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Resettable {
    /// `kernel.usermodehelper.bset`.
    Bset,
    /// `kernel.usermodehelper.inheritable`.
    Inheritable,
    /// The count of runaway messages.
    LoopMessages,
}

/// `kill`.
#[derive(Debug, ClapArgs)]
pub struct Kill {
    /// The signal: TERM, KILL, HUP, or a number
    #[arg(short = 's', long, value_name = "SIGNAL", default_value = "TERM", value_parser = signal)]
    pub signal: i32,
    /// The requests whose helpers are meant, by number
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<u64>,
}

/// `abandon`.
#[derive(Debug, ClapArgs)]
pub struct Abandon {
    /// The requests, by number
    #[arg(value_name = "ID", required = true)]
    pub ids: Vec<u64>,
}

fn signal(text: &str) -> Result<i32, String> {
    let upper = text.to_ascii_uppercase();
    let name = if upper.starts_with("SIG") { upper.clone() } else { format!("SIG{upper}") };
    let named = name.parse::<nix::sys::signal::Signal>().ok().map(|signal| signal as i32);
    let numbered = || text.parse().ok().filter(|n| (1..=64).contains(n));
    named.or_else(numbered).ok_or_else(|| "a signal is a name as TERM or a number from 1 to 64".to_owned())
}

/// The help leaves out what is for the shell alone.
fn definition() -> Command {
    let hide = |arg: clap::Arg| {
        let shells = ["json", "set"].contains(&arg.get_id().as_str());
        arg.hide(shells)
    };
    // `set` and `get` first, as a line is most often one of these.
    let first = |command: Command| match command.get_name() {
        "set" => command.display_order(0),
        "get" => command.display_order(1),
        _ => command,
    };
    Line::command().mut_subcommands(|command| first(command.mut_args(hide)))
}

impl Line {
    /// Reads the words of a line.
    pub fn read(words: Vec<Vec<u8>>) -> Result<Self, clap::Error> {
        let words = words.into_iter().map(OsString::from_vec);
        let mut line = Self::from_arg_matches(&definition().try_get_matches_from(words)?)?;
        let Verb::Common(common) = &mut line.verb else { return Ok(line) };
        let wrong = |kind, why| Err(Self::command().error(kind, why));
        if let Err((kind, why)) = common.check() {
            return wrong(kind, why);
        }
        if common.json() {
            let why = "--json is for the shell: here the console shows the answer";
            return wrong(ErrorKind::ArgumentConflict, why);
        }
        if !common.set().is_empty() {
            let why = "--set is for an engine that is about to start: this one runs, so use `set KEY=VALUE`";
            return wrong(ErrorKind::ArgumentConflict, why);
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn read(line: &str) -> Result<Line, clap::Error> {
        Line::read(line.split(' ').map(|word| word.as_bytes().to_vec()).collect())
    }

    #[test]
    fn the_definition_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn lines_mean_what_they_mean_at_the_shell() {
        let Verb::Common(Common::Request(request)) = read("request --nowait --parallel 3 a b").unwrap().verb else {
            panic!()
        };
        assert!(request.nowait && request.parallel == 3 && request.names == ["a", "b"]);
        let Verb::Common(Common::Run(run)) = read("run --bset -cap_bpf -- /bin/echo --json").unwrap().verb else {
            panic!()
        };
        assert_eq!(run.argv, ["/bin/echo", "--json"]);
        let Verb::Kill(kill) = read("kill -s kill 3 4").unwrap().verb else { panic!() };
        assert_eq!((kill.signal, kill.ids), (9, vec![3, 4]));
        assert!(matches!(read("gate freeze").unwrap().verb, Verb::Gate(Gate { what: Work::Freeze })));
        assert!(matches!(read("reset loop-messages").unwrap().verb, Verb::Reset(_)));
    }

    #[test]
    fn nonsense_is_refused() {
        for line in [
            "",
            "nonsense",
            "set",
            "kill x",
            "kill -s 99 1",
            "kill -s NOTHING 1",
            "request --json a",
            "gate open",
            "probe --set khelper.era=3.4",
            "mask",
            "mask --json full",
            "run --timeout 1 --wait none -- /bin/true",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
