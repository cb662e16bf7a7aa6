//! The operator's files, in the folders of the XDG base directory specification.
//!
//! Nothing is created for another user: no home folder, and as root nothing in the home of another user, where `sudo`
//! may have left HOME. Files of root there would keep that user's programs from writing.

use std::ffi::OsStr;
use std::fs::File;
use std::io::{self, Read, Write};
use std::os::fd::{AsFd, OwnedFd};
use std::path::{Path, PathBuf};

use rustix::fs::{AtFlags, FileType, Mode, OFlags, Stat};
use rustix::io::Errno;

use crate::abi::error::io_words;
use crate::abi::escape::screen;
use crate::sys::linux::whole_file;

/// The mode of new folders, as the specification says.
const FOLDER: Mode = Mode::RWXU;
const FILE: Mode = Mode::RUSR.union(Mode::WUSR);

/// A folder of the console's files.
#[derive(Clone, Debug, PartialEq, Eq)]
pub(super) struct UserFolder {
    path: PathBuf,
    /// The home folder that contains it; `None` if an XDG variable names the folder.
    home: Option<PathBuf>,
}

impl UserFolder {
    /// The folder `khelper` below `$variable`, or below `below_home` in the home folder. `None` if neither variable is an
    /// absolute path: the specification says to ignore relative ones.
    pub(super) fn find(variable: &str, below_home: &str) -> Option<Self> {
        let absolute = |name: &str| std::env::var_os(name).map(PathBuf::from).filter(|path| path.is_absolute());
        if let Some(path) = absolute(variable) {
            return Some(Self { path: path.join("khelper"), home: None });
        }
        let home = absolute("HOME")?;
        Some(Self { path: home.join(below_home).join("khelper"), home: Some(home) })
    }

    /// The folder `khelper` below the folder that an XDG variable names.
    #[cfg(test)]
    pub(super) fn at(path: &Path) -> Self {
        Self { path: path.join("khelper"), home: None }
    }

    /// The path of a file in it.
    pub(super) fn file(&self, name: &str) -> PathBuf {
        self.path.join(name)
    }

    /// Replaces the file `name` atomically (temporary file, fsync, rename). Creates missing folders. The error says why
    /// it was not written, escaped.
    pub(super) fn replace(&self, name: &str, bytes: &[u8]) -> Result<(), String> {
        let why = |e: io::Error| format!("{}: {}", shown(&self.path), io_words(&e));
        if let Some(home) = &self.home {
            let stat = rustix::fs::stat(home).map_err(|e| format!("{}: {}", shown(home), io_words(&e.into())))?;
            check_owner(home, &stat)?;
        }
        let folder = self.open_or_create()?;
        match rustix::fs::statat(&folder, name, AtFlags::SYMLINK_NOFOLLOW) {
            Ok(stat) => {
                let file = self.file(name);
                check_owner(&file, &stat)?;
                if FileType::from_raw_mode(stat.st_mode) != FileType::RegularFile {
                    return Err(format!("{} is not a regular file", shown(&file)));
                }
            }
            Err(Errno::NOENT) => {}
            Err(e) => return Err(why(e.into())),
        }
        replace_in(&folder, name, bytes).map_err(why)
    }

