//! `khelper profile`: what a program may do.

mod files;
mod find;

use std::ffi::OsString;
use std::os::unix::ffi::OsStrExt;
use std::time::Duration;

use clap::Subcommand;

use crate::abi::wait::WaitMode;
use crate::control::Call;
use crate::control::text::outcome::MASKS_AND_ROOT;
use crate::verbs::options::seconds;

use super::exit::Verdict;
use super::request::Asker;
use super::target::NoTarget;

use files::{Check, List, Show};

pub use files::look;

/// `profile`.
#[derive(Debug, clap::Args)]
pub struct Profile {
    #[command(flatten)]
    no_target: NoTarget,
    #[command(subcommand)]
    verb: Verb,
}

#[derive(Debug, Subcommand)]
enum Verb {
    /// Find the fewest and weakest capabilities with which a program ends as it does with all of them
    ///
    /// The program runs up to 60 times, as root: without any capability, with all of them, and with fewer and fewer. Two
    /// runs are the same if exit status, signal, stdout and stderr are. What varies with all capabilities is compared
    /// without its numbers, or not at all, and named.
    #[command(after_help = MASKS_AND_ROOT)]
    Find(Find),
    /// Show the profiles: what each sets, and its file
    List(List),
    /// Show all that a profile sets, in the order in which it is applied
    Show(Show),
    /// Check files of profiles: faults, profiles that leave a helper root, what the shim cannot apply
    Check(Check),
}

/// `profile find`.
#[derive(Debug, clap::Args)]
struct Find {
    /// Run this after each run: its exit status and output are part of the result; `;` ends its arguments
    #[arg(long, value_name = "PATH [ARG]", num_args = 1.., value_terminator = ";", allow_hyphen_values = true)]
    check: Vec<OsString>,
    /// Run this after each run, to undo it; without it, a program that leaves something behind has no result; `;`
    /// ends its arguments
    #[arg(long, value_name = "PATH [ARG]", num_args = 1.., value_terminator = ";", allow_hyphen_values = true)]
    reset: Vec<OsString>,
    /// How long one run may take
    #[arg(long, value_name = "SECONDS", value_parser = seconds, default_value = "10")]
    timeout: Duration,
    /// Do not ask before the first run
    #[arg(long, short)]
    yes: bool,
    /// Print one JSON object
    #[arg(long)]
    json: bool,
    /// Print the profile alone, as a file of profiles.d
    #[arg(long, conflicts_with = "json")]
    profile_text: bool,
    /// The absolute path of the program, and its arguments
    #[arg(value_name = "PATH [ARG]", last = true, required = true)]
    argv: Vec<OsString>,
}

impl Profile {
    /// Whether it runs programs through an engine of this process.
    pub const fn runs(&self) -> bool {
        matches!(self.verb, Verb::Find(_))
    }
}

impl Find {
    fn call(&self, argv: &[OsString]) -> Option<Call> {
        let (path, args) = argv.split_first()?;
        Some(Call {
            path: path.as_bytes().to_vec(),
            args: args.iter().map(|arg| arg.as_bytes().to_vec()).collect(),
            env: Vec::new(),
            wait: WaitMode::PROC,
            bset: None,
            inheritable: None,
            timeout: Some(self.timeout),
            profile: None,
        })
    }
}

impl Asker {
    /// `khelper profile`.
    pub(super) fn profile(&self, profile: &Profile) -> Verdict {
        match &profile.verb {
            Verb::Find(find) => self.find(find),
            // They need no engine and are handled earlier.
            Verb::List(_) | Verb::Show(_) | Verb::Check(_) => Verdict::Usage,
        }
    }
}
