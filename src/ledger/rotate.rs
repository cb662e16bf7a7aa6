//! Which segments are kept. A segment that is locked is being written, by this process or another one, and is never
//! removed.

use nix::errno::Errno;
use rustix::fs::{FlockOperation, flock};

use super::error::LedgerError;
use super::folder::{Folder, Name, errno};
use super::line::Wall;

/// A new segment begins when the wall clock goes back by more than this: 1 s.
pub(super) const STEP: Wall = 1_000_000;

const MIB: u64 = 1024 * 1024;
const DAY: Wall = 86_400 * 1_000_000;

/// How much a series of segments may hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Limits {
    /// The most bytes of all segments together.
    pub bytes: u64,
    /// The most segments: each process that writes makes one at least.
    pub segments: usize,
    /// How long after its last line a segment is removed, in microseconds.
    pub age: Wall,
    /// A new segment begins when one has this many bytes.
    pub segment_bytes: u64,
    /// A new segment begins when one is this old, in microseconds.
    pub segment_age: Wall,
}

impl Limits {
    /// Of all lines: 64 MiB, 2,000 segments and 30 days, in segments of 4 MiB and a day.
    pub const ALL: Self =
        Self { bytes: 64 * MIB, segments: 2_000, age: 30 * DAY, segment_bytes: 4 * MIB, segment_age: DAY };
    /// Of failures: 64 MiB, 2,000 segments and 180 days, in segments of 4 MiB and a week.
    pub const FAILURES: Self = Self { age: 180 * DAY, segment_age: 7 * DAY, ..Self::ALL };
}

/// Removes the oldest segments until the others, and one more of `room` bytes, are within the limits. Returns the bytes that are
/// left. A segment that cannot be opened or removed is skipped: the next rotation tries again.
pub(super) fn prune(folder: &Folder, limits: &Limits, now: Wall, room: u64) -> Result<u64, LedgerError> {
    let mut segments = Vec::new();
    let mut total = 0;
    for name in folder.names()? {
        let Ok((file, stat)) = folder.segment(&name, false) else { continue };
        let bytes = u64::try_from(stat.st_size).unwrap_or(0);
        let last = Wall::from(stat.st_mtime).saturating_mul(1_000_000);
        total += bytes;
        segments.push((name, bytes, last));
        drop(file);
    }
    let most = limits.bytes.saturating_sub(room);
    let oldest = now.saturating_sub(limits.age);
    // If every segment seems too old, the clock is more likely wrong than the ledger: a later rotation decides.
    let believed = segments.iter().any(|(.., last)| *last >= oldest);
    let mut left = segments.len();
    for (name, bytes, last) in segments {
        let too_old = believed && last < oldest;
        if (total > most || left >= limits.segments || too_old) && remove_unlocked(folder, &name).is_ok() {
            total -= bytes;
            left -= 1;
        }
    }
    Ok(total)
}

/// Removes a segment that nobody writes.
fn remove_unlocked(folder: &Folder, name: &Name) -> Result<(), Errno> {
    let (file, _) = folder.segment(name, false)?;
    flock(&file, FlockOperation::NonBlockingLockExclusive).map_err(errno)?;
    folder.remove(name)
}
