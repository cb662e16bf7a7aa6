//! Folders and files that only root and the user of this process can change (AUTH-6): where configuration is read from.
//! A folder is opened once; its files are opened relative to it and no link is followed.

use std::ffi::{OsStr, OsString};
use std::fs::{File, Metadata};
use std::io::{self, Write};
use std::os::fd::OwnedFd;
use std::os::unix::ffi::OsStrExt;
use std::os::unix::fs::MetadataExt;
use std::path::{Path, PathBuf};
use std::time::Duration;

use nix::errno::Errno;
use rustix::fs::{AtFlags, Dir, FlockOperation, Mode, OFlags};

use crate::abi::error::io_words;
use crate::abi::escape::screen;

use super::path::{walk, writer};
use super::whole_file::bounded;

/// The largest file that is read, in bytes.
const FILE_MAX: u64 = 1024 * 1024;
/// The lock of those who change files. Its name is no name of a configuration file.
const LOCK: &str = ".lock";
/// How often the lock is tried again, and the pause before each try: one second in all.
const LOCK_TRIES: u32 = 100;
const LOCK_PAUSE: Duration = Duration::from_millis(10);
/// Names of temporary files that are tried.
const NAMES: u32 = 100;

/// Why a folder or a file was refused, or could not be used.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Untrusted {
    /// The folder or file, or the parent of it that is at fault.
    pub path: PathBuf,
    /// The reason.
    pub why: String,
    /// `EPERM` where another user could change it; else the errno of the call that failed.
    pub errno: Errno,
}

impl Untrusted {
    fn new(path: &Path, why: impl Into<String>) -> Self {
        Self { path: path.to_owned(), why: why.into(), errno: Errno::EPERM }
    }
    fn io(path: &Path, error: &io::Error) -> Self {
        let errno = Errno::from_raw(error.raw_os_error().unwrap_or(libc::EIO));
        Self { path: path.to_owned(), why: io_words(error), errno }
    }
}

/// What a name in a folder stands for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Contents {
    /// Nothing has this name.
    Missing,
    /// A symbolic link to /dev/null, which masks files of this name in later folders.
    Masked,
    /// A regular file, with its bytes.
    Bytes(Vec<u8>),
}

/// A folder that only root and the user of this process can change, parents included.
#[derive(Debug)]
pub struct Folder {
    path: PathBuf,
    folder: OwnedFd,
}

/// The lock of a folder's writers. It is released when this is dropped, also where a child that was just forked has a copy
/// of the descriptor.
#[derive(Debug)]
pub struct Lock(File);

impl Drop for Lock {
    fn drop(&mut self) {
        let _ = rustix::fs::flock(&self.0, FlockOperation::Unlock);
    }
}

impl Folder {
    /// Opens a folder. Returns `None` if there is none.
    ///
    /// # Errors
    /// `EPERM` if another user could change the folder or replace it; the error names the component of the path.
    pub fn open(path: &Path) -> Result<Option<Self>, Untrusted> {
        let path = std::path::absolute(path).map_err(|e| Untrusted::io(path, &e))?;
        let mut fault = None;
        let walked = walk(&path, &mut |at, meta| {
            if fault.is_none() {
                fault = writer(meta).map(|why| Untrusted::new(at, why));
            }
        });
        if let Some(fault) = fault {
            return Err(fault);
        }
        let flags = OFlags::RDONLY | OFlags::DIRECTORY | OFlags::CLOEXEC;
        let opened = walked.and_then(|()| Ok(rustix::fs::open(&path, flags, Mode::empty())?));
        match opened {
            Ok(folder) => Ok(Some(Self { path, folder })),
            Err(e) if e.kind() == io::ErrorKind::NotFound => Ok(None),
            Err(e) => Err(Untrusted::io(&path, &e)),
        }
    }

