//! How the console was started.

/// The options of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Nothing can be changed or started (`--read-only`).
    pub read_only: bool,
    /// The console receives the mouse; otherwise the terminal keeps it (`--no-mouse`).
    pub mouse: bool,
    /// Draw ASCII only, also where the terminal and the settings allow more (`--ascii`).
    pub ascii: bool,
}
