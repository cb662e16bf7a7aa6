//! Panels that several screens and dialogs show: lines made from the model.

pub mod bars;
mod confined;
pub mod detail;
pub mod events;
pub mod finished;
pub mod graph;
pub mod knobs;
pub mod mask_change;
pub mod mask_detail;
pub mod mask_parts;
pub mod members;
pub mod no_modprobe;
pub mod requests;
pub mod rows;
pub mod running;
pub mod runs;
mod section;
pub mod tabs;
pub mod target;
pub mod tour;
pub mod under_cursor;
pub mod warnings;
pub mod watch;
