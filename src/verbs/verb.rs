//! The verbs of the shell and of the console's command line, and the parser of a line typed into the console.

use std::ffi::OsString;
use std::os::unix::ffi::OsStringExt;
use std::path::Path;

use clap::error::ErrorKind;
use clap::{Args as ClapArgs, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};

use super::knobs::{Diff, Get, SetKnobs};
use super::operate::{Abandon, Gate, Kill, Metrics, Ps, Rehearse, Status, Watch};
use super::options::{Mask, Probe, Request, Run, Set};

/// One line of the console.
#[derive(Debug, Parser)]
#[command(name = ":", no_binary_name = true, subcommand_required = true)]
#[command(help_template = "{subcommands}", about = "Commands of the console")]
pub struct Line {
    /// What to do.
    #[command(subcommand)]
    pub verb: Verb,
}

/// The verbs that the shell and the console share.
#[derive(Debug, Subcommand)]
pub enum Common {
    /// Request modules, as the kernel's request_module does
    Request(Request),
    /// Call any helper, as the kernel's call_usermodehelper does
    Run(Run),
    /// Run the built-in probe as a helper, to see what a helper gets
    Probe(Probe),
    /// Show masks in every form
    Mask(Mask),
    /// Read knobs
    Get(Get),
    /// Write knobs, all or none
    Set(SetKnobs),
    /// Compare the knobs with the configuration files; exit code 1 if a restart would change one
    Diff(Diff),
    /// Run a program under draft masks and under the live ones, and compare both runs
    Rehearse(Rehearse),
    /// List the requests that have not ended
    Ps(Ps),
    /// Send a signal to helpers and their process groups
    Kill(Kill),
    /// Stop waiting for requests; their helpers keep running
    Abandon(Abandon),
    /// Shut or open the gate
    Gate(Gate),
    /// Show the state of the engine
    Status(Status),
    /// Show events as they happen
    Watch(Watch),
    /// Print the engine's counters for Prometheus
    Metrics(Metrics),
}

impl Common {
    /// Checks what clap cannot: options after masks, and options that exclude each other. The error text is for the
    /// user.
    pub fn check(&mut self) -> Result<(), (ErrorKind, &'static str)> {
        match self {
            Self::Mask(mask) => {
                let left = mask.take_options();
                if left { Ok(()) } else { Err((ErrorKind::MissingRequiredArgument, "no MASK was given")) }
            }
            Self::Run(run) => run.conflict().map_or(Ok(()), |why| Err((ErrorKind::ArgumentConflict, why))),
            _ => Ok(()),
        }
    }

    /// The options of a new engine, if the verb can start one.
    pub const fn new_engine(&self) -> Option<&Set> {
        Some(match self {
            Self::Request(c) => &c.set,
            Self::Run(c) => &c.set,
            Self::Probe(c) => &c.set,
            Self::Mask(c) => &c.set,
            Self::Get(c) => &c.set,
            Self::Rehearse(c) => &c.set,
            _ => return None,
        })
    }

    /// The values of `--set`.
    pub fn set(&self) -> &[OsString] {
        self.new_engine().map_or(&[], |new| &new.set)
    }

    /// Whether the verb looks at or acts on an engine that runs already: a new one has nothing to show.
    pub const fn needs_running(&self) -> bool {
        matches!(
            self,
            Self::Ps(_)
                | Self::Kill(_)
                | Self::Abandon(_)
                | Self::Gate(_)
                | Self::Status(_)
                | Self::Watch(_)
                | Self::Metrics(_)
        )
    }

    /// The folder of configuration files, if one was given.
    pub fn config(&self) -> Option<&Path> {
        match self {
            Self::Set(c) => c.config.as_deref(),
            Self::Diff(c) => c.config.as_deref(),
            _ => None,
        }
    }

    /// Whether `--json` was given.
    pub const fn json(&self) -> bool {
        match self {
            Self::Request(c) => c.json,
            Self::Run(c) => c.json,
            Self::Probe(c) => c.json,
            Self::Mask(c) => c.json,
            Self::Rehearse(c) => c.json,
            Self::Ps(c) => c.json,
            Self::Status(c) => c.json,
            Self::Watch(c) => c.json,
            Self::Get(c) => c.json,
            Self::Set(c) => c.json,
            Self::Diff(c) => c.json,
            _ => false,
        }
    }
}

