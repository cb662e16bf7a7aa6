//! The segment that a process writes.

use std::fs::File;
use std::io::Write as _;

use nix::errno::Errno;
use rustix::fs::{FlockOperation, fdatasync, flock, ftruncate};

use super::folder::{Folder, Name, errno};
use super::line::Wall;

/// Writes at the end of a file that was opened so.
pub(super) fn append(mut file: &File, lines: &[u8]) -> Result<(), Errno> {
    file.write_all(lines).map_err(|e| e.raw_os_error().map_or(Errno::EIO, Errno::from_raw))
}

/// How often another name is tried if a name is taken.
const ATTEMPTS: i64 = 100;

/// An open segment, locked until it is closed.
pub(super) struct Segment {
    file: File,
    name: Name,
    /// The length up to which every line is whole. The file may be longer after a failed write.
    good: u64,
    /// The file is longer than `good`.
    torn: bool,
    /// The length of the first lines, which every segment has.
    first: u64,
}

impl Segment {
    /// Makes a new segment that begins with `first`, whole lines.
    pub(super) fn create(folder: &Folder, wall: Wall, first: &[u8]) -> Result<Self, Errno> {
        let mut name = Name { begun: wall, pid: std::process::id() };
        let file = loop {
            match folder.create(&name) {
                Err(Errno::EEXIST) if name.begun < wall.saturating_add(ATTEMPTS) => name.begun += 1,
                other => break other?,
            }
        };
        let made = flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(errno);
        let mut segment = Self { file, name, good: 0, torn: false, first: first.len() as u64 };
        if let Err(errno) = made.and_then(|()| segment.append(first)) {
            // The file is new and has no whole line. If it cannot be removed either, readers find it empty.
            let _ = folder.remove(&segment.name);
            return Err(errno);
        }
        Ok(segment)
    }

    /// Appends whole lines. If not all of them can be written, none of them stays.
    pub(super) fn append(&mut self, lines: &[u8]) -> Result<(), Errno> {
        if self.torn {
            self.truncate()?;
        }
        let written = append(&self.file, lines);
        match written {
            Ok(()) => self.good += lines.len() as u64,
            Err(_) => {
                self.torn = true;
                // Tried again before the next line.
                let _ = self.truncate();
            }
        }
        written
    }

    /// Cuts the file to its whole lines.
    fn truncate(&mut self) -> Result<(), Errno> {
        ftruncate(&self.file, self.good).map_err(errno)?;
        self.torn = false;
        Ok(())
    }

    /// When it was begun.
    pub(super) fn begun(&self) -> Wall {
        self.name.begun
    }

    /// Its length.
    pub(super) fn bytes(&self) -> u64 {
        self.good
    }

    /// The bytes that were written after the first lines.
    pub(super) fn written(&self) -> u64 {
        self.good - self.first
    }

    /// Appends the last line, flushes the segment to the disk and unlocks it. Returns its length and the first
    /// error.
    pub(super) fn close(mut self, last: &[u8]) -> (u64, Result<(), Errno>) {
        let written = self.append(last);
        let synced = fdatasync(&self.file).map_err(errno);
        // A descriptor table that was copied while a thread started may hold the file for a moment: closing alone would
        // not unlock it.
        let unlocked = flock(&self.file, FlockOperation::Unlock).map_err(errno);
        (self.good, written.and(synced).and(unlocked))
    }
}