    /// [`Self::open`]; a folder that does not exist is made, with mode 0755, unless its parent does not exist either.
    ///
    /// # Errors
    /// As for [`Self::open`], and the errno of mkdir(2).
    pub fn make(path: &Path) -> Result<Self, Untrusted> {
        if let Some(folder) = Self::open(path)? {
            return Ok(folder);
        }
        if let Some(parent) = path.parent().filter(|parent| *parent != Path::new("")) {
            Self::open(parent)?;
        }
        match rustix::fs::mkdir(path, Mode::from_raw_mode(0o755)) {
            Ok(()) | Err(rustix::io::Errno::EXIST) => {}
            Err(e) => return Err(Untrusted::io(path, &e.into())),
        }
        Self::open(path)?.ok_or_else(|| Untrusted::io(path, &io::ErrorKind::NotFound.into()))
    }

    /// The path of a name in this folder.
    pub fn path_of(&self, name: &OsStr) -> PathBuf {
        self.path.join(name)
    }

    /// The names in the folder, in no order.
    ///
    /// # Errors
    /// The errno of getdents(2).
    pub fn names(&self) -> Result<Vec<OsString>, Untrusted> {
        let read = || {
            let name = |entry: rustix::io::Result<rustix::fs::DirEntry>| {
                entry.map(|entry| OsStr::from_bytes(entry.file_name().to_bytes()).to_owned())
            };
            Dir::read_from(&self.folder)?.map(name).collect::<rustix::io::Result<Vec<_>>>()
        };
        read().map_err(|e| Untrusted::io(&self.path, &e.into()))
    }

    /// Reads a file of the folder.
    ///
    /// # Errors
    /// `EPERM` if it is not a regular file, or if another user could change it; `EFBIG` if it is larger than 1 MiB.
    pub fn read(&self, name: &OsStr) -> Result<Contents, Untrusted> {
        let path = self.path_of(name);
        // A FIFO is opened without waiting for a writer, and refused below.
        let flags = OFlags::RDONLY | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::NOCTTY | OFlags::CLOEXEC;
        let file = match rustix::fs::openat(&self.folder, name, flags, Mode::empty()) {
            Ok(file) => File::from(file),
            Err(rustix::io::Errno::NOENT) => return Ok(Contents::Missing),
            Err(rustix::io::Errno::LOOP) => return self.link(name, &path),
            Err(e) => return Err(Untrusted::io(&path, &e.into())),
        };
        let meta = file.metadata().map_err(|e| Untrusted::io(&path, &e))?;
        if let Some(why) = objection(&meta) {
            return Err(Untrusted::new(&path, why));
        }
        bounded(file, FILE_MAX).map(Contents::Bytes).map_err(|e| Untrusted::io(&path, &e))
    }

    fn link(&self, name: &OsStr, path: &Path) -> Result<Contents, Untrusted> {
        match rustix::fs::readlinkat(&self.folder, name, Vec::new()) {
            Ok(to) if to.as_bytes() == b"/dev/null" => Ok(Contents::Masked),
            Ok(_) => Err(Untrusted::new(path, "is a symbolic link; only a link to /dev/null has a meaning")),
            Err(e) => Err(Untrusted::io(path, &e.into())),
        }
    }

    /// Takes the lock of this folder's writers (flock(2)), which is held until the result is dropped. It is a file that
    /// other users cannot open: the folder itself can be locked by everyone who may read it.
    ///
    /// # Errors
    /// `EAGAIN` if another process still holds it after one second; else the errno of the call that failed.
    pub fn lock(&self) -> Result<Lock, Untrusted> {
        let path = self.path_of(OsStr::new(LOCK));
        let flags = OFlags::RDWR | OFlags::CREATE | OFlags::NOFOLLOW | OFlags::NONBLOCK | OFlags::CLOEXEC;
        let open = rustix::fs::openat(&self.folder, LOCK, flags, Mode::RUSR | Mode::WUSR);
        let file = File::from(open.map_err(|e| Untrusted::io(&path, &e.into()))?);
        let meta = file.metadata().map_err(|e| Untrusted::io(&path, &e))?;
        if meta.mode() & 0o077 != 0 {
            return Err(Untrusted::new(&path, "can be opened by other users"));
        }
        let mut tries = 0;
        loop {
            match rustix::fs::flock(&file, FlockOperation::NonBlockingLockExclusive) {
                Ok(()) => return Ok(Lock(file)),
                Err(rustix::io::Errno::WOULDBLOCK) if tries < LOCK_TRIES => {
                    tries += 1;
                    std::thread::sleep(LOCK_PAUSE);
                }
                Err(e) => return Err(Untrusted::io(&path, &e.into())),
            }
        }
    }

