//! The parts of screens and dialogs. Nothing here depends on the model.

pub mod field;
pub mod lines;
pub mod sheet;
