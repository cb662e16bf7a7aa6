//! Applies a profile to a helper, in the child between clone and exec: raw system calls with data prepared before.
//!
//! The order matters: the mount namespace while CAP_SYS_ADMIN is there, then no_new_privs, on which Landlock and seccomp
//! rest; the bounding set while CAP_SETPCAP is there; the ids before the sets, because setresuid(2) clears them; the filter
//! last, because it may deny what the other steps call. Each step is read back. One that fails ends the launch.

use std::os::fd::{AsRawFd, OwnedFd};
use std::ptr;
use std::sync::Arc;

use libc::{c_int, c_long};

use crate::abi::error::SysError;
use crate::abi::profile::{Calls, Ids, Profile, Sets};

use super::landlock::{Identity, identity, ruleset};

/// The least number of a ruleset's descriptor: those below are used in the child.
const ABOVE: c_int = 8;
/// The descriptor of the ruleset in a child that closes the host's files; the one below is for its report.
pub(super) const RULESET_FD: c_int = 4;
/// `_LINUX_CAPABILITY_VERSION_3` of linux/capability.h.
const VERSION_3: u32 = 0x2008_0522;

/// What a profile needs for launches, made once for a worker.
pub(super) struct Prepared {
    profile: Arc<Profile>,
    identity: Identity,
    ruleset: Option<OwnedFd>,
    filter: Vec<libc::sock_filter>,
}

impl Prepared {
    /// Whether this still serves launches with `profile`: a path may have got another file since.
    pub(super) fn serves(&self, profile: &Arc<Profile>) -> bool {
        Arc::ptr_eq(&self.profile, profile)
            && profile.paths.as_ref().is_none_or(|paths| identity(paths) == self.identity)
    }

    pub(super) fn new(profile: &Arc<Profile>) -> Result<Self, SysError> {
        let paths = profile.paths.as_ref();
        let identity = paths.map(identity).unwrap_or_default();
        let ruleset = paths.map(|paths| ruleset(paths, ABOVE)).transpose()?;
        let filter = profile.calls.as_ref().map(filter).unwrap_or_default();
        Ok(Self { profile: Arc::clone(profile), identity, ruleset, filter })
    }

    /// What the child does. It lives no longer than `self`.
    pub(super) fn steps(&self) -> Steps {
        Steps {
            read_only: self.profile.read_only_root,
            ruleset: self.ruleset.as_ref().map_or(-1, AsRawFd::as_raw_fd),
            ids: self.profile.user,
            sets: self.profile.sets,
            no_new_privs: self.profile.no_new_privs,
            filter: self.filter.as_ptr(),
            filter_length: u16::try_from(self.filter.len()).unwrap_or(u16::MAX),
        }
    }
}

/// The steps of a child. With the default nothing happens.
#[derive(Clone, Copy)]
pub(super) struct Steps {
    pub(super) read_only: bool,
    /// The ruleset, or -1.
    pub(super) ruleset: c_int,
    pub(super) ids: Option<Ids>,
    sets: Option<Sets>,
    no_new_privs: bool,
    filter: *const libc::sock_filter,
    filter_length: u16,
}

impl Default for Steps {
    fn default() -> Self {
        let (read_only, no_new_privs) = (false, false);
        Self { read_only, ruleset: -1, ids: None, sets: None, no_new_privs, filter: ptr::null(), filter_length: 0 }
    }
}

