//! The files of the kernel's knobs: one read, and one write at offset 0 on a fresh descriptor. A second write on one
//! descriptor would be ignored for a mask and appended to a path.

use std::path::Path;

use nix::errno::Errno;
use rustix::fs::{Mode, OFlags};

/// The most bytes that are read of one file: the kernel's knobs hold less.
const READ_MAX: usize = 4096;

/// Why a write failed.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum WriteFault {
    /// The file could not be opened for writing.
    Open(Errno),
    /// The kernel refused the write.
    Write(Errno),
    /// The kernel took only the first bytes.
    Short(usize),
}

/// Reads a file's first 4,096 bytes.
///
/// # Errors
/// The errno of open(2) or read(2).
pub fn read(path: &Path) -> Result<Vec<u8>, Errno> {
    let flags = OFlags::RDONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(errno)?;
    let (mut bytes, mut length) = (vec![0; READ_MAX], 0);
    while length < bytes.len() {
        match rustix::io::read(&file, &mut bytes[length..]) {
            Ok(0) => break,
            Ok(more) => length += more,
            Err(rustix::io::Errno::INTR) => {}
            Err(e) => return Err(errno(e)),
        }
    }
    bytes.truncate(length);
    Ok(bytes)
}

/// Writes `text` with one pwrite(2) at offset 0. The file must exist; it is neither made nor cut.
///
/// # Errors
/// See [`WriteFault`]. After [`WriteFault::Short`] the knob may have changed.
pub fn write(path: &Path, text: &[u8]) -> Result<(), WriteFault> {
    let flags = OFlags::WRONLY | OFlags::CLOEXEC | OFlags::NOCTTY | OFlags::NONBLOCK;
    let file = rustix::fs::open(path, flags, Mode::empty()).map_err(|e| WriteFault::Open(errno(e)))?;
    match rustix::io::pwrite(&file, text, 0) {
        Ok(written) if written == text.len() => Ok(()),
        Ok(written) => Err(WriteFault::Short(written)),
        Err(e) => Err(WriteFault::Write(errno(e))),
    }
}

fn errno(error: rustix::io::Errno) -> Errno {
    Errno::from_raw(error.raw_os_error())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn one_write_at_the_start_and_each_failure_has_its_stage() {
        let dir = tempfile::tempdir().unwrap();
        let file = dir.path().join("knob");
        assert_eq!((read(&file), write(&file, b"x")), (Err(Errno::ENOENT), Err(WriteFault::Open(Errno::ENOENT))));
        assert!(!file.exists(), "a knob is never made");
        std::fs::write(&file, "0123456789").unwrap();
        assert_eq!(write(&file, b"ab\n"), Ok(()));
        assert_eq!(read(&file).unwrap(), b"ab\n3456789", "at offset 0, and nothing is cut");
        assert_eq!(write(Path::new("/dev/full"), b"x"), Err(WriteFault::Write(Errno::ENOSPC)));
        std::fs::write(&file, vec![b'x'; READ_MAX + 1]).unwrap();
        assert_eq!(read(&file).unwrap().len(), READ_MAX);
        assert_eq!(read(dir.path()), Err(Errno::EISDIR));
    }
}
