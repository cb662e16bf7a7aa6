//! The socket of a daemon unless a path is given, for the daemon and its clients.

use std::path::PathBuf;

/// The socket of root's daemon.
pub const SYSTEM: &str = "/run/khelper/khelper.sock";

/// The default socket: [`SYSTEM`] for root, in `XDG_RUNTIME_DIR` for another user, if that is set.
pub fn default_path() -> Option<PathBuf> {
    if nix::unistd::geteuid().is_root() {
        return Some(PathBuf::from(SYSTEM));
    }
    let runtime = std::env::var_os("XDG_RUNTIME_DIR").map(PathBuf::from).filter(|path| path.is_absolute())?;
    Some(runtime.join("khelper/khelper.sock"))
}
