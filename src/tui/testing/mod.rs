//! What the tests of the console share: a screen to draw on, models and records to start from, arbitrary messages.

pub mod arbitrary;
pub mod fixtures;
pub mod render;
