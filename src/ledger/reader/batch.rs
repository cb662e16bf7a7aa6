//! Lines that another thread reads while the scan goes on.

use std::sync::Arc;

use crate::ledger::line::{Head, Wall};

use super::Found;

/// How many bytes of lines are put together: handing over costs little beside them.
const FULL: usize = 64 * 1024;

/// Copies of lines that matched, in their order.
#[derive(Default)]
pub struct Batch {
    bytes: Vec<u8>,
    /// Where each line ends, when it was written, and the first line of its segment.
    lines: Vec<(usize, Wall, Arc<Head>)>,
}

impl Batch {
    /// Adds a line. Returns whether the batch is large enough to be handed over.
    pub fn push(&mut self, found: &Found<'_>) -> bool {
        self.bytes.extend_from_slice(found.raw);
        self.lines.push((self.bytes.len(), found.wall, found.head.clone()));
        self.bytes.len() >= FULL
    }

    /// Calls `each` with every line.
    pub fn for_each(&self, mut each: impl FnMut(&Found<'_>)) {
        let mut from = 0;
        for (to, wall, head) in &self.lines {
            each(&Found { raw: &self.bytes[from..*to], wall: *wall, head });
            from = *to;
        }
    }
}