/// The filter: another architecture's calls end the process, what is denied fails with `EPERM`.
pub(super) fn filter(calls: &Calls) -> Vec<libc::sock_filter> {
    let op = |code: u32, jt: u8, jf: u8, k: u32| libc::sock_filter { code: code as u16, jt, jf, k };
    let (load, equal) = (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K);
    let answer = |action: u32| op(libc::BPF_RET | libc::BPF_K, 0, 0, action);
    let deny = libc::SECCOMP_RET_ERRNO | libc::EPERM.unsigned_abs();
    let (listed, action, others) = match calls {
        Calls::Allowed(calls) => (calls, libc::SECCOMP_RET_ALLOW, deny),
        Calls::Denied(calls) => (calls, deny, libc::SECCOMP_RET_ALLOW),
    };
    // struct seccomp_data: the number at 0, the architecture at 4.
    let mut filter = vec![
        op(load, 0, 0, 4),
        op(equal, 1, 0, AUDIT_ARCH),
        answer(libc::SECCOMP_RET_KILL_PROCESS),
        op(load, 0, 0, 0),
        // The x32 calls of x86_64 have this bit.
        op(libc::BPF_JMP | libc::BPF_JGE | libc::BPF_K, 0, 1, 0x4000_0000),
        answer(deny),
    ];
    for number in listed {
        filter.extend([op(equal, 0, 1, *number), answer(action)]);
    }
    filter.push(answer(others));
    filter
}

/// linux/audit.h: AUDIT_ARCH_X86_64, AUDIT_ARCH_AARCH64. On another architecture every call is another's.
const AUDIT_ARCH: u32 = if cfg!(target_arch = "x86_64") {
    0xc000_003e
} else if cfg!(target_arch = "aarch64") {
    0xc000_00b7
} else {
    u32::MAX
};

fn call(number: c_long, arguments: [c_long; 5]) -> c_long {
    let [a, b, c, d, e] = arguments;
    // SAFETY: the callers pass integers, and addresses of what lives until the call returns and has the kernel's layout.
    unsafe { libc::syscall(number, a, b, c, d, e) }
}

fn address<T>(of: *const T) -> c_long {
    of.expose_provenance().cast_signed() as c_long
}

fn prctl(option: c_int, second: c_long, third: c_long) -> c_long {
    call(libc::SYS_prctl, [option.into(), second, third, 0, 0])
}

/// Makes every mounted file system read-only, in a mount namespace of the child's own (mount_setattr(2)).
pub(super) fn read_only_root() -> bool {
    const MS_REC_PRIVATE: c_long = 0x4_4000;
    const AT_RECURSIVE: c_long = 0x8000;
    let root = address(c"/".as_ptr());
    // struct mount_attr: attr_set is MOUNT_ATTR_RDONLY.
    let attributes: [u64; 4] = [1, 0, 0, 0];
    let done = call(libc::SYS_unshare, [libc::CLONE_NEWNS.into(), 0, 0, 0, 0]) == 0
        && call(libc::SYS_mount, [0, root, 0, MS_REC_PRIVATE, 0]) == 0
        && call(
            libc::SYS_mount_setattr,
            [
                libc::AT_FDCWD.into(),
                root,
                AT_RECURSIVE,
                address(attributes.as_ptr()),
                size_of_val(&attributes) as c_long,
            ],
        ) == 0;
    // The last check: nothing can be written to "/" (EROFS), by any user.
    done && call(libc::SYS_faccessat, [libc::AT_FDCWD.into(), root, libc::W_OK.into(), 0, 0]) < 0
        && last() == libc::EROFS
}

/// Confines this process to what the ruleset allows.
pub(super) fn landlock(steps: &Steps) -> bool {
    steps.ruleset < 0 || call(libc::SYS_landlock_restrict_self, [steps.ruleset.into(), 0, 0, 0, 0]) == 0
}

/// Drops what the bounding set does not keep. With no_new_privs it need not be possible: nothing is gained by exec then.
pub(super) fn bound(steps: &Steps) -> bool {
    let Some(sets) = steps.sets else { return true };
    let kept = sets.bounding.bits();
    for cap in 0..64 {
        match prctl(libc::PR_CAPBSET_READ, cap, 0) {
            1 if kept >> cap & 1 == 0 => {
                prctl(libc::PR_CAPBSET_DROP, cap, 0);
                if prctl(libc::PR_CAPBSET_READ, cap, 0) != 0 && !steps.no_new_privs {
                    return false;
                }
            }
            0 | 1 => {}
            _ => return cap > 0 && last() == libc::EINVAL,
        }
    }
    true
}

