//! Seccomp filters, mounts and credentials of one thread, for tests of confined hosts. Everything here affects only the
//! calling thread: run each case on a separate thread.
#![allow(dead_code, reason = "each test binary uses its own part")]
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::fs::File;
use std::io::Read;
use std::os::fd::AsFd;

use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use rustix::thread::{CapabilitySet, CapabilitySets, capabilities, set_capabilities};

/// A system call to refuse, and the first argument with which to refuse it, or `None` for any.
pub type Call = (i64, Option<i32>);

pub const BSET_READ: Call = (libc::SYS_prctl, Some(libc::PR_CAPBSET_READ));
pub const BSET_DROP: Call = (libc::SYS_prctl, Some(libc::PR_CAPBSET_DROP));
pub const AMBIENT: Call = (libc::SYS_prctl, Some(libc::PR_CAP_AMBIENT));
pub const PRCTL: Call = (libc::SYS_prctl, None);
pub const CAPGET: Call = (libc::SYS_capget, None);
pub const CAPSET: Call = (libc::SYS_capset, None);

/// Installs a filter on the calling thread: `calls` fail with `errno`; 0 reports success without making the call.
/// Needs CAP_SYS_ADMIN or no_new_privs (seccomp(2)).
pub fn refuse(calls: &[Call], errno: i32) {
    let op = |code: u32, jump_false: u8, k: u32| libc::sock_filter {
        code: u16::try_from(code).unwrap(),
        jt: 0,
        jf: jump_false,
        k,
    };
    let (load, equal, ret) =
        (libc::BPF_LD | libc::BPF_W | libc::BPF_ABS, libc::BPF_JMP | libc::BPF_JEQ | libc::BPF_K, libc::BPF_RET);
    // Offsets in struct seccomp_data: the number, then the low word of the first argument.
    let (number, argument) = (0, if cfg!(target_endian = "little") { 16 } else { 20 });
    let mut program = Vec::new();
    for (call, first) in calls {
        program.push(op(load, 0, number));
        program.push(op(equal, if first.is_some() { 3 } else { 1 }, u32::try_from(*call).unwrap()));
        if let Some(first) = first {
            program.push(op(load, 0, argument));
            program.push(op(equal, 1, first.cast_unsigned()));
        }
        program.push(op(ret, 0, libc::SECCOMP_RET_ERRNO | errno.cast_unsigned()));
    }
    program.push(op(ret, 0, libc::SECCOMP_RET_ALLOW));
    let filter = libc::sock_fprog { len: u16::try_from(program.len()).unwrap(), filter: program.as_mut_ptr() };
    // SAFETY: the program and its length belong together and live on this stack; the kernel copies them.
    let done = unsafe {
        libc::syscall(libc::SYS_seccomp, libc::SECCOMP_SET_MODE_FILTER, 0 as libc::c_ulong, &raw const filter)
    };
    assert_eq!(done, 0, "the filter: {}", Errno::last());
}

/// Gives the calling thread a separate mount namespace, whose mounts no other thread sees. Needs CAP_SYS_ADMIN.
pub fn own_mounts() {
    unshare(CloneFlags::CLONE_NEWNS).unwrap();
    mount(None::<&str>, "/", None::<&str>, MsFlags::MS_REC | MsFlags::MS_PRIVATE, None::<&str>).unwrap();
}

/// Mounts an empty file system over /proc, for the calling thread only.
pub fn hide_proc() {
    own_mounts();
    mount(Some("tmpfs"), "/proc", Some("tmpfs"), MsFlags::empty(), None::<&str>).unwrap();
}

/// Reads the status of a process from `proc`, a /proc that was opened before `hide_proc`.
pub fn status(proc: &File, pid: i32) -> String {
    let flags = rustix::fs::OFlags::RDONLY | rustix::fs::OFlags::CLOEXEC;
    let file = rustix::fs::openat(proc.as_fd(), format!("{pid}/status"), flags, rustix::fs::Mode::empty()).unwrap();
    let mut text = String::new();
    File::from(file).read_to_string(&mut text).unwrap();
    text
}

/// Changes the permitted, effective and inheritable sets of the calling thread.
pub fn change_caps(change: impl FnOnce(&mut CapabilitySets)) {
    let mut sets = capabilities(None).unwrap();
    change(&mut sets);
    set_capabilities(None, sets).unwrap();
}

/// Makes every permitted capability inheritable.
pub fn inherit_all() {
    change_caps(|sets| sets.inheritable = sets.permitted);
}

/// Makes every permitted capability inheritable and ambient.
pub fn all_ambient() {
    inherit_all();
    for cap in capabilities(None).unwrap().permitted.iter() {
        rustix::thread::configure_capability_in_ambient_set(cap, true).unwrap();
    }
}

/// Removes these capabilities from every set except the bounding set.
pub fn lose(caps: CapabilitySet) {
    change_caps(|sets| {
        sets.effective.remove(caps);
        sets.permitted.remove(caps);
        sets.inheritable.remove(caps);
    });
}

/// Changes the user of the calling thread only; glibc's setresuid would change every thread.
pub fn become_user(uid: libc::uid_t) {
    // SAFETY: integers only; the system call affects only the calling thread.
    let done = unsafe { libc::syscall(libc::SYS_setresuid, uid, uid, uid) };
    assert_eq!(done, 0, "setresuid: {}", Errno::last());
}

pub fn set_securebits(bits: i32) {
    // SAFETY: integers only.
    let done = unsafe { libc::prctl(libc::PR_SET_SECUREBITS, libc::c_ulong::from(bits.cast_unsigned()), 0, 0, 0) };
    assert_eq!(done, 0, "securebits: {}", Errno::last());
}
