//! The options for other machines.

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;

use clap::builder::{OsStringValueParser, TypedValueParser};

use crate::wire::host::Far;

/// Options for other machines.
#[derive(Debug, Default, clap::Args)]
pub struct OverSsh {
    /// Run the command on each of these hosts, over ssh(1): `[USER@]HOST[:PORT][/kernel]`, with commas between them; before
    /// the command, may be repeated
    #[arg(long, value_name = "HOST,...", value_delimiter = ',', value_parser = parser())]
    pub host: Vec<Far>,
    /// Be root on the other machine: its command is `sudo -n khelper bridge` instead of `khelper bridge`; before the
    /// command
    #[arg(long)]
    pub sudo: bool,
    /// With `--host`: the command and its arguments.
    #[arg(skip)]
    pub(super) rest: Vec<OsString>,
}

impl OverSsh {
    /// Whether a host is named more than once.
    pub(super) fn names_twice(&self) -> bool {
        (0..self.host.len()).any(|at| self.host[..at].contains(&self.host[at]))
    }
}

/// The parser of one host.
fn parser() -> impl TypedValueParser<Value = Far> {
    OsStringValueParser::new().try_map(|text| Far::read(text.as_bytes()))
}

/// The command and its arguments: what follows `--host` and `--sudo`.
pub(super) fn rest(args: &[OsString]) -> &[OsString] {
    let mut at = 1;
    while let Some(word) = args.get(at) {
        at += match word.as_bytes() {
            b"--host" => 2,
            b"--sudo" => 1,
            word if word.starts_with(b"--host=") => 1,
            _ => break,
        };
    }
    args.get(at..).unwrap_or_default()
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_command_is_what_follows_the_hosts() {
        let args = |line: &str| line.split(' ').map(OsString::from).collect::<Vec<_>>();
        for (line, left) in [
            ("khelper --host a,b ps", "ps"),
            ("khelper --host a --sudo --host=b run -- /bin/x --host c", "run -- /bin/x --host c"),
            ("khelper --sudo --host a get x", "get x"),
        ] {
            assert_eq!(rest(&args(line)), args(left), "{line}");
        }
    }
}
