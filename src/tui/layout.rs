//! Where things stand on the screen: for the view, which draws there, and for the update, which asks what is in sight and
//! what was clicked.

pub mod activity;
mod areas;
mod hit;
pub mod log;
pub mod masks;

pub use areas::Areas;
pub use hit::{Hit, hit};
