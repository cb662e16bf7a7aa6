//! Puts the events of several sources into the order of their times.

use std::cmp::{Ordering, Reverse};
use std::collections::BinaryHeap;

use super::input::Input;

#[derive(Debug)]
struct Entry {
    time: u64,
    rank: u8,
    number: u64,
    input: Input,
}

impl Entry {
    const fn key(&self) -> (u64, u8, u64) {
        (self.time, self.rank, self.number)
    }
}
impl PartialEq for Entry {
    fn eq(&self, other: &Self) -> bool {
        self.key() == other.key()
    }
}
impl Eq for Entry {}
impl PartialOrd for Entry {
    fn partial_cmp(&self, other: &Self) -> Option<Ordering> {
        Some(self.cmp(other))
    }
}
impl Ord for Entry {
    fn cmp(&self, other: &Self) -> Ordering {
        self.key().cmp(&other.key())
    }
}

/// Events that wait for earlier ones of other sources.
#[derive(Debug, Default)]
pub(super) struct Order {
    heap: BinaryHeap<Reverse<Entry>>,
    next: u64,
}

impl Order {
    pub(super) fn push(&mut self, time: u64, input: Input) {
        self.next += 1;
        self.heap.push(Reverse(Entry { time, rank: input.rank(), number: self.next, input }));
    }

    /// The earliest event, if it is not later than `watermark`.
    pub(super) fn pop(&mut self, watermark: u64) -> Option<(u64, Input)> {
        if self.heap.peek()?.0.time > watermark {
            return None;
        }
        self.heap.pop().map(|Reverse(entry)| (entry.time, entry.input))
    }

    pub(super) fn is_empty(&self) -> bool {
        self.heap.is_empty()
    }
}
