//! Signals: checks the action of SIGCHLD, and signals helpers (UMH-8, UMH-14).

use nix::errno::Errno;

use crate::abi::error::SysError;

/// Fails if SIGCHLD is ignored or has SA_NOCLDWAIT, since statuses would be lost; with `fix`, corrects that instead.
pub(super) fn check_sigchld(fix: bool) -> Result<(), SysError> {
    // SAFETY: all-zero is a valid sigaction: SIG_DFL, no flags, empty mask.
    let mut action: libc::sigaction = unsafe { std::mem::zeroed() };
    // SAFETY: reads the action into memory that we own.
    Errno::result(unsafe { libc::sigaction(libc::SIGCHLD, std::ptr::null(), &raw mut action) })
        .map_err(|e| SysError::new("sigaction of SIGCHLD", e))?;
    let ignored = action.sa_sigaction == libc::SIG_IGN;
    if !ignored && action.sa_flags & libc::SA_NOCLDWAIT == 0 {
        return Ok(());
    }
    if !fix {
        let what = if ignored { "SIGCHLD is ignored" } else { "SIGCHLD has SA_NOCLDWAIT" };
        return Err(SysError::new(what, Errno::ECHILD));
    }
    if ignored {
        action.sa_sigaction = libc::SIG_DFL;
    }
    action.sa_flags &= !libc::SA_NOCLDWAIT;
    // SAFETY: the action is the host's own, or the default; no new handler is installed.
    Errno::result(unsafe { libc::sigaction(libc::SIGCHLD, &raw const action, std::ptr::null_mut()) })
        .map_err(|e| SysError::new("sigaction of SIGCHLD", e))?;
    Ok(())
}

/// Signals a helper that is not reaped, then its group (it leads its session, so its group has its pid as long as it is
/// not reaped). `ESRCH` if the host program has reaped it: the pid may belong to another process by now.
pub(super) fn kill(pid: i32, signal: i32) -> Result<(), Errno> {
    if pid <= 1 || !super::group::is_unreaped_child(pid) {
        return Err(Errno::ESRCH);
    }
    // SAFETY: pidfd_open takes two integers.
    let fd = unsafe { libc::syscall(libc::SYS_pidfd_open, pid, 0) };
    let sent = match i32::try_from(fd) {
        Ok(fd) if fd >= 0 => {
            // SAFETY: pidfd_send_signal with a null siginfo; the descriptor is ours and closed after.
            let sent = Errno::result(unsafe { libc::syscall(libc::SYS_pidfd_send_signal, fd, signal, 0usize, 0) });
            // SAFETY: `fd` was opened above and is used nowhere else.
            unsafe { libc::close(fd) };
            sent.map(drop)
        }
        // SAFETY: kill takes two integers. The process is not reaped, so the pid cannot be reused.
        _ => Errno::result(unsafe { libc::kill(pid, signal) }).map(drop),
    };
    // The group may be empty, or have members that we may not signal: only the result for the helper counts.
    // SAFETY: kill takes two integers.
    let _ = unsafe { libc::kill(-pid, signal) };
    sent
}
