//! One line of a ledger. What has its usual value is left out; the reader restores it from the first line of the
//! segment ([`Head`]) and from the rest of the line.
//!
//! | line (`event`) | when |
//! |---|---|
//! | `segment` | the first line of a segment: run, target, boot, clocks, the engine's process and its capabilities |
//! | `started` | exec has succeeded |
//! | (none) | a request is over, and so is its helper |
//! | `changed` | a knob or the gate was changed, a caller's wait ended, a helper signalled, a drain failed |
//! | `open` | a segment begins: a helper that was started before it and still runs |
//! | `still_running` | the ledger was opened: a helper of an earlier run still runs |
//! | `lost` | lines before this one could not be written, or never reached the ledger |
//! | `end` | the last line of a segment that was closed in order |
//!
//! A line about a helper of the kernel is of version 2 (`v`), which leaves out what follows from its other fields; those
//! of version 1 are read too.
//!
//! Byte strings are escaped as in all JSON of this program. `t` is the wall clock in microseconds since the epoch, when
//! the line was written. `n` numbers the lines of a run from 1; a number that is missing is a line that was lost. An
//! `errno` is a number here, and `lag` is the time from the event to `t`, so that `t - lag - ended_us` is when the
//! request was made (`started_us` for a helper that still runs).

mod brief;
mod decode;
mod encode;
pub(crate) mod fields;
mod kernel;
mod object;
mod opening;
mod placed;
mod raw;
mod shorter;
#[cfg(test)]
pub(crate) mod tests;
mod usual;

use std::sync::Arc;
use std::time::{Duration, SystemTime, UNIX_EPOCH};

use nix::errno::Errno;

use crate::abi::actor::Actor;
use crate::abi::cap::CapMask;
use crate::abi::event::Event;
use crate::abi::record::Record;
use crate::control::target_info::RunId;

pub use brief::Brief;
pub(crate) use decode::{Unread, decode};
pub(crate) use encode::encode;
pub(crate) use opening::{Opening, time_of};
pub(crate) use usual::Usual;

/// The newest version of lines, that of lines about helpers of the kernel; no newer ones are read. All others are of
/// version 1, which an older program reads too.
pub const VERSION: u32 = 2;
/// The longest line, with its newline. A longer one loses its output, then the end of its arguments and environment.
pub const MAX_LINE: usize = 64 * 1024;
/// The most output that is stored of each stream of a helper; the end is kept.
pub const OUTPUT: usize = 4096;

/// Microseconds since the epoch, negative before it.
pub type Wall = i64;

/// The wall clock in microseconds.
pub fn micros(time: SystemTime) -> Wall {
    match time.duration_since(UNIX_EPOCH) {
        Ok(since) => i64::try_from(since.as_micros()).unwrap_or(i64::MAX),
        Err(before) => i64::try_from(before.duration().as_micros()).map_or(i64::MIN, |us| -us),
    }
}

/// The time of a wall clock in microseconds.
pub fn time(wall: Wall) -> SystemTime {
    let by = Duration::from_micros(wall.unsigned_abs());
    let time = if wall < 0 { UNIX_EPOCH.checked_sub(by) } else { UNIX_EPOCH.checked_add(by) };
    time.unwrap_or(UNIX_EPOCH)
}

/// Of which helpers the output is stored (`--ledger-output`).
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub enum KeepOutput {
    /// Of none.
    None,
    /// Of those that did not exit with status 0 in time.
    #[default]
    Failures,
    /// Of all.
    All,
}

/// The first line of a segment: what the other lines leave out.
#[derive(Clone, Debug)]
pub struct Head {
    /// When the segment was begun.
    pub wall: Wall,
    /// The same on CLOCK_MONOTONIC, in microseconds.
    pub mono: u64,
    /// The number of the first line after this one.
    pub n: u64,
    /// No request before this segment has this id or a higher one.
    pub next_id: u64,
    /// The start of the engine whose lines these are.
    pub run: RunId,
    /// `embedded`, `daemon` or `kernel`.
    pub target: Arc<str>,
    /// The boot of the machine (/proc/sys/kernel/random/boot_id).
    pub boot: Arc<str>,
    /// Every capability that the kernel knows.
    pub known: CapMask,
    /// The bounding set of the engine's process.
    pub bounding: CapMask,
    /// The engine's process.
    pub actor: Arc<Actor>,
    /// Values that are computed from the others.
    pub(crate) usual: Usual,
}

/// What a line says.
#[derive(Clone, Debug)]
pub enum Item {
    /// The segment begins.
    Segment(Box<Head>),
    /// A helper runs; its record as it was then.
    Started(Running),
    /// A helper was started before this segment and runs.
    Open(Running),
    /// A helper of an earlier run was found alive when the ledger was opened.
    StillRunning(Running),
    /// A request is over.
    Ended(Arc<Record>),
    /// A change of a knob or the gate, or what an operator did to a request.
    Changed(Event),
    /// Lines could not be written.
    Lost {
        /// How many.
        count: u64,
        /// Why, if a write failed.
        errno: Option<Errno>,
    },
    /// The segment was closed in order.
    End {
        /// The id of the next request.
        next_id: u64,
        /// How many helpers of the segment still ran.
        open: u64,
    },
}

/// A helper that runs.
#[derive(Clone, Debug)]
pub struct Running {
    /// The record as it was when the helper was started.
    pub record: Arc<Record>,
    /// When the helper's process started, in clock ticks since boot; with the pid it names one process. `None` if the
    /// process had ended before this could be read.
    pub start_time: Option<u64>,
}

/// A line as it was read.
#[derive(Clone, Debug)]
pub struct Line {
    /// When it was written.
    pub wall: Wall,
    /// Its number in its run; 0 for the first and the last line of a segment.
    pub n: u64,
    /// The start of the engine that made the request or the change.
    pub run: RunId,
    /// The target.
    pub target: Arc<str>,
    /// What it says.
    pub item: Item,
}
