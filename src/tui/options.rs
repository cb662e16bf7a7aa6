//! Start-up options of the console.

/// The options of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// The console cannot change or start anything (`--read-only`).
    pub read_only: bool,
    /// The console takes the mouse; otherwise the terminal keeps it (`--no-mouse`).
    pub mouse: bool,
    /// Draw only ASCII, even if the terminal and the settings allow more (`--ascii`).
    pub ascii: bool,
}
