//! Child processes that end with this one, and that have no terminal.

use std::os::unix::process::CommandExt;
use std::process::Command;

use nix::errno::Errno;
use nix::sys::signal::SigSet;

/// The command's process will have a session of its own, so that it has no terminal to ask or to be interrupted from; no
/// signal is blocked, and it gets SIGTERM when the thread that starts it ends, however it ends (PR_SET_PDEATHSIG,
/// prctl(2)).
pub fn attach(command: &mut Command) -> &mut Command {
    let parent = nix::unistd::getpid();
    let prepare = move || {
        nix::unistd::setsid()?;
        // This process may have taken signals; the child must be able to end by them.
        SigSet::empty().thread_set_mask()?;
        // SAFETY: PR_SET_PDEATHSIG takes one integer.
        Errno::result(unsafe { libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM) })?;
        // The parent may have ended before the call: then nothing would end the child.
        if nix::unistd::getppid() == parent { Ok(()) } else { Err(Errno::ESRCH.into()) }
    };
    // SAFETY: between fork and exec it only makes system calls, which are async-signal-safe, and allocates nothing.
    unsafe { command.pre_exec(prepare) }
}
