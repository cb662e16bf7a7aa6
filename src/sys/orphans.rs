//! Orphaned processes become children of the first process of their PID namespace, or of a child subreaper
//! (pid_namespaces(7), PR_SET_CHILD_SUBREAPER). That process must reap them, or they stay zombies.

/// Whether orphans become children of this process.
pub fn are_adopted() -> bool {
    let mut subreaper: libc::c_int = 0;
    // SAFETY: PR_GET_CHILD_SUBREAPER writes one int, which lives on this stack.
    let asked = unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut subreaper) };
    std::process::id() == 1 || asked == 0 && subreaper != 0
}

/// Reaps the orphans that have ended. Call this on the main thread, which gets the orphans; on other threads it does
/// nothing.
///
/// It never takes the status of a helper: a helper is a child of the worker thread that started it, and this function
/// waits only for children of the calling thread (`__WNOTHREAD`, wait(2)). So the main thread must not start helpers.
pub fn reap() {
    if nix::unistd::gettid() != nix::unistd::getpid() {
        return;
    }
    loop {
        // SAFETY: integers and a null pointer: the status is discarded.
        let reaped =
            unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::__WNOTHREAD | libc::__WALL) };
        if reaped <= 0 {
            // No orphan has ended, or there is none. A call with WNOHANG is never interrupted.
            return;
        }
    }
}
