//! How the console was started.

/// The options of the command line.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Nothing can be changed or started.
    pub read_only: bool,
    /// The mouse is the console's; else it is left to the terminal.
    pub mouse: bool,
    /// Draw ASCII alone, whatever the terminal and the settings say.
    pub ascii: bool,
}
