//! Keyrings that a thread passes on (keyrings(7)), by keyctl(2).

use libc::{c_int, c_long};
use nix::errno::Errno;

use crate::abi::mutation::{self, Mutation};

/// linux/keyctl.h.
pub(super) const KEYCTL_JOIN_SESSION_KEYRING: c_int = 1;
const KEYCTL_SET_REQKEY_KEYRING: c_int = 14;
const KEYCTL_ASSUME_AUTHORITY: c_int = 16;
const KEY_REQKEY_DEFL_DEFAULT: c_int = 0;

/// Whether this kernel has keyrings. If /proc cannot be read, it is assumed to.
pub(super) fn exist() -> bool {
    std::fs::exists("/proc/sys/kernel/keys").unwrap_or(true) || !std::fs::exists("/proc/sys/kernel").unwrap_or(false)
}

/// Gives the calling thread a new session keyring, so that a helper never gets the host program's, even if the helper
/// itself cannot get a new one (the quota of keys, `EDQUOT`). Returns whether that succeeded.
pub(super) fn leave_session_keyring() -> bool {
    mutation::is(Mutation::KeyringKept) || keyctl(KEYCTL_JOIN_SESSION_KEYRING, 0)
}

/// Gives up the authority over a key that is being requested, and the default keyring for requested keys.
pub(super) fn drop_authority() -> bool {
    let authority = keyctl(KEYCTL_ASSUME_AUTHORITY, 0);
    keyctl(KEYCTL_SET_REQKEY_KEYRING, KEY_REQKEY_DEFL_DEFAULT.into()) && authority
}

fn keyctl(operation: c_int, argument: c_long) -> bool {
    // SAFETY: the operations above take an integer, or NULL for a name; each affects only the calling thread.
    let done = unsafe { libc::syscall(libc::SYS_keyctl, operation, argument) };
    Errno::result(done).map_or_else(|e| e == Errno::ENOSYS && !exist(), |_| true)
}
