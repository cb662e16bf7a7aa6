//! Takes powers from this process, for the helper that it becomes.

use crate::syscall::{self, Errno};
use crate::verdict::{Answer, IDS, NO_NEW_PRIVS, READ_ONLY_ROOT, SETS};

const PR_SET_KEEPCAPS: usize = 8;
const PR_CAPBSET_READ: usize = 23;
const PR_CAPBSET_DROP: usize = 24;
const PR_SET_NO_NEW_PRIVS: usize = 38;
const PR_CAP_AMBIENT: usize = 47;
const PR_CAP_AMBIENT_RAISE: usize = 2;
const PR_CAP_AMBIENT_CLEAR_ALL: usize = 4;

/// Applies an answer. An error means that the helper must not run: it would have more powers than it may have.
///
/// The order matters. The mount namespace comes while CAP_SYS_ADMIN is there; no_new_privs next, because Landlock and the
/// filter need it or CAP_SYS_ADMIN; the bounding set while CAP_SETPCAP is there; the ids before the sets, because
/// setresuid(2) clears them; the filter last, because it may deny what the other steps call.
pub fn apply(answer: &Answer, ruleset: Option<usize>, filter: &[u8]) -> Result<(), Errno> {
    if answer.has(READ_ONLY_ROOT) {
        syscall::read_only_root()?;
    }
    if answer.has(NO_NEW_PRIVS) {
        syscall::prctl(PR_SET_NO_NEW_PRIVS, 1, 0)?;
    }
    if let Some(ruleset) = ruleset {
        syscall::restrict_self(ruleset)?;
    }
    if answer.has(SETS) {
        bound(answer.bounding, answer.has(NO_NEW_PRIVS))?;
    }
    if answer.has(IDS) {
        syscall::prctl(PR_SET_KEEPCAPS, answer.has(SETS).into(), 0)?;
        syscall::become_user(answer.uid, answer.gid)?;
    }
    if answer.has(SETS) {
        let [_, permitted, inheritable] = syscall::capget()?;
        let permitted = permitted & answer.permitted;
        syscall::capset([permitted, permitted, inheritable & answer.inheritable | permitted & answer.ambient])?;
        syscall::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_CLEAR_ALL, 0)?;
        for cap in (0..64).filter(|cap| answer.ambient & 1 << cap != 0) {
            syscall::prctl(PR_CAP_AMBIENT, PR_CAP_AMBIENT_RAISE, cap)?;
        }
    }
    if !filter.is_empty() {
        syscall::filter_calls(filter)?;
    }
    Ok(())
}

/// Drops what `kept` lacks, and reads back that it is gone. The kernel refuses the first number that it does not know.
/// With no_new_privs it need not be possible: nothing is gained by exec then.
fn bound(kept: u64, gains_nothing: bool) -> Result<(), Errno> {
    for cap in 0..64 {
        match syscall::prctl(PR_CAPBSET_READ, cap, 0) {
            Ok(1) if kept & 1 << cap == 0 => {
                let _ = syscall::prctl(PR_CAPBSET_DROP, cap, 0);
                if syscall::prctl(PR_CAPBSET_READ, cap, 0)? != 0 && !gains_nothing {
                    return Err(syscall::EINVAL);
                }
            }
            Ok(_) => {}
            Err(syscall::EINVAL) if cap > 0 => break,
            Err(errno) => return Err(errno),
        }
    }
    Ok(())
}
