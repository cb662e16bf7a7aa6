//! Reads whole files with bounded memory, and tells whether a file has changed.

use std::fs::{File, Metadata};
use std::io::{self, Read};
use std::os::unix::fs::MetadataExt;
use std::path::Path;

use nix::errno::Errno;
use rustix::fs::{Mode, OFlags};

/// What changes when a file is replaced or written: device, inode, size, and the times of its content and its inode.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Stamp([i64; 7]);

impl Stamp {
    /// Of a file or folder, whatever links lead to it. `None` if it cannot be looked at.
    pub fn of(path: &Path) -> Option<Self> {
        std::fs::metadata(path).ok().map(|meta| Self::from_meta(&meta))
    }

    fn from_meta(meta: &Metadata) -> Self {
        let [dev, ino, size] = [meta.dev(), meta.ino(), meta.size()].map(u64::cast_signed);
        Self([dev, ino, size, meta.mtime(), meta.mtime_nsec(), meta.ctime(), meta.ctime_nsec()])
    }
}

/// Opens a regular file. It never blocks, as opening a FIFO would.
///
/// # Errors
/// [`io::ErrorKind::InvalidInput`] if it is no regular file, else those of open(2).
pub fn open(path: &Path) -> io::Result<File> {
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty())?);
    match file.metadata()?.is_file() {
        true => Ok(file),
        false => Err(io::Error::new(io::ErrorKind::InvalidInput, "not a regular file")),
    }
}

/// Reads to the end.
///
/// # Errors
/// `EFBIG` if there are more than `most` bytes, else those of read(2).
pub fn bounded(from: impl Read, most: u64) -> io::Result<Vec<u8>> {
    let mut bytes = Vec::new();
    from.take(most + 1).read_to_end(&mut bytes)?;
    if bytes.len() as u64 > most { Err(io::Error::from_raw_os_error(libc::EFBIG)) } else { Ok(bytes) }
}

/// Reads a regular file.
///
/// # Errors
/// `EINVAL` if it is no regular file, `EFBIG` if it has more than `most` bytes, else the errno of open(2) or read(2).
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Errno> {
    open(path).and_then(|file| bounded(file, most)).map_err(|error| match (error.raw_os_error(), error.kind()) {
        (Some(errno), _) => Errno::from_raw(errno),
        (None, io::ErrorKind::InvalidInput) => Errno::EINVAL,
        (None, _) => Errno::EIO,
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_regular_files_up_to_a_size_are_read() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "12345").unwrap();
        assert_eq!((read(&path, 5), read(&path, 4)), (Ok(b"12345".to_vec()), Err(Errno::EFBIG)));
        assert_eq!((read(dir.path(), 9), read(&dir.path().join("no"), 9)), (Err(Errno::EINVAL), Err(Errno::ENOENT)));
        let before = Stamp::of(&path).unwrap();
        assert_eq!(Stamp::of(&path), Some(before));
        let new = dir.path().join("y");
        std::fs::write(&new, "54321").unwrap();
        std::fs::rename(&new, &path).unwrap();
        assert!(Stamp::of(&path).is_some_and(|now| now != before), "a file that was renamed into place");
    }
}
