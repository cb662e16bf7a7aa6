//! Everything the screen shows, and nothing else.

use crate::engine::snapshot::Snapshot;

use super::Options;

/// The state of the console.
pub struct Model {
    /// How it was started.
    pub options: Options,
    /// The engine as it was last seen.
    pub snapshot: Snapshot,
}

impl Model {
    /// At the start, in a terminal of that size.
    pub fn new(options: Options, snapshot: Snapshot, _columns: u16, _rows: u16) -> Self {
        Self { options, snapshot }
    }

    /// Whether anything on the screen moves by itself: a helper runs, or the minute's sparkline is not flat yet.
    pub fn needs_tick(&self) -> bool {
        false
    }
}
