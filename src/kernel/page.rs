//! A page of the kernel's trace ring buffer, as `trace_pipe_raw` gives it. Only lengths that fit into the page are
//! followed.

use super::format::PageFormat;

/// Bits of the commit field (kernel/trace/ring_buffer.c): events were lost before this page, and their number follows
/// the data.
const MISSED: u64 = 1 << 31;
const COUNTED: u64 = 1 << 30;
/// The rest of the field: the length of the data.
const LENGTH: u64 = COUNTED - 1;

/// Types of records above the lengths of short data.
const PADDING: u32 = 29;
const TIME_EXTEND: u32 = 30;
const TIME_STAMP: u32 = 31;
const TYPE_BITS: u32 = 5;
const DELTA_BITS: u32 = 27;
/// The part of the time that an absolute time stamp does not hold.
const HIGH_TIME: u64 = !((1 << 59) - 1);

/// What was lost between the page before and this one.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Missed {
    /// Nothing.
    None,
    /// So many events.
    Exactly(u64),
    /// Events whose number the kernel had no room to write.
    Unknown,
}

/// A page of which the header was read.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Page<'a> {
    /// The time at its beginning, in nanoseconds of the instance's clock.
    pub time: u64,
    /// What was lost before it.
    pub missed: Missed,
    data: &'a [u8],
}

/// One record of a page.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Record<'a> {
    /// When, in nanoseconds of the instance's clock.
    pub time: u64,
    /// The event's bytes, which its `format` describes. They may be followed by some bytes of padding.
    pub data: &'a [u8],
}

/// The page or the rest of it cannot be read: its lengths do not fit.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Damaged;

impl<'a> Page<'a> {
    /// Reads the header of a page.
    ///
    /// # Errors
    /// [`Damaged`] if the page is shorter than it says.
    pub fn parse(format: &PageFormat, page: &'a [u8]) -> Result<Self, Damaged> {
        let time = long(page, format.timestamp)?;
        // The flags and the length are in the low half, which on a big-endian machine comes second.
        let commit = if format.data - format.commit >= 8 {
            long(page, format.commit)?
        } else {
            u64::from(word(page, format.commit)?)
        };
        let length = usize::try_from(commit & LENGTH).map_err(|_| Damaged)?;
        let end = format.data.checked_add(length).ok_or(Damaged)?;
        let data = page.get(format.data..end).ok_or(Damaged)?;
        let missed = match (commit & MISSED != 0, commit & COUNTED != 0) {
            (false, _) => Missed::None,
            (true, true) => Missed::Exactly(long(page, end)?),
            (true, false) => Missed::Unknown,
        };
        Ok(Self { time, missed, data })
    }

    /// Its records in the order in which they were written. It ends after the first [`Damaged`].
    pub const fn records(&self) -> Records<'a> {
        Records { rest: self.data, time: self.time }
    }
}

/// The records of a page.
#[derive(Clone, Debug)]
pub struct Records<'a> {
    rest: &'a [u8],
    time: u64,
}

impl<'a> Records<'a> {
    /// The next record, or `None` after a record without data.
    fn step(&mut self) -> Result<Option<Record<'a>>, Damaged> {
        let header = word(self.rest, 0)?;
        let (kind, delta) = if cfg!(target_endian = "little") {
            (header & ((1 << TYPE_BITS) - 1), header >> TYPE_BITS)
        } else {
            (header >> DELTA_BITS, header & ((1 << DELTA_BITS) - 1))
        };
        let delta = u64::from(delta);
        let second = || word(self.rest, 4).map(u64::from);
        let (time, from, to) = match kind {
            // Padding up to the end of the page.
            PADDING if delta == 0 => {
                self.rest = &[];
                return Ok(None);
            }
            PADDING => (self.time.wrapping_add(delta), None, 4 + second()?),
            TIME_EXTEND => (self.time.wrapping_add((second()? << DELTA_BITS) + delta), None, 8),
            TIME_STAMP => ((self.time & HIGH_TIME) | ((second()? << DELTA_BITS) + delta), None, 8),
            0 => (self.time.wrapping_add(delta), Some(8), 4 + second()?.next_multiple_of(4)),
            words => (self.time.wrapping_add(delta), Some(4), 4 + 4 * u64::from(words)),
        };
        let to = usize::try_from(to).ok().filter(|to| *to <= self.rest.len() && *to >= 4).ok_or(Damaged)?;
        let data = from.map(|from| self.rest.get(from..to).ok_or(Damaged)).transpose()?;
        (self.time, self.rest) = (time, &self.rest[to..]);
        Ok(data.map(|data| Record { time, data }))
    }
}

impl<'a> Iterator for Records<'a> {
    type Item = Result<Record<'a>, Damaged>;

    fn next(&mut self) -> Option<Self::Item> {
        while !self.rest.is_empty() {
            match self.step() {
                Ok(Some(record)) => return Some(Ok(record)),
                Ok(None) => {}
                Err(Damaged) => {
                    self.rest = &[];
                    return Some(Err(Damaged));
                }
            }
        }
        None
    }
}

fn word(bytes: &[u8], at: usize) -> Result<u32, Damaged> {
    let end = at.checked_add(4).ok_or(Damaged)?;
    Ok(u32::from_ne_bytes(bytes.get(at..end).and_then(|b| b.try_into().ok()).ok_or(Damaged)?))
}

fn long(bytes: &[u8], at: usize) -> Result<u64, Damaged> {
    let end = at.checked_add(8).ok_or(Damaged)?;
    Ok(u64::from_ne_bytes(bytes.get(at..end).and_then(|b| b.try_into().ok()).ok_or(Damaged)?))
}
