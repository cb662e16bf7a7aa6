//! The parts of screens and dialogs. Nothing here depends on the model.

pub mod beside;
pub mod field;
pub mod lines;
pub mod rule;
pub mod sheet;