    /// Replaces a file of the folder, or makes it, with mode 0644: the bytes are written to a temporary file, which is
    /// flushed to the disk and renamed. A failure leaves the old file.
    ///
    /// # Errors
    /// The errno of the call that failed.
    pub fn replace(&self, name: &OsStr, bytes: &[u8]) -> Result<(), Untrusted> {
        self.replace_with(name, bytes, 0o644)
    }

    /// [`Self::replace`] for a program: with mode 0755.
    ///
    /// # Errors
    /// The errno of the call that failed.
    pub fn replace_program(&self, name: &OsStr, bytes: &[u8]) -> Result<(), Untrusted> {
        self.replace_with(name, bytes, 0o755)
    }

    fn replace_with(&self, name: &OsStr, bytes: &[u8], mode: u32) -> Result<(), Untrusted> {
        let (temporary, file) = self.temporary(name).map_err(|e| Untrusted::io(&self.path, &e.into()))?;
        let write = || {
            (&file).write_all(bytes)?;
            rustix::fs::fchmod(&file, Mode::from_raw_mode(mode))?;
            file.sync_all()?;
            rustix::fs::renameat(&self.folder, &temporary, &self.folder, name)?;
            rustix::fs::fsync(&self.folder)?;
            Ok(())
        };
        write().map_err(|e: io::Error| {
            // The old file is in place; the temporary file may have been renamed already.
            let _ = rustix::fs::unlinkat(&self.folder, &temporary, AtFlags::empty());
            Untrusted::io(&self.path_of(name), &e)
        })
    }

    /// Makes a hidden file, whose name does not end with that of a configuration file.
    fn temporary(&self, name: &OsStr) -> rustix::io::Result<(OsString, File)> {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        let mut number = 0;
        loop {
            let temporary = format!(".{}.{}-{number}", screen(name.as_bytes()), std::process::id()).into();
            match rustix::fs::openat(&self.folder, &temporary, flags, Mode::from_raw_mode(0o600)) {
                Ok(file) => return Ok((temporary, file.into())),
                Err(rustix::io::Errno::EXIST) if number < NAMES => number += 1,
                Err(e) => return Err(e),
            }
        }
    }
}

