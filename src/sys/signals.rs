//! Signals as a file descriptor, so that one `poll` waits for them together with everything else (signalfd(2)).

use std::os::fd::{AsFd, BorrowedFd};

use nix::errno::Errno;
use nix::sys::signal::{SigSet, Signal};
use nix::sys::signalfd::{SfdFlags, SignalFd};

use crate::abi::error::SysError;

/// Signals that no longer interrupt the calling thread nor those that it starts from now on. Taken before any other
/// thread is started, the whole process hears them here and nowhere else; helpers are born with none blocked (UMH-9).
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

    /// The next signal that has come; `None` if none has.
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
