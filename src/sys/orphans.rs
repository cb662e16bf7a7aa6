//! Orphans that the kernel gives to this process: to the first process of a PID namespace, and to a child subreaper
//! (pid_namespaces(7), PR_SET_CHILD_SUBREAPER). It has to reap them, or they stay zombies.

/// Whether orphans are given to this process.
pub fn are_adopted() -> bool {
    let mut subreaper: libc::c_int = 0;
    // SAFETY: PR_GET_CHILD_SUBREAPER writes one int, which lives on this stack.
    let asked = unsafe { libc::prctl(libc::PR_GET_CHILD_SUBREAPER, &raw mut subreaper) };
    std::process::id() == 1 || asked == 0 && subreaper != 0
}

/// Reaps the orphans that have ended. To be called on the main thread, which gets the orphans; elsewhere nothing is done.
///
/// The status of a helper is never taken: a helper is a child of the worker thread that made it, and only the children of
/// the calling thread are waited for here (`__WNOTHREAD`, wait(2)). So the main thread must start no helper itself.
pub fn reap() {
    if nix::unistd::gettid() != nix::unistd::getpid() {
        return;
    }
    loop {
        // SAFETY: integers and a null pointer: the status is not wanted.
        let reaped =
            unsafe { libc::waitpid(-1, std::ptr::null_mut(), libc::WNOHANG | libc::__WNOTHREAD | libc::__WALL) };
        if reaped <= 0 {
            // None has ended, or there are none. WNOHANG is never interrupted.
            return;
        }
    }
}
