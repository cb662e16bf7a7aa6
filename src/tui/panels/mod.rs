//! Panels that several screens and dialogs show: lines made from the model.

pub mod detail;
pub mod knobs;
pub mod mask_detail;
pub mod running;
pub mod tabs;
pub mod target;
