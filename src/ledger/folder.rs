//! The folder of a ledger. It is opened one component after the other, relative to the folder above, so that no symbolic
//! link is followed and no component can be exchanged on the way.

use std::ffi::OsStr;
use std::fs::File;
use std::os::fd::{AsFd, BorrowedFd, OwnedFd};
use std::os::unix::ffi::OsStrExt;
use std::path::{Component, Path, PathBuf};

use nix::errno::Errno;
use rustix::fs::{Dir, FileType, Mode, OFlags, Stat, fstat, mkdirat, open, openat};
use rustix::process::{getegid, geteuid};

use crate::abi::sort::sort_by_key;

use super::error::{LedgerError, shown};
use super::line::Wall;

/// The folder of the failures, in the ledger's folder.
pub(super) const FAILURES: &str = "failures";

/// The last characters of a segment's name.
const SUFFIX: &str = ".jsonl";

/// The ledger that is read and written by default: `/var/lib/khelper/ledger` for root, else
/// `$XDG_STATE_HOME/khelper/ledger` or `~/.local/state/khelper/ledger`. `None` if neither variable names a folder.
pub fn default_path() -> Option<PathBuf> {
    if geteuid().is_root() {
        return Some("/var/lib/khelper/ledger".into());
    }
    let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
    let state = absolute("XDG_STATE_HOME").or_else(|| Some(absolute("HOME")?.join(".local/state")))?;
    Some(state.join("khelper/ledger"))
}

/// An open folder of segments.
#[derive(Debug)]
pub struct Folder {
    fd: OwnedFd,
    path: PathBuf,
}

/// A file in a folder that has the name of a segment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct Name {
    /// When the segment was begun, by the wall clock.
    pub(super) begun: Wall,
    /// The process that writes it.
    pub(super) pid: u32,
}

impl Name {
    /// `STARTTIME-PID.jsonl`.
    pub(super) fn text(&self) -> String {
        format!("{:016}-{}{SUFFIX}", self.begun, self.pid)
    }

    fn parse(name: &[u8]) -> Option<Self> {
        let name = std::str::from_utf8(name).ok()?.strip_suffix(SUFFIX)?;
        let (begun, pid) = name.rsplit_once('-')?;
        let name = Self { begun: begun.parse().ok()?, pid: pid.parse().ok()? };
        // One spelling only: a file with another one is not the writer's.
        (name.text().as_bytes().strip_suffix(SUFFIX.as_bytes()) == Some(format!("{begun}-{pid}").as_bytes()))
            .then_some(name)
    }
}

/// An errno as the rest of the crate has it.
pub(super) fn errno(e: rustix::io::Errno) -> Errno {
    Errno::from_raw(e.raw_os_error())
}

const FOLDER: OFlags = OFlags::RDONLY.union(OFlags::DIRECTORY).union(OFlags::NOFOLLOW).union(OFlags::CLOEXEC);
/// Of the folders above, only the right to search is needed, not to list.
const ABOVE: OFlags = FOLDER.union(OFlags::PATH);

impl Folder {
    /// Opens the folder; with `create`, makes the folders of the path that do not exist, mode 0700.
    ///
    /// # Errors
    /// `ELOOP` or `ENOTDIR` for a symbolic link or a file in the path, `EPERM` for a component that belongs to neither
    /// root nor this user (another user's home) or that others can write, `EPERM` for a folder that is not this
    /// user's alone (0700), `EINVAL` for `..` in the path, and any errno of openat(2) and mkdirat(2).
    pub fn open(path: &Path, create: bool) -> Result<Self, LedgerError> {
        let path = std::path::absolute(path).map_err(|_| LedgerError::at(path, Errno::EINVAL))?;
        let mut fd = open("/", ABOVE, Mode::empty()).map_err(|e| LedgerError::at(&path, errno(e)))?;
        let mut so_far = PathBuf::from("/");
        for part in path.components() {
            let name = match part {
                Component::RootDir | Component::CurDir => continue,
                Component::Normal(name) => name,
                Component::ParentDir | Component::Prefix(_) => {
                    let why = format!("the ledger `{}` has `..` in its path", shown(&path));
                    return Err(LedgerError::new(Errno::EINVAL, why, "give the path without it"));
                }
            };
            so_far.push(name);
            fd = enter(fd.as_fd(), name, ABOVE, create).map_err(|errno| LedgerError::at(&so_far, errno))?;
            let stat = fstat(&fd).map_err(|e| LedgerError::at(&so_far, errno(e)))?;
            check_component(&so_far, &stat)?;
        }
        let stat = fstat(&fd).map_err(|e| LedgerError::at(&path, errno(e)))?;
        check_folder(&path, &stat)?;
        let fd = openat(&fd, ".", FOLDER, Mode::empty()).map_err(|e| LedgerError::at(&path, errno(e)))?;
        Ok(Self { fd, path })
    }

    /// Opens a folder in this one; with `create`, makes it if it does not exist.
    pub(super) fn sub(&self, name: &str, create: bool) -> Result<Self, LedgerError> {
        let path = self.path.join(name);
        let fd =
            enter(self.fd.as_fd(), OsStr::new(name), FOLDER, create).map_err(|errno| LedgerError::at(&path, errno))?;
        let stat = fstat(&fd).map_err(|e| LedgerError::at(&path, errno(e)))?;
        check_folder(&path, &stat)?;
        Ok(Self { fd, path })
    }

