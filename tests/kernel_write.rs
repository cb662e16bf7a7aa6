//! Writes to the kernel's knobs that fail, against real files that fail so. The limit on the size of files is the whole
//! process's, so this is a test binary with one test; what only a kernel does is in tests/uml.
#![expect(clippy::unwrap_used, reason = "in a test a failure may end it")]

use std::fs;
use std::os::unix::fs::{PermissionsExt, chown, symlink};
use std::path::Path;

use khelper::abi::cap::CapMask;
use khelper::abi::error::{ControlError, Explain};
use khelper::abi::knob::Key;
use khelper::control::kernel_knobs::KernelKnobs;
use khelper::control::{Command, KernelWrite, Reply};
use nix::errno::Errno;
use nix::mount::{MsFlags, mount};
use nix::sched::{CloneFlags, unshare};
use nix::sys::resource::{Resource, getrlimit, setrlimit};
use nix::sys::signal::{SigHandler, Signal, signal};
use nix::unistd::geteuid;

const KNOWN: CapMask = CapMask::up_to(40);
const FULL: &str = "4294967295\t511\n";

fn tree() -> tempfile::TempDir {
    let dir = tempfile::tempdir().unwrap();
    let masks = dir.path().join("proc/sys/kernel/usermodehelper");
    fs::create_dir_all(&masks).unwrap();
    ["bset", "inheritable"].iter().for_each(|name| fs::write(masks.join(name), FULL).unwrap());
    fs::write(dir.path().join("proc/sys/kernel/modprobe"), "/a\n").unwrap();
    dir
}

fn knob(root: &Path, name: &str) -> std::path::PathBuf {
    root.join("proc/sys/kernel").join(name)
}

fn write(root: &Path, writes: &[(Key, &str)]) -> Result<(), ControlError> {
    let writes = writes.iter().map(|(key, text)| (*key, key.parse_value(text.as_bytes(), KNOWN).unwrap())).collect();
    let command = Command::WriteKernel(KernelWrite { writes, until_reboot: true, force: true, persist: false });
    match KernelKnobs::below(root, KNOWN).perform(&command).unwrap()? {
        Reply::Written(_) => Ok(()),
        other => panic!("{other:?}"),
    }
}

#[track_caller]
fn refused(error: &ControlError, errno: Errno, words: &str) {
    assert!(error.errno() == errno && error.whole().contains(words), "{}", error.whole());
}

#[test]
fn every_failure_of_a_write_has_its_words_and_its_errno() {
    short();
    full();
    read_only();
    not_permitted();
}

/// Only the first bytes are taken, and the mask that was written before is named.
fn short() {
    let dir = tree();
    // SAFETY: the signal is ignored: no handler runs.
    unsafe { signal(Signal::SIGXFSZ, SigHandler::SigIgn) }.unwrap();
    let (soft, hard) = getrlimit(Resource::RLIMIT_FSIZE).unwrap();
    fs::write(knob(dir.path(), "usermodehelper/bset"), FULL).unwrap();
    setrlimit(Resource::RLIMIT_FSIZE, 4, hard).unwrap();
    let error = write(dir.path(), &[(Key::Bset, "-cap_sys_rawio")]);
    setrlimit(Resource::RLIMIT_FSIZE, soft, hard).unwrap();
    refused(&error.unwrap_err(), Errno::EIO, "short write: the kernel took 4 of 15 bytes");
}

/// A write that is refused whole; a knob that was written before it is named.
fn full() {
    let dir = tree();
    let modprobe = knob(dir.path(), "modprobe");
    fs::remove_file(&modprobe).unwrap();
    symlink("/dev/full", &modprobe).unwrap();
    let error = write(dir.path(), &[(Key::Bset, "-cap_sys_rawio"), (Key::Modprobe, "/b")]).unwrap_err();
    refused(&error, Errno::ENOSPC, "written before it: kernel.usermodehelper.bset");
}

/// A real mount that is read-only, in a mount namespace of one thread.
fn read_only() {
    if !geteuid().is_root() {
        // To the handle itself: the test runner captures `eprintln!`.
        let _ =
            std::io::Write::write_all(&mut std::io::stderr(), b"skipped: a read-only mount is made by root alone\n");
        return;
    }
    let dir = tree();
    let error = std::thread::scope(|scope| {
        let work = || {
            unshare(CloneFlags::CLONE_NEWNS).unwrap();
            let none = None::<&str>;
            mount(none, "/", none, MsFlags::MS_REC | MsFlags::MS_PRIVATE, none).unwrap();
            mount(Some(dir.path()), dir.path(), none, MsFlags::MS_BIND, none).unwrap();
            let flags = MsFlags::MS_BIND | MsFlags::MS_REMOUNT | MsFlags::MS_RDONLY;
            mount(none, dir.path(), none, flags, none).unwrap();
            write(dir.path(), &[(Key::Bset, "-cap_sys_rawio")]).unwrap_err()
        };
        scope.spawn(work).join().unwrap()
    });
    refused(&error, Errno::EROFS, "mounted read-only");
    assert_eq!(fs::read_to_string(knob(dir.path(), "usermodehelper/bset")).unwrap(), FULL);
}

/// A file that this process may read and not write.
fn not_permitted() {
    let dir = tree();
    let bset = knob(dir.path(), "usermodehelper/bset");
    fs::set_permissions(&bset, PermissionsExt::from_mode(0o444)).unwrap();
    if geteuid().is_root() {
        chown(&bset, Some(65534), Some(65534)).unwrap();
    }
    let error = std::thread::scope(|scope| {
        let work = || {
            // Root's right to write every file is a capability of this thread.
            caps::drop(None, caps::CapSet::Effective, caps::Capability::CAP_DAC_OVERRIDE).unwrap();
            write(dir.path(), &[(Key::Bset, "-cap_sys_rawio")]).unwrap_err()
        };
        scope.spawn(work).join().unwrap()
    });
    refused(&error, Errno::EACCES, "only uid 0 may");
    fs::set_permissions(&bset, PermissionsExt::from_mode(0o000)).unwrap();
    if !geteuid().is_root() {
        let error = write(dir.path(), &[(Key::Bset, "-cap_sys_rawio")]).unwrap_err();
        refused(&error, Errno::EACCES, "only uid 0 may read it");
    }
}
