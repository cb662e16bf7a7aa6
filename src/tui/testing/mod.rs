//! Helpers for the console's tests: a screen to draw on, models and records, arbitrary messages.

pub mod arbitrary;
pub mod console;
pub mod render;

/// Snapshots and records made by hand, and consoles that show them.
pub mod fixtures {
    pub use super::console::{answer, demo, model, read_ids, read_page};
    pub use crate::control::testing::*;
}