/// Becomes the user, without supplementary groups.
pub(super) fn become_user(steps: &Steps) -> bool {
    let Some(ids) = steps.ids else { return true };
    let (uid, gid) = (c_long::from(ids.uid), c_long::from(ids.gid));
    if steps.sets.is_some() && prctl(libc::PR_SET_KEEPCAPS, 1, 0) != 0 {
        return false;
    }
    let (mut uids, mut gids) = ([u32::MAX; 3], [u32::MAX; 3]);
    let [u, g] = [&raw mut uids, &raw mut gids].map(|of| of.cast::<u32>());
    // SAFETY: both arrays have three ids.
    let [u, g] = unsafe { [[u, u.add(1), u.add(2)], [g, g.add(1), g.add(2)]] }.map(|of| of.map(|at| address(at)));
    call(libc::SYS_setgroups, [0; 5]) == 0
        && call(libc::SYS_setresgid, [gid, gid, gid, 0, 0]) == 0
        && call(libc::SYS_setresuid, [uid, uid, uid, 0, 0]) == 0
        && call(libc::SYS_getresuid, [u[0], u[1], u[2], 0, 0]) == 0
        && call(libc::SYS_getresgid, [g[0], g[1], g[2], 0, 0]) == 0
        && uids == [ids.uid; 3]
        && gids == [ids.gid; 3]
        && call(libc::SYS_getgroups, [0; 5]) == 0
}

/// Narrows the other sets, raises the ambient set, and reads them back.
pub(super) fn set_capabilities(steps: &Steps) -> bool {
    let Some(sets) = steps.sets else { return true };
    let Some([_, permitted, inheritable]) = capget() else { return false };
    let permitted = permitted & sets.permitted.bits();
    let inheritable = inheritable & sets.inheritable.bits() | permitted & sets.ambient.bits();
    let header = [VERSION_3, 0];
    let words: [u32; 6] =
        std::array::from_fn(|at| ([permitted, permitted, inheritable][at % 3] >> (at / 3 * 32)) as u32);
    let clear = libc::PR_CAP_AMBIENT_CLEAR_ALL;
    let done = call(libc::SYS_capset, [address(header.as_ptr()), address(words.as_ptr()), 0, 0, 0]) == 0
        && prctl(libc::PR_CAP_AMBIENT, clear.into(), 0) == 0;
    let raise = |cap: c_long| prctl(libc::PR_CAP_AMBIENT, libc::PR_CAP_AMBIENT_RAISE.into(), cap) == 0;
    done && (0..64).all(|cap| sets.ambient.bits() >> cap & 1 == 0 || raise(cap))
        && capget() == Some([permitted, permitted, inheritable])
}

/// Effective, permitted and inheritable set.
fn capget() -> Option<[u64; 3]> {
    let header = [VERSION_3, 0];
    let mut words = [u32::MAX; 6];
    let done = call(libc::SYS_capget, [address(header.as_ptr()), address((&raw mut words).cast_const()), 0, 0, 0]);
    (done == 0).then(|| std::array::from_fn(|at| u64::from(words[at]) | u64::from(words[at + 3]) << 32))
}

/// Installs the filter. After this only what it allows is called.
pub(super) fn filter_calls(steps: &Steps) -> bool {
    if steps.filter_length == 0 {
        return true;
    }
    let program = libc::sock_fprog { len: steps.filter_length, filter: steps.filter.cast_mut() };
    // SECCOMP_SET_MODE_FILTER is 1.
    call(libc::SYS_seccomp, [1, 0, address(&raw const program), 0, 0]) == 0
}

fn last() -> c_int {
    // SAFETY: the thread's errno, which the child may share with its parent, which is suspended then.
    unsafe { *libc::__errno_location() }
}
