//! A cgroup for each helper, below that of a service to which the service manager has delegated its own (cgroups(7),
//! systemd.resource-control(5), `Delegate=`).

use std::ffi::{CStr, CString, OsStr};
use std::fs;
use std::io::ErrorKind;
use std::os::unix::ffi::{OsStrExt, OsStringExt};
use std::path::{Path, PathBuf};

use nix::errno::Errno;

use crate::abi::error::SysError;
use crate::abi::launch_spec::HELPER_CGROUP;

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
        // EBUSY: processes of the helper's still run in it. It is removed when they have ended, or at the next start.
        let _ = fs::remove_dir(&self.folder);
    }
}

/// The cgroup of this process, if it has been delegated to this service. Empty cgroups that helpers of an earlier run
/// have left in it are removed.
pub fn delegated() -> Option<PathBuf> {
    let own = path_of("self")?;
    let folder = mount_point()?.join(&own);
    // systemd marks what it has delegated.
    let marked = |name: &str| rustix::fs::getxattr(&folder, name, &mut [0u8; 8]).is_ok();
    if own.as_os_str().is_empty() || !(marked("user.delegate") || marked("trusted.delegate")) {
        return None;
    }
    for left in fs::read_dir(&folder).ok()?.flatten() {
        if left.file_name().as_bytes().starts_with(HELPER_CGROUP.as_bytes()) {
            // It fails if a helper still runs.
            let _ = fs::remove_dir(left.path());
        }
    }
    Some(folder)
}

/// The cgroup of a process, relative to the root of cgroup2 (proc_pid_cgroup(5)).
fn path_of(pid: &str) -> Option<PathBuf> {
    let all = fs::read(format!("/proc/{pid}/cgroup")).ok()?;
    let path = all.split(|b| *b == b'\n').find_map(|line| line.strip_prefix(b"0::/"))?;
    Some(Path::new(OsStr::from_bytes(path)).to_owned())
}

/// The processes that are in this very cgroup.
fn procs(folder: &Path) -> Vec<i32> {
    let text = fs::read_to_string(folder.join("cgroup.procs")).unwrap_or_default();
    // 0 is a process of another pid namespace.
    text.lines().filter_map(|line| line.parse().ok()).filter(|pid| *pid > 0).collect()
}

fn below(folder: &Path) -> impl Iterator<Item = PathBuf> {
    let entries = fs::read_dir(folder).into_iter().flatten().flatten();
    entries.filter(|entry| entry.file_type().is_ok_and(|kind| kind.is_dir())).map(|entry| entry.path())
}

/// The request in whose helper's cgroup below `folder` a process is. The name in its path is not believed: the process
/// must be in the list of that cgroup, which only the owner of `folder` can change.
pub(super) fn helper_of(folder: &Path, pid: i32) -> Option<u64> {
    let path = path_of(&pid.to_string())?;
    let parts: Vec<&OsStr> = path.iter().collect();
    let of_part = |at: usize| {
        let id = parts[at].to_str()?.strip_prefix(HELPER_CGROUP)?.parse().ok()?;
        let cgroup = parts[at..].iter().fold(folder.to_owned(), |path, part| path.join(part));
        procs(&cgroup).contains(&pid).then_some(id)
    };
    (0..parts.len()).find_map(of_part)
}

/// The processes in this cgroup and in those below it.
pub(super) fn members(folder: &Path) -> Vec<i32> {
    let mut pids = procs(folder);
    pids.extend(below(folder).flat_map(|folder| members(&folder)));
    pids
}

/// Removes a cgroup, with those below it, if no process is left in it. Returns whether it is gone.
pub(super) fn remove(folder: &Path) -> bool {
    below(folder).for_each(|folder| _ = remove(&folder));
    fs::remove_dir(folder).is_ok() || !folder.exists()
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
