//! Profiles as an operator handles them: their files and their texts.

mod files;
pub mod json;
mod live;
pub mod text;

pub use files::{Folders, Profiles, from_path};
pub use live::{Live, hook};
