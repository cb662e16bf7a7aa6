//! Watches helpers of earlier runs that still live, and writes that their end was lost.

use std::io;
use std::os::fd::{AsFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::sys::thread::spawn_with;

use super::open::Orphan;

/// The stack of the thread, which only waits and writes lines.
const STACK: usize = 256 * 1024;

/// Ends the watch when dropped.
pub(super) struct Watching {
    _stop: OwnedFd,
}

/// Called with a helper that has ended.
pub(super) type OnEnd = Box<dyn Fn(&Orphan) + Send>;

/// Starts a thread that waits for the ends of these helpers.
pub(super) fn start(orphans: Vec<Orphan>, on_end: OnEnd) -> io::Result<Watching> {
    let (stopped, stop) = rustix::pipe::pipe_with(rustix::pipe::PipeFlags::CLOEXEC)?;
    let work = move || wait(orphans, &stopped, &on_end);
    spawn_with("khelper-orphans", STACK, work)?;
    Ok(Watching { _stop: stop })
}

fn wait(mut orphans: Vec<Orphan>, stopped: &OwnedFd, on_end: &OnEnd) {
    while !orphans.is_empty() {
        let pidfds = orphans.iter().filter_map(|orphan| orphan.process.as_ref());
        let mut fds: Vec<_> = pidfds.map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN)).collect();
        fds.push(PollFd::new(stopped.as_fd(), PollFlags::POLLIN));
        match poll(&mut fds, PollTimeout::NONE) {
            Ok(_) | Err(Errno::EINTR) => {}
            // Out of memory; the next start of the ledger finds them.
            Err(_) => return,
        }
        let ready: Vec<bool> = fds.iter().map(|fd| fd.any().unwrap_or(false)).collect();
        if ready.last() != Some(&false) {
            return;
        }
        let mut at = 0;
        orphans.retain(|orphan| {
            let ended = ready.get(at) == Some(&true);
            at += 1;
            if ended {
                on_end(orphan);
            }
            !ended
        });
    }
}
