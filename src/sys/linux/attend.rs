//! What a worker does while its helper runs: it reads the output and waits for the end.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::abi::cap::CapSets;
use crate::sys::host::{Stream, Watcher};

use super::cgroup::OwnCgroup;
use super::loading::Progress;
use super::{loading, proc, reap};

/// After this time (milliseconds) the capability sets of a running helper are read once, or later if it is not loaded yet.
const LOOK_AFTER: u16 = 5;
/// The most bytes read at once from a pipe.
pub(super) const CHUNK: usize = 16 * 1024;

/// The helper launched last.
pub(super) struct Running {
    pub(super) pid: i32,
    pub(super) pidfd: Option<OwnedFd>,
    pub(super) outputs: Option<[OwnedFd; 2]>,
    pub(super) path: CString,
    /// The most page faults that the kernel itself causes while it loads the image; `None` if the child had a copy of
    /// the host's memory, which causes any number of them.
    pub(super) faults_of_exec: Option<u64>,
    pub(super) progress: Progress,
    /// Its own cgroup, which is removed with this.
    pub(super) _cgroup: Option<OwnCgroup>,
}

/// What was observed of a helper before its end.
#[derive(Default)]
pub(super) struct Seen {
    /// Its capability sets.
    pub(super) sets: Option<CapSets>,
    /// Whether it has certainly run: it wrote something, or its image was seen loaded.
    pub(super) ran: bool,
}

/// Reads the output until the process has ended, even if its children keep the pipes open; then reads what is left in
/// the pipes.
pub(super) fn attend(running: &Running, pidfd: BorrowedFd<'_>, buffer: &mut [u8], watcher: &mut dyn Watcher) -> Seen {
    let mut open: [bool; 2] = [running.outputs.is_some(); 2];
    let mut seen = Seen::default();
    let mut pause = LOOK_AFTER;
    let mut patience = PollTimeout::from(pause);
    loop {
        // The pidfd comes first: the state of the pipes that poll returns is then not older than that of the process.
        let mut fds = [pidfd; 3].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let mut asked = 1;
        for (_, _, fd) in streams(running).filter(|(at, ..)| open[*at]) {
            fds[asked] = PollFd::new(fd.as_fd(), PollFlags::POLLIN);
            asked += 1;
        }
        match poll(&mut fds[..asked], patience) {
            Ok(0) => {
                // While exec is under way, /proc still shows the sets of before: then they are read later.
                seen.ran |= loading::is_loaded(running.pid);
                seen.sets = if seen.ran { proc::sets_of(running.pid) } else { None };
                pause = pause.saturating_mul(2);
                let is_done = seen.ran || pause == u16::MAX;
                patience = if is_done { PollTimeout::NONE } else { PollTimeout::from(pause) };
                continue;
            }
            Ok(_) => {}
            Err(Errno::EINTR) => continue,
            Err(_) => return seen,
        }
        let dead = said(&fds[0], PollFlags::all());
        let mut answers = fds[1..].iter();
        for (at, stream, fd) in streams(running) {
            let Some(answer) = (if open[at] { answers.next() } else { None }) else { continue };
            if dead && said(answer, PollFlags::POLLIN) {
                seen.ran |= take_rest(stream, fd, buffer, watcher);
            } else if !dead && said(answer, PollFlags::all()) {
                open[at] = take(stream, fd, buffer, watcher) > 0;
                seen.ran |= open[at];
            }
        }
        if dead {
            return seen;
        }
    }
}

fn said(fd: &PollFd<'_>, what: PollFlags) -> bool {
    fd.revents().is_none_or(|flags| flags.intersects(what))
}

/// As [`attend`], for a kernel or seccomp filter without pidfds: checks every 10 ms whether the helper has ended.
pub(super) fn attend_without_pidfd(running: &Running, buffer: &mut [u8], watcher: &mut dyn Watcher) -> Seen {
    let mut seen = Seen::default();
    let Some(outputs) = &running.outputs else {
        reap::wait_dead(running.pid);
        return seen;
    };
    while !reap::is_dead(running.pid) {
        let mut fds = outputs.each_ref().map(|fd| PollFd::new(fd.as_fd(), PollFlags::POLLIN));
        let _ = poll(&mut fds, PollTimeout::from(10u16));
        streams(running).for_each(|(_, stream, fd)| seen.ran |= take_rest(stream, fd, buffer, watcher));
    }
    streams(running).for_each(|(_, stream, fd)| seen.ran |= take_rest(stream, fd, buffer, watcher));
    seen
}

fn streams(running: &Running) -> impl Iterator<Item = (usize, Stream, &OwnedFd)> {
    let named = [(0, Stream::Stdout), (1, Stream::Stderr)];
    running.outputs.iter().flat_map(move |fds| named.into_iter().zip(fds)).map(|((at, stream), fd)| (at, stream, fd))
}

/// Reads once; 0 at the end of the stream.
fn take(stream: Stream, fd: &OwnedFd, buffer: &mut [u8], watcher: &mut dyn Watcher) -> usize {
    loop {
        match rustix::io::read(fd, &mut *buffer) {
            Ok(got) => {
                watcher.output(stream, &buffer[..got]);
                return got;
            }
            Err(rustix::io::Errno::INTR) => {}
            Err(_) => return 0,
        }
    }
}

/// Reads what is in the pipe now and no more, since another process may keep writing. Returns whether there was
/// anything.
fn take_rest(stream: Stream, fd: &OwnedFd, buffer: &mut [u8], watcher: &mut dyn Watcher) -> bool {
    let mut any = false;
    let mut left = rustix::io::ioctl_fionread(fd).unwrap_or(0);
    while left > 0 {
        let most = usize::try_from(left).unwrap_or(CHUNK).min(buffer.len());
        let got = take(stream, fd, &mut buffer[..most], watcher);
        if got == 0 {
            return any;
        }
        any = true;
        left = left.saturating_sub(got as u64);
    }
    any
}