    /// Opens the folder; first creates what is missing of it in the deepest folder that exists.
    fn open_or_create(&self) -> Result<OwnedFd, String> {
        let flags = OFlags::DIRECTORY | OFlags::RDONLY | OFlags::CLOEXEC;
        let why = |path: &Path, e: Errno| format!("{}: {}", shown(path), io_words(&e.into()));
        let mut missing = Vec::new();
        let mut at = self.path.as_path();
        let mut folder = loop {
            match rustix::fs::open(at, flags, Mode::empty()) {
                Ok(folder) => break folder,
                Err(Errno::NOENT) => {}
                Err(e) => return Err(why(at, e)),
            }
            // The root folder exists, and no component is `..`: an absolute path is used as it is.
            let (Some(parent), Some(name)) = (at.parent(), at.file_name()) else { return Err(why(at, Errno::NOENT)) };
            missing.push(name);
            at = parent;
        };
        // Elsewhere the kernel lets a process create files only where the folder's owner allows it.
        if missing.is_empty() || rustix::process::geteuid().is_root() {
            check_owner(at, &rustix::fs::fstat(&folder).map_err(|e| why(at, e))?)?;
        }
        for name in missing.into_iter().rev() {
            match rustix::fs::mkdirat(&folder, name, FOLDER) {
                // Another console has created it first.
                Ok(()) | Err(Errno::EXIST) => {}
                Err(e) => return Err(why(&self.path, e)),
            }
            folder = rustix::fs::openat(&folder, name, flags | OFlags::NOFOLLOW, Mode::empty())
                .map_err(|e| why(&self.path, e))?;
        }
        check_owner(&self.path, &rustix::fs::fstat(&folder).map_err(|e| why(&self.path, e))?)?;
        Ok(folder)
    }
}

/// Reads at most `most` bytes of a regular file. Returns them, and whether that was the whole file. Opening never
/// blocks (on a FIFO).
pub(super) fn read(file: &Path, most: u64) -> io::Result<(Vec<u8>, bool)> {
    let mut opened = whole_file::open(file)?;
    let mut bytes = Vec::new();
    (&mut opened).take(most).read_to_end(&mut bytes)?;
    let whole = opened.read(&mut [0])? == 0;
    Ok((bytes, whole))
}

fn check_owner(path: &Path, stat: &Stat) -> Result<(), String> {
    let me = rustix::process::geteuid().as_raw();
    if stat.st_uid == me {
        return Ok(());
    }
    Err(format!("{} belongs to uid {}, and this console runs as uid {me}", shown(path), stat.st_uid))
}

fn replace_in(folder: &OwnedFd, name: &str, bytes: &[u8]) -> io::Result<()> {
    let temporary = format!(".{name}.{}", std::process::id());
    let create = || {
        let flags = OFlags::WRONLY | OFlags::CREATE | OFlags::EXCL | OFlags::NOFOLLOW | OFlags::CLOEXEC;
        rustix::fs::openat(folder, &temporary, flags, FILE)
    };
    let file = match create() {
        // Left behind by a process with the same pid.
        Err(Errno::EXIST) => {
            rustix::fs::unlinkat(folder, &temporary, AtFlags::empty())?;
            create()?
        }
        file => file?,
    };
    let mut file = File::from(file);
    let written = file.write_all(bytes).and_then(|()| file.sync_all());
    let written = written.and_then(|()| Ok(rustix::fs::renameat(folder, &temporary, folder, name)?));
    if written.is_err() {
        let _ = rustix::fs::unlinkat(folder, &temporary, AtFlags::empty());
        return written;
    }
    // Sync the new name to the disk. If the file system cannot do that, the file exists all the same.
    let _ = rustix::fs::fsync(folder.as_fd());
    Ok(())
}

fn shown(path: &Path) -> String {
    screen(AsRef::<OsStr>::as_ref(path).as_encoded_bytes())
}

#[cfg(test)]
mod tests {
    use std::os::unix::fs::{MetadataExt, PermissionsExt, chown, symlink};

    use super::*;

    fn in_home(home: &Path) -> UserFolder {
        UserFolder { path: home.join(".local/state/khelper"), home: Some(home.to_owned()) }
    }

    /// Everything below a folder.
    fn below(folder: &Path) -> Vec<PathBuf> {
        let entries = std::fs::read_dir(folder).into_iter().flatten().map(|entry| entry.unwrap().path());
        entries.flat_map(|path| std::iter::once(path.clone()).chain(below(&path))).collect()
    }