/// Why a file is not trusted.
fn objection(meta: &Metadata) -> Option<String> {
    if meta.is_file() { writer(meta) } else { Some("is not a regular file".into()) }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::fs;
    use std::os::unix::fs::{PermissionsExt, symlink};

    fn folder() -> (tempfile::TempDir, Folder) {
        let dir = tempfile::tempdir().unwrap();
        let folder = Folder::open(dir.path()).unwrap().unwrap();
        (dir, folder)
    }

    fn mode(path: &Path, mode: u32) {
        fs::set_permissions(path, PermissionsExt::from_mode(mode)).unwrap();
    }

    #[test]
    fn auth_6_a_file_is_read_only_if_nobody_else_can_change_it() {
        let (dir, folder) = folder();
        let read = |name: &str| folder.read(OsStr::new(name));
        let file = dir.path().join("a");
        fs::write(&file, "x").unwrap();
        assert_eq!((read("a"), read("b")), (Ok(Contents::Bytes(b"x".to_vec())), Ok(Contents::Missing)));
        for (bits, who) in [(0o664, "can be written by group"), (0o646, "can be written by everyone")] {
            mode(&file, bits);
            let error = read("a").unwrap_err();
            assert!(error.path == file && error.why.starts_with(who) && error.errno == Errno::EPERM, "{error:?}");
        }
        mode(&file, 0o644);
        symlink("/dev/null", dir.path().join("masked")).unwrap();
        assert_eq!(read("masked"), Ok(Contents::Masked));
        symlink(&file, dir.path().join("link")).unwrap();
        assert!(read("link").unwrap_err().why.starts_with("is a symbolic link"));
        fs::create_dir(dir.path().join("folder")).unwrap();
        nix::unistd::mkfifo(&dir.path().join("fifo"), nix::sys::stat::Mode::from_bits_truncate(0o600)).unwrap();
        for other in ["folder", "fifo"] {
            assert_eq!(read(other).unwrap_err().why, "is not a regular file", "{other}");
        }
        fs::write(&file, vec![b'x'; 1024 * 1024 + 1]).unwrap();
        assert_eq!(read("a").unwrap_err().errno, Errno::EFBIG);
    }

    #[test]
    fn auth_6_a_file_of_another_user_is_refused() {
        if !nix::unistd::geteuid().is_root() {
            let (dir, _folder) = folder();
            let meta = fs::metadata(dir.path()).unwrap();
            assert_eq!(writer(&meta), None, "one's own");
            return;
        }
        let (dir, folder) = folder();
        let file = dir.path().join("a");
        fs::write(&file, "x").unwrap();
        std::os::unix::fs::chown(&file, Some(65534), None).unwrap();
        assert_eq!(folder.read(OsStr::new("a")).unwrap_err().why, "belongs to uid 65534");
        let inner = dir.path().join("inner");
        fs::create_dir(&inner).unwrap();
        std::os::unix::fs::chown(&inner, Some(65534), None).unwrap();
        let error = Folder::open(&inner.join("below")).unwrap_err();
        assert_eq!((error.path, error.why.as_str()), (inner, "belongs to uid 65534"));
    }

    #[test]
    fn auth_6_parents_and_links_to_a_folder_are_examined() {
        let (dir, _) = folder();
        let inner = dir.path().join("open").join("inner");
        fs::create_dir_all(&inner).unwrap();
        symlink(&inner, dir.path().join("link")).unwrap();
        assert!(Folder::open(&dir.path().join("link")).unwrap().is_some());
        mode(&dir.path().join("open"), 0o777);
        for path in [inner, dir.path().join("link")] {
            let error = Folder::open(&path).unwrap_err();
            assert_eq!((error.path, error.why.as_str()), (dir.path().join("open"), "can be written by everyone"));
        }
        // In a sticky folder nobody can replace what belongs to another user.
        mode(&dir.path().join("open"), 0o1777);
        assert!(Folder::open(&dir.path().join("link")).unwrap().is_some());
        assert!(Folder::open(&dir.path().join("none")).unwrap().is_none());
    }

    #[test]
    fn a_file_is_replaced_as_a_whole_and_leaves_nothing_behind() {
        let (dir, folder) = folder();
        for text in ["one", "two"] {
            folder.replace(OsStr::new("a.conf"), text.as_bytes()).unwrap();
            assert_eq!(fs::read_to_string(dir.path().join("a.conf")).unwrap(), text);
        }
        let meta = fs::metadata(dir.path().join("a.conf")).unwrap();
        assert_eq!(meta.permissions().mode() & 0o7777, 0o644);
        fs::create_dir(dir.path().join("b.conf")).unwrap();
        folder.replace(OsStr::new("b.conf"), b"x").unwrap_err();
        let mut names: Vec<_> = fs::read_dir(dir.path()).unwrap().map(|entry| entry.unwrap().file_name()).collect();
        names.sort();
        assert_eq!(names, ["a.conf", "b.conf"]);
        let made = Folder::make(&dir.path().join("made")).unwrap();
        made.lock().unwrap();
        assert!(Folder::make(&dir.path().join("no/made")).unwrap_err().errno == Errno::ENOENT);
    }
}
