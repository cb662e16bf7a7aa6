//! Which engine each command needs, and how it uses it.

use crate::verbs::verb::Common;

use super::args::{Args, Command};
use super::target::Chosen;

/// The engine that a command uses unless the operator chooses one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Need {
    /// The daemon where it runs and lets the caller in, else an engine of this process.
    Any,
    /// The daemon. A new engine has nothing to show and ends with the command.
    Daemon,
}

/// How a command uses its target.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Use {
    /// It waits for helpers or for events.
    Waits,
    /// One question after the other.
    Asks,
}

impl Args {
    /// Whether the command may change the kernel's knobs, which is recorded: `set`, or the console.
    pub(super) fn records_changes(&self) -> bool {
        self.target == Some(Chosen::Kernel) && matches!(self.command, None | Some(Command::Verb(Common::Set(_))))
    }
}

impl Command {
    /// The engine that the command needs.
    pub fn need(&self) -> Need {
        match self.verb() {
            Some(verb) if verb.needs_running() || matches!(verb, Common::Get(_) | Common::Set(_) | Common::Diff(_)) => {
                Need::Daemon
            }
            _ => Need::Any,
        }
    }

    /// Whether the command only asks a daemon: it then needs no thread and no signal.
    pub fn asks_only(&self, chosen: Option<&Chosen>) -> bool {
        self.uses() == Use::Asks && !matches!(chosen, Some(Chosen::Embedded | Chosen::Kernel))
    }

    /// How the command uses it.
    pub fn uses(&self) -> Use {
        match self.verb() {
            Some(Common::Watch(_)) => Use::Waits,
            _ if self.need() == Need::Daemon => Use::Asks,
            _ => Use::Waits,
        }
    }
}

#[cfg(test)]
mod tests {
    use std::ffi::OsString;

    use super::*;
    use crate::cli::Args;

    #[test]
    fn each_command_has_the_target_of_the_reference() {
        for (line, need, uses) in [
            ("request x", Need::Any, Use::Waits),
            ("run -- /bin/true", Need::Any, Use::Waits),
            ("probe", Need::Any, Use::Waits),
            ("rehearse", Need::Any, Use::Waits),
            ("get khelper.era", Need::Daemon, Use::Asks),
            ("set khelper.era=3.4", Need::Daemon, Use::Asks),
            ("diff", Need::Daemon, Use::Asks),
            ("gate enabled", Need::Daemon, Use::Asks),
            ("kill 3", Need::Daemon, Use::Asks),
            ("abandon 3", Need::Daemon, Use::Asks),
            ("status", Need::Daemon, Use::Asks),
            ("metrics", Need::Daemon, Use::Asks),
            ("ps", Need::Daemon, Use::Asks),
            ("watch", Need::Daemon, Use::Waits),
        ] {
            let args = Args::read(std::iter::once("khelper").chain(line.split(' ')).map(OsString::from)).unwrap();
            let command = args.command.unwrap();
            assert_eq!((command.need(), command.uses()), (need, uses), "{line}");
        }
    }
}
