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

#[cfg(test)]
mod tests {
    use super::*;
    use proptest::prelude::*;

    const FORMAT: PageFormat = PageFormat { timestamp: 0, commit: 8, data: 16 };

    /// A page with these records, as the kernel writes it; and what reading it must give.
    fn written(start: u64, records: &[(u64, u8, Vec<u8>)], missed: Missed) -> (Vec<u8>, Vec<(u64, Vec<u8>)>) {
        let (mut data, mut time, mut wanted) = (Vec::new(), start, Vec::new());
        let header = |kind: u32, delta: u64| (kind | u32::try_from(delta).unwrap() << TYPE_BITS).to_ne_bytes();
        let most = (1 << DELTA_BITS) - 1;
        for (step, how, bytes) in records {
            time += step;
            let delta = match how % 4 {
                // An absolute time, which lacks the highest bits.
                0 => {
                    let low = time & !HIGH_TIME;
                    data.extend(header(TIME_STAMP, low & most));
                    data.extend(u32::try_from(low >> DELTA_BITS).unwrap().to_ne_bytes());
                    0
                }
                // A discarded record takes the time.
                1 if *step > 0 && *step <= most => {
                    data.extend(header(PADDING, *step));
                    data.extend(8u32.to_ne_bytes());
                    data.extend([0xee; 4]);
                    0
                }
                _ if *step > most => {
                    data.extend(header(TIME_EXTEND, step & most));
                    data.extend(u32::try_from(step >> DELTA_BITS).unwrap().to_ne_bytes());
                    0
                }
                _ => *step,
            };
            let mut padded = bytes.clone();
            padded.resize(bytes.len().next_multiple_of(4).max(4), 0);
            let words = padded.len() / 4;
            if words <= 28 {
                data.extend(header(u32::try_from(words).unwrap(), delta));
            } else {
                data.extend(header(0, delta));
                data.extend(u32::try_from(padded.len() + 4).unwrap().to_ne_bytes());
            }
            data.extend(&padded);
            wanted.push((time, padded));
        }
        let flags = match missed {
            Missed::None => 0,
            Missed::Exactly(_) => MISSED | COUNTED,
            Missed::Unknown => MISSED,
        };
        let commit = data.len() as u64 | flags;
        let mut page = [start.to_ne_bytes(), commit.to_ne_bytes()].concat();
        page.extend(data);
        if let Missed::Exactly(count) = missed {
            page.extend(count.to_ne_bytes());
        }
        page.resize(page.len().max(4096), 0);
        (page, wanted)
    }

    fn missed() -> impl Strategy<Value = Missed> {
        prop_oneof![Just(Missed::None), any::<u64>().prop_map(Missed::Exactly), Just(Missed::Unknown)]
    }

    fn records() -> impl Strategy<Value = Vec<(u64, u8, Vec<u8>)>> {
        let step = prop_oneof![0u64..1000, 0u64..1 << 40];
        proptest::collection::vec((step, any::<u8>(), proptest::collection::vec(any::<u8>(), 1..200)), 0..20)
    }

    proptest! {
        #[test]
        fn what_a_kernel_writes_is_read_back(start in 0u64..1 << 62, records in records(), missed in missed()) {
            let (page, wanted) = written(start, &records, missed);
            let parsed = Page::parse(&FORMAT, &page).unwrap();
            prop_assert_eq!((parsed.time, parsed.missed), (start, missed));
            let read: Result<Vec<_>, _> = parsed.records().map(|r| r.map(|r| (r.time, r.data.to_vec()))).collect();
            prop_assert_eq!(read, Ok(wanted));
        }

        #[test]
        fn any_damage_ends_a_page_without_a_panic(
            records in records(), missed in missed(), cut in 0usize..5000, flips in proptest::collection::vec((0usize..600, any::<u8>()), 0..8),
            junk in proptest::collection::vec(any::<u8>(), 0..200),
        ) {
            let (mut page, _) = written(7, &records, missed);
            for (at, to) in flips {
                page[at] = to;
            }
            for page in [&page[..cut.min(page.len())], &junk] {
                if let Ok(parsed) = Page::parse(&FORMAT, page) {
                    prop_assert!(parsed.records().count() <= page.len());
                }
            }
        }
    }
}