    #[test]
    fn missing_folders_are_created_for_their_owner_alone() {
        let home = tempfile::tempdir().unwrap();
        in_home(home.path()).replace("history", b"one\n").unwrap();
        in_home(home.path()).replace("history", b"two\n").unwrap();
        assert_eq!(std::fs::read(home.path().join(".local/state/khelper/history")).unwrap(), b"two\n");
        let modes: Vec<_> =
            below(home.path()).iter().map(|path| path.metadata().unwrap().permissions().mode() & 0o777).collect();
        assert_eq!(modes, [0o700, 0o700, 0o700, 0o600]);
    }

    #[test]
    fn a_home_is_never_created() {
        let place = tempfile::tempdir().unwrap();
        let why = in_home(&place.path().join("gone")).replace("history", b"x").unwrap_err();
        assert!(why.ends_with("/gone: No such file or directory (ENOENT)"), "{why}");
        std::fs::write(place.path().join("file"), "").unwrap();
        assert!(in_home(&place.path().join("file")).replace("history", b"x").is_err());
        assert_eq!(below(place.path()), [place.path().join("file")]);
    }

    #[test]
    fn a_file_that_is_something_else_stays() {
        let place = tempfile::tempdir().unwrap();
        let folder = UserFolder::at(place.path());
        let other = place.path().join("other");
        std::fs::write(&other, "theirs").unwrap();
        std::fs::create_dir(place.path().join("khelper")).unwrap();
        symlink(&other, folder.file("link")).unwrap();
        nix::unistd::mkfifo(&folder.file("fifo"), nix::sys::stat::Mode::S_IRWXU).unwrap();
        std::fs::create_dir(folder.file("folder")).unwrap();
        for name in ["link", "fifo", "folder"] {
            let why = folder.replace(name, b"ours").unwrap_err();
            assert!(why.ends_with(&format!("/{name} is not a regular file")), "{why}");
        }
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
        assert!(folder.file("link").is_symlink());
        assert!(read(&folder.file("fifo"), 10).is_err() && read(&folder.file("folder"), 10).is_err());
        // A temporary file that was left behind or planted is not followed either.
        symlink(&other, folder.file(&format!(".new.{}", std::process::id()))).unwrap();
        folder.replace("new", b"ours").unwrap();
        assert_eq!(std::fs::read(folder.file("new")).unwrap(), b"ours");
        assert_eq!(std::fs::read(&other).unwrap(), b"theirs");
        assert_eq!(below(&folder.path).len(), 4, "{:?}", below(&folder.path));
    }

    #[test]
    fn the_end_of_what_is_read_is_known() {
        let place = tempfile::tempdir().unwrap();
        let file = place.path().join("file");
        std::fs::write(&file, "four").unwrap();
        assert_eq!(read(&file, 4).unwrap(), (b"four".to_vec(), true));
        assert_eq!(read(&file, 3).unwrap(), (b"fou".to_vec(), false));
    }

    #[test]
    fn nothing_is_created_in_another_users_folders() {
        if !rustix::process::geteuid().is_root() {
            let _ = std::io::Write::write_all(&mut io::stderr(), b"skipped: only root can give folders away\n");
            return;
        }
        let home = tempfile::tempdir().unwrap();
        chown(home.path(), Some(65534), Some(65534)).unwrap();
        let why = in_home(home.path()).replace("history", b"x").unwrap_err();
        assert!(why.ends_with("belongs to uid 65534, and this console runs as uid 0"), "{why}");
        // Nor where an XDG variable names a folder in it.
        assert!(UserFolder::at(&home.path().join(".state")).replace("history", b"x").is_err());
        assert!(UserFolder::at(home.path()).replace("history", b"x").is_err());
        assert_eq!(below(home.path()).len(), 0);
        // A folder and a file that were given to another user.
        let state = tempfile::tempdir().unwrap();
        let folder = UserFolder::at(state.path());
        folder.replace("history", b"x").unwrap();
        chown(folder.file("history"), Some(65534), None).unwrap();
        assert!(folder.replace("history", b"y").is_err());
        chown(&folder.path, Some(65534), None).unwrap();
        assert!(folder.replace("other", b"y").is_err());
        assert_eq!((folder.file("history").metadata().unwrap().uid(), below(state.path()).len()), (65534, 2));
    }
}
