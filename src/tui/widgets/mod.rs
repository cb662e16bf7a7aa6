//! What screens and dialogs are made of. Nothing here knows the state of the console.

pub mod field;
pub mod lines;
pub mod sheet;
