//! Reads whole files with bounded memory, and tells whether a file has changed.

use std::fs::{File, Metadata};
use std::io::Read;
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

/// Reads a regular file. Opening it never blocks.
///
/// # Errors
/// `EINVAL` if it is no regular file, `EFBIG` if it has more than `most` bytes, else the errno of open(2) or read(2).
pub fn read(path: &Path, most: u64) -> Result<Vec<u8>, Errno> {
    let of = |e: std::io::Error| Errno::from_raw(e.raw_os_error().unwrap_or(libc::EIO));
    let flags = OFlags::RDONLY | OFlags::NONBLOCK | OFlags::CLOEXEC | OFlags::NOCTTY;
    let file = File::from(rustix::fs::open(path, flags, Mode::empty()).map_err(|e| Errno::from_raw(e.raw_os_error()))?);
    if !file.metadata().map_err(of)?.is_file() {
        return Err(Errno::EINVAL);
    }
    let mut bytes = Vec::new();
    file.take(most + 1).read_to_end(&mut bytes).map_err(of)?;
    if bytes.len() as u64 > most { Err(Errno::EFBIG) } else { Ok(bytes) }
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
