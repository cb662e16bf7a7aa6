//! Commands that tests interrupt.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::sys::signal::{SigHandler, Signal, signal};

/// Gives a command SIGINT as a terminal's shell leaves it. Where the tests run in the background of a script it is ignored,
/// and a command would inherit that.
pub fn hears_ctrl_c(command: &mut Command) -> &mut Command {
    // SAFETY: one system call that is safe after fork, and no function of ours is installed.
    let heard = || unsafe { signal(Signal::SIGINT, SigHandler::SigDfl) }.map(drop).map_err(Into::into);
    // SAFETY: as above.
    unsafe { command.pre_exec(heard) }
}
