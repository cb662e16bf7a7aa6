//! The layout of the screen. The view draws by it, and the update uses it to find what is visible and what was clicked.

pub mod activity;
mod areas;
mod hit;
pub mod log;
pub mod masks;
pub mod overview;
mod overview_columns;
mod overview_share;
mod overview_small;
mod panel;
pub mod rules;

pub use areas::Areas;
pub use hit::{Hit, hit};
