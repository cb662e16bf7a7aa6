//! A worker's time while its helper lives: it reads the outputs and waits for the end.

use std::ffi::CString;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};

use nix::errno::Errno;
use nix::poll::{PollFd, PollFlags, PollTimeout, poll};

use crate::abi::cap::CapSets;
use crate::sys::host::{Stream, Watcher};

use super::loading::Progress;
use super::{loading, proc, reap};

/// A helper that lives as long as this (milliseconds) is looked at once while it runs, for the sets it started with.
const LOOK_AFTER: u16 = 5;
/// Read at once from a pipe.
pub(super) const CHUNK: usize = 16 * 1024;

/// The helper launched last.
pub(super) struct Running {
    pub(super) pid: i32,
    pub(super) pidfd: Option<OwnedFd>,
    pub(super) outputs: Option<[OwnedFd; 2]>,
    pub(super) path: CString,
    /// The page faults that the kernel itself causes at most while it loads the image; `None` where the child has
    /// copied memory before, which causes any number of them.
    pub(super) faults_of_exec: Option<u64>,
    pub(super) progress: Progress,
}

/// What was seen of a helper before its end.
#[derive(Default)]
pub(super) struct Seen {
    /// The sets that it had.
    pub(super) sets: Option<CapSets>,
    /// It has run: it wrote something, or was loaded when it was looked at.
    pub(super) ran: bool,
}

/// Reads the outputs until the process has ended, however many of its children still hold the pipes; then takes what
/// lies in them.
pub(super) fn attend(running: &Running, pidfd: BorrowedFd<'_>, buffer: &mut [u8], watcher: &mut dyn Watcher) -> Seen {
    let mut open: [bool; 2] = [running.outputs.is_some(); 2];
    let mut seen = Seen::default();
    let mut patience = PollTimeout::from(LOOK_AFTER);
    loop {
        // The pidfd stands first: what one poll says of the pipes is not older than what it says of the process.
        let mut fds = [pidfd; 3].map(|fd| PollFd::new(fd, PollFlags::POLLIN));
        let mut asked = 1;
        for (_, _, fd) in streams(running).filter(|(at, ..)| open[*at]) {
            fds[asked] = PollFd::new(fd.as_fd(), PollFlags::POLLIN);
            asked += 1;
        }
        match poll(&mut fds[..asked], patience) {
            Ok(0) => {
                seen = Seen { sets: proc::sets_of(running.pid), ran: loading::is_loaded(running.pid) };
                patience = PollTimeout::NONE;
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

/// A kernel or a filter that gives no pidfd: looks for the end every 10 ms.
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

/// Takes what lies in the pipe at this moment and no more: somebody may go on writing for ever. Returns whether that
/// was anything.
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
