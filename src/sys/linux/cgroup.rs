//! A cgroup for each helper, below that of a service to which the service manager has delegated its own (cgroups(7),
//! systemd.resource-control(5), `Delegate=`).

use std::ffi::{CStr, CString};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::abi::error::SysError;

/// What the names of helpers' cgroups begin with.
const PREFIX: &str = "helper-";

/// The cgroup of one helper. Dropping it removes it if no process is left in it.
#[derive(Debug)]
pub(super) struct OwnCgroup {
    folder: PathBuf,
    procs: CString,
}

impl OwnCgroup {
    /// Makes the cgroup. One that an earlier helper has left is used again.
    pub(super) fn new(folder: &Path) -> Result<Self, SysError> {
        let failed = |errno| SysError::new("a cgroup for the helper", errno);
        let procs = CString::new(folder.join("cgroup.procs").into_os_string().into_vec());
        let procs = procs.map_err(|_| failed(Errno::EINVAL))?;
        match fs::create_dir(folder) {
            Err(e) if e.kind() != ErrorKind::AlreadyExists => {
                Err(failed(Errno::from_raw(e.raw_os_error().unwrap_or(Errno::EIO as i32))))
            }
            _ => Ok(Self { folder: folder.to_owned(), procs }),
        }
    }

    /// The file that a process enters it by.
    pub(super) fn procs(&self) -> &CStr {
        &self.procs
    }
}

impl Drop for OwnCgroup {
    fn drop(&mut self) {
        // EBUSY: processes of the helper's still run in it. The next start of the daemon removes it.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The cgroup of this process, if it has been delegated to this service. Empty cgroups that helpers of an earlier run
/// have left in it are removed.
pub fn delegated() -> Option<PathBuf> {
    let own = fs::read("/proc/self/cgroup").ok()?;
    let own = own.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"0::/"))?;
    let folder = mount_point()?.join(Path::new(std::ffi::OsStr::from_bytes(own)));
    // systemd marks what it has delegated.
    let marked = |name: &str| rustix::fs::getxattr(&folder, name, &mut [0u8; 8]).is_ok();
    if own.is_empty() || !(marked("user.delegate") || marked("trusted.delegate")) {
        return None;
    }
    for left in fs::read_dir(&folder).ok()?.flatten() {
        if left.file_name().as_bytes().starts_with(PREFIX.as_bytes()) {
            // It fails if a helper still runs.
            let _ = fs::remove_dir(left.path());
        }
    }
    Some(folder)
}

/// Where the cgroup2 file system is mounted (proc_pid_mountinfo(5)).
fn mount_point() -> Option<PathBuf> {
    let mounts = fs::read("/proc/self/mountinfo").ok()?;
    let of = |line: &[u8]| {
        let text = std::str::from_utf8(line).ok()?;
        let (before, after) = text.split_once(" - ")?;
        let mut fields = before.split(' ');
        let (root, at) = (fields.nth(3)?, fields.next()?);
        // A path with an escaped blank is no usual place for it.
        (after.starts_with("cgroup2 ") && root == "/" && !at.contains('\\')).then(|| PathBuf::from(at))
    };
    mounts.split(|b| *b == b'\n').find_map(of)
}
