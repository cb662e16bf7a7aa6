//! `--target`: the engine that a command uses.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::abi::escape::screen;
use crate::verbs::verb::Common;

use super::args::Command;

/// The target that the operator chose.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Chosen {
    /// An engine of this process.
    Embedded,
    /// The daemon at its usual socket.
    Daemon,
    /// The daemon at this socket.
    Unix(PathBuf),
    /// This machine's kernel.
    Kernel,
}

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

impl Command {
    /// The engine that the command needs.
    pub fn need(&self) -> Need {
        match self.verb() {
            Some(verb) if verb.needs_running() || matches!(verb, Common::Get(_)) => Need::Daemon,
            _ => Need::Any,
        }
    }

    /// Whether the command only asks a daemon: it then needs no thread and no signal.
    pub fn asks_only(&self, chosen: Option<&Chosen>, settings: &[OsString]) -> bool {
        self.uses() == Use::Asks && settings.is_empty() && chosen != Some(&Chosen::Embedded)
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

/// The parser of `--target`.
pub(super) fn parser() -> impl TypedValueParser<Value = Chosen> {
    OsStringValueParser::new().try_map(|text| read(&text))
}

fn read(text: &OsString) -> Result<Chosen, String> {
    let bytes = text.as_bytes();
    match bytes {
        b"embedded" => Ok(Chosen::Embedded),
        b"daemon" => Ok(Chosen::Daemon),
        b"kernel" => Ok(Chosen::Kernel),
        _ => match bytes.strip_prefix(b"unix:") {
            Some(b"") => Err("give the path of a socket after `unix:`".to_owned()),
            Some(path) => Ok(Chosen::Unix(std::ffi::OsStr::from_bytes(path).into())),
            None if bytes.starts_with(b"ssh:") || bytes.ends_with(b"/kernel") => {
                Err(format!("this version has no target `{}`; {TARGETS}", screen(bytes)))
            }
            None => Err(format!("`{}` is not a target; {TARGETS}", screen(bytes))),
        },
    }
}

const TARGETS: &str = "give `embedded`, `daemon`, `kernel` or `unix:PATH`";

#[cfg(test)]
mod tests {
    use super::*;
    use crate::cli::Args;

    fn chosen(args: &[&str]) -> Result<Option<Chosen>, String> {
        let args = std::iter::once("khelper").chain(args.iter().copied()).map(OsString::from);
        Args::read(args).map(|args| args.target).map_err(|error| error.to_string())
    }

    #[test]
    fn a_target_stands_before_or_after_the_command() {
        let unix = |path: &str| Some(Chosen::Unix(path.into()));
        for (args, target) in [
            (&["get", "khelper.era"][..], None),
            (&["--target", "embedded", "get", "khelper.era"], Some(Chosen::Embedded)),
            (&["-t", "daemon", "request", "x"], Some(Chosen::Daemon)),
            (&["request", "-t", "daemon", "x"], Some(Chosen::Daemon)),
            (&["status", "--target=unix:/run/a b"], unix("/run/a b")),
            (&["watch", "-t", "kernel"], Some(Chosen::Kernel)),
            (&["-tunix:rel", "run", "--", "/bin/true", "-t", "x"], unix("rel")),
        ] {
            assert_eq!(chosen(args).unwrap(), target, "{args:?}");
        }
        for (args, why) in [
            (&["-t", "ssh://a", "status"][..], "this version has no target `ssh://a`; give `embedded`"),
            (&["-t", "daemon/kernel", "status"], "this version has no target"),
            (&["-t", "unix:", "status"], "path of a socket"),
            (&["-t", "Daemon", "status"], "`Daemon` is not a target"),
            (&["-t", "daemon", "mask", "full"], "needs no target"),
            (&["-t", "daemon", "--set", "khelper.era=3.4", "request", "x"], "--set"),
        ] {
            let error = chosen(args).unwrap_err();
            assert!(error.contains(why), "{args:?}: {error}");
        }
        assert_eq!(chosen(&["-t", "embedded", "--set", "khelper.era=3.4", "request", "x"]), Ok(Some(Chosen::Embedded)));
    }

    #[test]
    fn each_command_has_the_target_of_the_reference() {
        for (line, need, uses) in [
            ("request x", Need::Any, Use::Waits),
            ("run -- /bin/true", Need::Any, Use::Waits),
            ("probe", Need::Any, Use::Waits),
            ("rehearse", Need::Any, Use::Waits),
            ("get khelper.era", Need::Daemon, Use::Asks),
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
