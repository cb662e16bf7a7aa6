//! The built-in helpers: this program, executed as modprobe by the engine of a demo. Nothing is loaded. A helper waits,
//! says something, and ends.

use std::ffi::OsString;
use std::io::{self, Write};
use std::os::fd::{AsFd, BorrowedFd};
use std::time::Duration;

use nix::poll::{PollFd, PollFlags, PollTimeout, poll};
use nix::sys::signal::{Signal, raise};
use nix::unistd::Pid;
use rustix::process::{Signal as Death, set_parent_process_death_signal};

use crate::abi::cap::Capability;
use crate::abi::escape::screen;
use crate::sys::process::bounding;

/// The path of the built-in helpers: the engine's own program, wherever it is.
pub(super) const PATH: &str = "/proc/self/exe";

/// What a helper does after its time.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum End {
    /// Ends with 0, if a mask did not take CAP_SYS_MODULE away.
    Loads,
    /// Writes this to stderr and ends with 1.
    Fails(&'static str),
    /// Is killed, as by the out-of-memory killer.
    Killed(&'static str),
}

/// The modules that do not load at once: name, milliseconds, end. Every other one loads after [`USUAL`].
const MODULES: [(&str, u64, End); 8] = [
    (super::stream::SLOW, 30_000, End::Loads),
    (super::stream::LOOP, 5_000, End::Fails("the program for this format asks for this module again")),
    ("nvidia", 240, End::Fails("could not insert 'nvidia': Key was rejected by service")),
    ("zfs", 130, End::Fails("module zfs not found in directory /lib/modules")),
    ("iwlwifi", 6_000, End::Killed("iwlwifi: waits for its firmware")),
    ("nf_tables", 420, End::Loads),
    ("btrfs", 900, End::Loads),
    ("kvm_intel", 310, End::Fails("could not insert 'kvm_intel': Operation not supported")),
];
/// How long the others take, in milliseconds.
const USUAL: u64 = 150;

/// Runs this program as a built-in helper, if these are the arguments of modprobe and the path is the demo's. Returns the
/// exit code; `None` for every other command line.
pub(in crate::app) fn helper(args: &[OsString]) -> Option<u8> {
    let (name, options) = args.get(1..)?.split_last()?;
    let modprobe = options == ["-q", "--"] || options == ["-n", "-q", "--"];
    (args[0] == PATH && modprobe).then(|| run(name.as_encoded_bytes(), options[0] == "-n"))
}

fn run(name: &[u8], dry: bool) -> u8 {
    // The demo may be killed: no helper outlives it.
    let _ = set_parent_process_death_signal(Some(Death::KILL));
    let found = MODULES.iter().find(|(module, ..)| module.as_bytes() == name);
    let (_, millis, end) = *found.unwrap_or(&("", USUAL, End::Loads));
    if dry {
        return say(&mut io::stdout(), &format!("would load {}", screen(name)), 0);
    }
    if let End::Killed(first) = end {
        say(&mut io::stderr(), first, 0);
    }
    if !wait(io::stdout().as_fd(), Duration::from_millis(millis)) {
        return 1;
    }
    match end {
        End::Loads if was_taken(Capability::SYS_MODULE) => {
            let why = format!("could not insert '{}': Operation not permitted", screen(name));
            say(&mut io::stderr(), &why, 1)
        }
        End::Loads => 0,
        End::Fails(why) => say(&mut io::stderr(), why, 1),
        End::Killed(_) => {
            let _ = raise(Signal::SIGKILL);
            1
        }
    }
}

/// Writes a line and returns the exit code.
fn say(to: &mut dyn Write, words: &str, code: u8) -> u8 {
    let _ = writeln!(to, "demo: {words}");
    code
}

/// Waits. Returns `false` as soon as nobody reads the helper's output any more: the demo has ended.
fn wait(output: BorrowedFd<'_>, time: Duration) -> bool {
    let timeout = PollTimeout::try_from(time).unwrap_or(PollTimeout::MAX);
    poll(&mut [PollFd::new(output, PollFlags::empty())], timeout) == Ok(0)
}

/// Whether the engine has this capability in its bounding set and this helper has not: a mask took it away.
fn was_taken(capability: Capability) -> bool {
    let has = |pid: Pid| bounding(pid.as_raw()).is_some_and(|set| set.has(capability));
    has(Pid::parent()) && !has(Pid::this())
}

#[cfg(test)]
mod tests {
    use super::*;

    fn is_helper(args: &[&str]) -> bool {
        let args: Vec<OsString> = args.iter().map(OsString::from).collect();
        // Of a module that loads at once.
        helper(&args).is_some()
    }

    #[test]
    fn only_the_engine_of_a_demo_gets_a_built_in_helper() {
        assert!(is_helper(&[PATH, "-n", "-q", "--", "dummy"]));
        for other in [
            &[][..],
            &[PATH],
            &[PATH, "dummy"],
            &["/usr/bin/khelper", "-n", "-q", "--", "dummy"],
            &[PATH, "-q", "dummy"],
            &[PATH, "-q", "-q", "--", "dummy"],
            &[PATH, "--demo"],
        ] {
            assert!(!is_helper(other), "{other:?}");
        }
    }

    #[test]
    fn a_helper_ends_when_nobody_reads_its_output() {
        let (reader, writer) = nix::unistd::pipe().unwrap();
        assert!(wait(writer.as_fd(), Duration::ZERO));
        drop(reader);
        assert!(!wait(writer.as_fd(), Duration::from_secs(3600)));
    }

    #[test]
    fn every_module_is_named_once() {
        let mut names: Vec<&str> = MODULES.iter().map(|(name, ..)| *name).collect();
        names.sort_unstable();
        names.dedup();
        assert_eq!(names.len(), MODULES.len());
    }
}