/// The verbs of the console's command line.
#[derive(Debug, Subcommand)]
pub enum Verb {
    /// The verbs of the shell.
    #[command(flatten)]
    Common(Common),
    /// Reset a mask to full (asks first), or reset the count of runaway messages
    Reset(Reset),
}

impl Verb {
    /// Whether the verb only reads.
    pub const fn only_reads(&self) -> bool {
        matches!(
            self,
            Self::Common(
                Common::Get(_)
                    | Common::Diff(_)
                    | Common::Mask(_)
                    | Common::Ps(_)
                    | Common::Status(_)
                    | Common::Watch(_)
                    | Common::Metrics(_)
            )
        )
    }
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

/// The definition for the console's help, without the options that only the shell has.
pub fn definition() -> Command {
    let hide = |arg: clap::Arg| {
        let shells =
            ["json", "set", "ledger", "ledger_output", "config", "load", "system", "dry_run", "until_reboot", "force"];
        let shells = shells.contains(&arg.get_id().as_str());
        arg.hide(shells)
    };
    // `set` and `get` come first: they are used most often.
    let mut next = 1;
    let mut order = |command: Command| match command.get_name() {
        "set" => command.display_order(0).about("Write knobs, all or none; asks before it writes a mask"),
        "get" => command.display_order(1),
        "diff" => command.hide(true),
        _ => {
            next += 1;
            command.display_order(next)
        }
    };
    Line::command().mut_subcommands(|command| order(command.mut_args(hide)))
}

impl Line {
    /// Parses the words of a line.
    pub fn read(words: Vec<Vec<u8>>) -> Result<Self, clap::Error> {
        let words = words.into_iter().map(OsString::from_vec);
        let mut line = Self::from_arg_matches(&definition().try_get_matches_from(words)?)?;
        let Verb::Common(common) = &mut line.verb else { return Ok(line) };
        let wrong = |kind, why| Err(Self::command().error(kind, why));
        if let Err((kind, why)) = common.check() {
            return wrong(kind, why);
        }
        if common.json() {
            let why = "--json works only at the shell: the console shows the answer itself";
            return wrong(ErrorKind::ArgumentConflict, why);
        }
        if !common.set().is_empty() {
            let why = "--set is for a new engine; this engine is running, so use `set KEY=VALUE`";
            return wrong(ErrorKind::ArgumentConflict, why);
        }
        if common.new_engine().is_some_and(|new| new.ledger.is_some()) {
            let why = "--ledger is for a new engine: start the console with it";
            return wrong(ErrorKind::ArgumentConflict, why);
        }
        Ok(line)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::verbs::operate::Helper;
    use crate::verbs::operate::Work;

    fn read(line: &str) -> Result<Line, clap::Error> {
        Line::read(line.split(' ').map(|word| word.as_bytes().to_vec()).collect())
    }

    #[test]
    fn the_definition_is_sound() {
        Line::command().debug_assert();
    }

    #[test]
    fn a_line_means_the_same_as_at_the_shell() {
        let Verb::Common(Common::Request(request)) = read("request --nowait --parallel 3 a b").unwrap().verb else {
            panic!()
        };
        assert!(request.nowait && request.parallel == 3 && request.names == ["a", "b"]);
        let Verb::Common(Common::Run(run)) = read("run --bset -cap_bpf -- /bin/echo --json").unwrap().verb else {
            panic!()
        };
        assert_eq!(run.argv, ["/bin/echo", "--json"]);
        let Verb::Common(Common::Kill(kill)) = read("kill -s kill 3 #4").unwrap().verb else { panic!() };
        assert_eq!((kill.signal, kill.ids), (9, vec![Helper::Id(3), Helper::Id(4)]));
        let Verb::Common(Common::Gate(gate)) = read("gate freezing").unwrap().verb else { panic!() };
        assert_eq!(gate.depth, Work::Freezing);
        assert!(matches!(read("reset loop-messages").unwrap().verb, Verb::Reset(_)));
    }

    #[test]
    fn invalid_lines_are_refused() {
        for line in [
            "",
            "nonsense",
            "set",
            "kill x",
            "kill -s 99 1",
            "kill -s NOTHING 1",
            "request --json a",
            "gate open",
            "gate freeze",
            "ps --json",
            "ps --tree --json",
            "kill",
            "kill #",
            "abandon 0",
            "probe --set khelper.era=3.4",
            "probe --ledger /tmp/x",
            "mask",
            "mask --json full",
            "run --timeout 1 --wait none -- /bin/true",
        ] {
            assert!(read(line).is_err(), "{line}");
        }
    }
}
