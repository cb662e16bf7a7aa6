//! Floor 4: the console. Peer of `cli`.
#![forbid(unsafe_code)]

#[cfg(test)]
mod fixture;
pub mod keymap;
pub mod model;
pub mod msg;
mod text;
pub mod theme;
pub mod update;
pub mod view;

use crate::engine::Engine;
use crate::sys::signals::Signals;

/// How the console is to be.
#[derive(Clone, Copy, Debug)]
pub struct Options {
    /// Nothing can be changed or started.
    pub read_only: bool,
    /// The mouse is the console's; else it is left to the terminal.
    pub mouse: bool,
}

/// Runs the console over `engine` until the operator quits; the exit code of the program.
///
/// `signals` holds SIGINT, SIGTERM, SIGHUP, SIGWINCH, SIGTSTP and SIGCONT, taken before the engine started.
pub fn run(_engine: &Engine, _signals: &Signals, _options: Options) -> u8 {
    2
}
