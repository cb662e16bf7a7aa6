//! Start-up options of the console.

use super::theme::Theme;

/// The options of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The console cannot change or start anything (`--read-only`).
    pub read_only: bool,
    /// The console takes the mouse; otherwise the terminal keeps it (`--no-mouse`).
    pub mouse: bool,
    /// Draw only ASCII, even if the terminal and the settings allow more (`--ascii`).
    pub ascii: bool,
    /// The theme, whatever the settings and NO_COLOR say (`--theme`).
    pub theme: Option<Theme>,
}
