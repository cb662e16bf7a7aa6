//! Signals as a file descriptor, so that one `poll` can wait for them and for other events (signalfd(2)).

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, SigmaskHow, Signal, kill};
use nix::sys::signalfd::{SfdFlags, SignalFd};
use nix::unistd::Pid;

use crate::abi::error::SysError;

/// Signals that are blocked in the calling thread and in the threads that it starts later. If they are taken before any
/// other thread is started, the whole process receives them only here. Helpers start with no signal blocked (UMH-9).
pub struct Signals {
    fd: SignalFd,
}

impl Signals {
    /// Blocks `signals` in this thread and opens them as a file descriptor, close-on-exec and non-blocking.
    pub fn take(signals: &[Signal]) -> Result<Self, SysError> {
        let set: SigSet = signals.iter().copied().collect();
        set.thread_block().map_err(|e| SysError::new("pthread_sigmask", e))?;
        let fd = SignalFd::with_flags(&set, SfdFlags::SFD_CLOEXEC | SfdFlags::SFD_NONBLOCK)
            .map_err(|e| SysError::new("signalfd", e))?;
        Ok(Self { fd })
    }

    /// The next pending signal, or `None`.
    pub fn next(&self) -> Result<Option<Signal>, SysError> {
        loop {
            match self.fd.read_signal() {
                Ok(Some(info)) => match i32::try_from(info.ssi_signo).map(Signal::try_from) {
                    Ok(Ok(signal)) => return Ok(Some(signal)),
                    _ => continue,
                },
                Ok(None) => return Ok(None),
                Err(Errno::EINTR) => continue,
                Err(e) => return Err(SysError::new("read of a signalfd", e)),
            }
        }
    }
}

impl AsFd for Signals {
    fn as_fd(&self) -> BorrowedFd<'_> {
        self.fd.as_fd()
    }
}

/// Runs `act`, which uses the terminal, even if this process is in the background: with SIGTTOU blocked in this thread
/// it may write and set modes without being stopped (tcsetattr(3)).
pub fn in_background_too<T>(act: impl FnOnce() -> T) -> T {
    let before = SigSet::from(Signal::SIGTTOU).thread_swap_mask(SigmaskHow::SIG_BLOCK);
    let done = act();
    // Neither call can fail with valid arguments; if one did, SIGTTOU would only stay blocked in this thread.
    let _ = before.map(|mask| mask.thread_set_mask());
    done
}

/// Stops this process, and with `job` its whole process group, as ctrl-z does; returns when it is continued. Only the
/// calling thread unblocks SIGTSTP, so all others must block it. If no process could continue this one (an orphaned
/// process group, or SIGTSTP ignored), nothing stops and the function returns at once.
///
/// `unless` is called after the stop signal is sent, and cancels the stop by returning true. A SIGCONT sent before the
/// stop signal is lost, since the kernel discards it, but `unless` can see what came with it; a later one cancels the
/// stop.
pub fn stop(job: bool, unless: impl FnOnce() -> bool) {
    let target = if job { Pid::from_raw(0) } else { Pid::this() };
    let tstp = SigSet::from(Signal::SIGTSTP);
    // Sent while blocked: it takes effect exactly where it is unblocked. None of these calls can fail with valid
    // arguments; if one did, the process would only not stop.
    let _ = tstp.thread_block();
    let _ = kill(target, Signal::SIGTSTP);
    if unless() {
        let now = libc::timespec { tv_sec: 0, tv_nsec: 0 };
        // SAFETY: the set and the time are valid for reads, and nothing is asked of who sent it.
        unsafe { libc::sigtimedwait(tstp.as_ref(), std::ptr::null_mut(), &raw const now) };
        return;
    }
    let _ = tstp.thread_unblock();
    let _ = tstp.thread_block();
}

/// The signals that are pending for this thread or for the process.
pub fn pending() -> SigSet {
    let mut set = SigSet::empty();
    let mut raw = *set.as_ref();
    // SAFETY: sigpending fills a set that is ours.
    if unsafe { libc::sigpending(&raw mut raw) } == 0 {
        // SAFETY: the kernel has just filled it.
        set = unsafe { SigSet::from_sigset_t_unchecked(raw) };
    }
    set
}
