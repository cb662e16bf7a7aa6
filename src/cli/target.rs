//! `--target`: the engine that a command uses.

use std::ffi::OsString;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::PathBuf;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::abi::escape::screen;
use crate::wire::host::Far;

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
    /// The kernel that the daemon at its usual socket watches.
    DaemonKernel,
    /// The kernel that the daemon at this socket watches.
    UnixKernel(PathBuf),
    /// The daemon of another machine, or the kernel that it watches.
    Far(Far),
}

/// `--target` of a command that needs none: it is refused, and not shown.
#[derive(Debug, clap::Args)]
pub struct NoTarget {
    /// The target of other commands.
    #[arg(short = 't', long, value_name = "TARGET", global = true, hide = true, value_parser = parser())]
    target: Option<Chosen>,
}

/// The parser of `--target`.
pub(super) fn parser() -> impl TypedValueParser<Value = Chosen> {
    OsStringValueParser::new().try_map(|text| read(&text))
}

/// The target that an unfinished command line names, if it does.
pub(super) fn chosen(words: &[OsString]) -> Option<Chosen> {
    let mut words = words.iter();
    let text = loop {
        match words.next()?.as_bytes() {
            b"-t" | b"--target" => break words.next()?.clone(),
            word => {
                if let Some(value) = word.strip_prefix(b"--target=") {
                    break OsString::from_vec(value.to_vec());
                }
            }
        }
    };
    read(&text).ok()
}

/// Reads the value of `--target`.
pub(super) fn read(text: &OsString) -> Result<Chosen, String> {
    let bytes = text.as_bytes();
    match bytes {
        b"embedded" => Ok(Chosen::Embedded),
        b"daemon" => Ok(Chosen::Daemon),
        b"kernel" => Ok(Chosen::Kernel),
        b"daemon/kernel" => Ok(Chosen::DaemonKernel),
        _ => match bytes.strip_prefix(b"unix:") {
            Some(b"") => Err("give the path of a socket after `unix:`".to_owned()),
            Some(path) => Ok(match path.strip_suffix(b"/kernel") {
                Some(socket) => Chosen::UnixKernel(std::ffi::OsStr::from_bytes(socket).into()),
                None => Chosen::Unix(std::ffi::OsStr::from_bytes(path).into()),
            }),
            None => match bytes.strip_prefix(b"ssh://") {
                Some(far) => Far::read(far).map(Chosen::Far),
                None => Err(format!("`{}` is not a target; {TARGETS}", screen(bytes))),
            },
        },
    }
}

const TARGETS: &str =
    "give `embedded`, `daemon`, `kernel`, `unix:PATH` or `ssh://HOST`, or the last two or `daemon` with `/kernel`";

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
            (&["ps", "-t", "daemon/kernel"], Some(Chosen::DaemonKernel)),
            (&["ps", "-t", "unix:/run/a/kernel"], Some(Chosen::UnixKernel("/run/a".into()))),
            (&["why", "-t", "kernel", "x"], Some(Chosen::Kernel)),
            (&["ps", "-t", "ssh://op@a:22/kernel"], Far::read(b"op@a:22/kernel").ok().map(Chosen::Far)),
            (&["--sudo", "ps", "-t", "ssh://a"], Far::read(b"a").ok().map(Chosen::Far)),
            (&["-tunix:rel", "run", "--", "/bin/true", "-t", "x"], unix("rel")),
        ] {
            assert_eq!(chosen(args).unwrap(), target, "{args:?}");
        }
        for (args, why) in [
            (&["-t", "ssh://-oProxyCommand=x", "status"][..], "does not begin with a hyphen"),
            (&["-t", "ssh:a", "status"], "`ssh:a` is not a target"),
            (&["--sudo", "status"], "--sudo"),
            (&["-t", "daemon", "--sudo", "status"], "--sudo"),
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
}
