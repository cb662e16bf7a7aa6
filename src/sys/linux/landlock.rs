//! Rulesets of Landlock (landlock(7)): what a process may do with files, prepared once and enforced at each launch.

use std::ffi::CStr;
use std::os::fd::{AsRawFd, FromRawFd, OwnedFd, RawFd};

use libc::{c_int, c_void};
use nix::errno::Errno;

use crate::abi::error::SysError;
use crate::abi::profile::{Paths, Place};

/// linux/landlock.h: LANDLOCK_CREATE_RULESET_VERSION, LANDLOCK_RULE_PATH_BENEATH.
const VERSION: u32 = 1;
const PATH_BENEATH: c_int = 1;

/// LANDLOCK_ACCESS_FS_*: execute, write_file, read_file, read_dir; from remove_dir to make_sym; refer, truncate, ioctl_dev.
const EXECUTE: u64 = 1;
const WRITE_FILE: u64 = 1 << 1;
const READ_FILE: u64 = 1 << 2;
const READ_DIR: u64 = 1 << 3;
const MAKE_AND_REMOVE: u64 = 0x1ff << 4;
const REFER: u64 = 1 << 13;
const TRUNCATE: u64 = 1 << 14;
const IOCTL_DEV: u64 = 1 << 15;

/// What can be allowed for a file that is no folder.
const OF_FILES: u64 = EXECUTE | WRITE_FILE | READ_FILE | TRUNCATE | IOCTL_DEV;

/// `struct landlock_path_beneath_attr`.
#[repr(C, packed)]
struct PathBeneath {
    allowed: u64,
    parent: c_int,
}

/// What changes when another file is at a path: a ruleset holds the files, not their paths.
pub type Identity = Vec<Option<(u64, u64)>>;

/// The files that are at these paths now.
pub fn identity(paths: &Paths) -> Identity {
    let of = |place: &Place| {
        let found = nix::sys::stat::stat(place.path.as_c_str()).ok()?;
        Some((found.st_dev, found.st_ino))
    };
    paths.read.iter().chain(&paths.write).chain(&paths.execute).map(of).collect()
}

/// A ruleset that denies every access to files but these. Its descriptor is close-on-exec and at least `above`.
///
/// # Errors
/// `ENOSYS` or `EOPNOTSUPP` if the kernel has no Landlock or it is off; the errno of open(2) of a path that must exist.
pub fn ruleset(paths: &Paths, above: RawFd) -> Result<OwnedFd, SysError> {
    // SAFETY: the call takes no pointer here and changes nothing.
    let version = unsafe { libc::syscall(libc::SYS_landlock_create_ruleset, 0usize, 0usize, VERSION) };
    let version = Errno::result(version).map_err(|e| SysError::new("landlock_create_ruleset", e))?;
    let handled = handled(version);
    // SAFETY: the attribute is eight bytes that live until the call returns.
    let made = unsafe {
        let attribute = &raw const handled;
        libc::syscall(libc::SYS_landlock_create_ruleset, attribute.cast::<c_void>(), size_of::<u64>(), 0u32)
    };
    let made = Errno::result(made).map_err(|e| SysError::new("landlock_create_ruleset", e))?;
    // SAFETY: the descriptor that the call has just made; no other code uses it.
    let made = unsafe { OwnedFd::from_raw_fd(made as RawFd) };
    let write = WRITE_FILE | MAKE_AND_REMOVE | REFER | TRUNCATE | IOCTL_DEV;
    let all =
        [(&paths.read, READ_FILE | READ_DIR), (&paths.write, write), (&paths.execute, EXECUTE | READ_FILE | READ_DIR)];
    for (places, rights) in all {
        for place in places {
            allow(&made, place, rights & handled)?;
        }
    }
    // SAFETY: integers only; the new descriptor is used nowhere else.
    let moved = Errno::result(unsafe { libc::fcntl(made.as_raw_fd(), libc::F_DUPFD_CLOEXEC, above) });
    // SAFETY: as above.
    moved.map(|fd| unsafe { OwnedFd::from_raw_fd(fd) }).map_err(|e| SysError::new("fcntl(F_DUPFD_CLOEXEC)", e))
}

/// Every access that this version of the kernel's interface knows.
fn handled(version: i64) -> u64 {
    let first = EXECUTE | WRITE_FILE | READ_FILE | READ_DIR | MAKE_AND_REMOVE;
    let later = [(2, REFER), (3, TRUNCATE), (5, IOCTL_DEV)];
    later.into_iter().filter(|(since, _)| version >= *since).fold(first, |all, (_, right)| all | right)
}

fn allow(ruleset: &OwnedFd, place: &Place, rights: u64) -> Result<(), SysError> {
    let file = match open_path(&place.path) {
        Err(Errno::ENOENT | Errno::ENOTDIR) if place.may_lack => return Ok(()),
        opened => opened.map_err(|e| SysError::new("opening a path of the profile", e))?,
    };
    let is_folder = nix::sys::stat::fstat(&file).is_ok_and(|found| found.st_mode & libc::S_IFMT == libc::S_IFDIR);
    let allowed = if is_folder { rights } else { rights & OF_FILES };
    let rule = PathBeneath { allowed, parent: file.as_raw_fd() };
    // SAFETY: the structure is the kernel's and lives until the call returns; the descriptors are open.
    let added = unsafe {
        let rule = (&raw const rule).cast::<c_void>();
        libc::syscall(libc::SYS_landlock_add_rule, ruleset.as_raw_fd(), PATH_BENEATH, rule, 0u32)
    };
    Errno::result(added).map(drop).map_err(|e| SysError::new("landlock_add_rule", e))
}

fn open_path(path: &CStr) -> Result<OwnedFd, Errno> {
    let flags = rustix::fs::OFlags::PATH | rustix::fs::OFlags::CLOEXEC;
    rustix::fs::open(path, flags, rustix::fs::Mode::empty()).map_err(|e| Errno::from_raw(e.raw_os_error()))
}

#[cfg(test)]
mod tests {

    use super::*;

    #[test]
    fn each_version_of_landlock_handles_what_it_knows() {
        assert_eq!(handled(1), (1 << 13) - 1);
        assert_eq!((handled(2), handled(3), handled(4), handled(7)), (0x3fff, 0x7fff, 0x7fff, 0xffff));
    }

    #[test]
    fn a_path_that_must_exist_is_an_error_where_it_does_not() {
        let place = |may_lack| Place { path: c"/nonexistent".into(), may_lack };
        let paths = |may_lack| Paths { read: vec![place(may_lack)], ..Paths::default() };
        match ruleset(&paths(true), 9) {
            Err(e) if matches!(e.errno, Errno::ENOSYS | Errno::EOPNOTSUPP) => {
                let _ = std::io::Write::write_all(&mut std::io::stderr(), b"skipped: this kernel has no Landlock\n");
                return;
            }
            made => assert!(made.unwrap().as_raw_fd() >= 9),
        }
        assert_eq!(ruleset(&paths(false), 9).unwrap_err().errno, Errno::ENOENT);
        assert_eq!(identity(&paths(true)), [None]);
    }
}