    /// Its path, absolute.
    pub fn path(&self) -> &Path {
        &self.path
    }

    /// Makes a file that must not exist, for this user alone.
    pub(super) fn create(&self, name: &Name) -> Result<File, Errno> {
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::EXCL | OFlags::APPEND | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        openat(&self.fd, name.text(), flags, Mode::RUSR | Mode::WUSR).map(File::from).map_err(errno)
    }

    /// Opens a segment to read; with `append`, also to write at its end.
    ///
    /// # Errors
    /// `EINVAL` for what is no regular file, or belongs to another user.
    pub(super) fn segment(&self, name: &Name, append: bool) -> Result<(File, Stat), Errno> {
        let access = if append { OFlags::RDWR | OFlags::APPEND } else { OFlags::RDONLY };
        // A FIFO would block without NONBLOCK.
        let flags = access | OFlags::NOFOLLOW | OFlags::CLOEXEC | OFlags::NONBLOCK;
        let file = File::from(openat(&self.fd, name.text(), flags, Mode::empty()).map_err(errno)?);
        let stat = fstat(&file).map_err(errno)?;
        let regular = FileType::from_raw_mode(stat.st_mode) == FileType::RegularFile;
        if regular && stat.st_uid == geteuid().as_raw() { Ok((file, stat)) } else { Err(Errno::EINVAL) }
    }

    /// Removes a segment.
    pub(super) fn remove(&self, name: &Name) -> Result<(), Errno> {
        rustix::fs::unlinkat(&self.fd, name.text(), rustix::fs::AtFlags::empty()).map_err(errno)
    }

    /// The names of all segments, oldest first.
    pub(super) fn names(&self) -> Result<Vec<Name>, LedgerError> {
        let failed = |e| LedgerError::at(&self.path, errno(e));
        let mut names = Vec::new();
        for entry in Dir::read_from(&self.fd).map_err(failed)? {
            names.extend(Name::parse(entry.map_err(failed)?.file_name().to_bytes()));
        }
        sort_by_key(&mut names, |name| (name.begun, name.pid));
        Ok(names)
    }

    /// Flushes the names of the files to the disk.
    pub(super) fn sync(&self) -> Result<(), Errno> {
        rustix::fs::fsync(&self.fd).map_err(errno)
    }
}

/// Opens `name` in the folder above.
fn enter(above: BorrowedFd<'_>, name: &OsStr, flags: OFlags, create: bool) -> Result<OwnedFd, Errno> {
    let open = || openat(above, name.as_bytes(), flags, Mode::empty()).map_err(errno);
    match open() {
        Err(Errno::ENOENT) if create => match mkdirat(above, name.as_bytes(), Mode::RWXU) {
            // Another process was faster.
            Ok(()) | Err(rustix::io::Errno::EXIST) => open(),
            Err(e) => Err(errno(e)),
        },
        other => other,
    }
}

/// A component must belong to root or to this user, and must not be open to everybody or to a group of others, unless only owners may remove
/// files there (the sticky bit of /tmp).
fn check_component(path: &Path, stat: &Stat) -> Result<(), LedgerError> {
    let (me, owner) = (geteuid().as_raw(), stat.st_uid);
    if owner != 0 && owner != me {
        let why = format!("the ledger cannot be in `{}`, which belongs to uid {owner}", shown(path));
        return Err(LedgerError::new(Errno::EPERM, why, "name a folder of your own with --ledger"));
    }
    if stat.st_mode & 0o002 != 0 && stat.st_mode & 0o1000 == 0 {
        let why = format!("the ledger cannot be in `{}`, which everybody can write", shown(path));
        return Err(LedgerError::new(Errno::EPERM, why, "chmod o-w it, or name another folder with --ledger"));
    }
    // Another member of the group could put another ledger in its place. The user's own group is his own.
    let trusted = stat.st_gid == 0 || (me != 0 && stat.st_gid == getegid().as_raw());
    if stat.st_mode & 0o020 != 0 && stat.st_mode & 0o1000 == 0 && !trusted {
        let why = format!("the ledger cannot be in `{}`, which the group {} can write", shown(path), stat.st_gid);
        return Err(LedgerError::new(Errno::EPERM, why, "chmod g-w it, or name another folder with --ledger"));
    }
    Ok(())
}

/// The folder itself must be this user's alone: it shows every request and requester.
fn check_folder(path: &Path, stat: &Stat) -> Result<(), LedgerError> {
    let (me, mode) = (geteuid().as_raw(), stat.st_mode & 0o7777);
    if stat.st_uid != me {
        let why = format!("the ledger `{}` belongs to uid {}", shown(path), stat.st_uid);
        return Err(LedgerError::new(Errno::EPERM, why, "name a folder of your own with --ledger"));
    }
    if mode & 0o077 != 0 {
        let why = format!("the ledger `{}` has mode {mode:04o}, so other users can use it", shown(path));
        return Err(LedgerError::new(Errno::EPERM, why, "chmod 0700 it, or name another folder with --ledger"));
    }
    Ok(())
}
