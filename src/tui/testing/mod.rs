//! What the tests of the console share: a screen to draw on, models and records to start from, arbitrary messages.

pub mod arbitrary;
pub mod console;
pub mod render;

/// Snapshots and records made by hand, and consoles that show them.
pub mod fixtures {
    pub use super::console::{answer, model};
    pub use crate::control::testing::*;
}
