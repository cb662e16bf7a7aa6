//! What the console is told, and what it asks for. `update` does no I/O: it takes a [`Msg`] and returns [`Effect`]s.

use crossterm::event::KeyEvent;
use nix::sys::signal::Signal;

use crate::abi::error::ControlError;
use crate::control::{Command, Reply};
use crate::engine::snapshot::Snapshot;
use crate::sys::host::Micros;

/// Ties a reply to what was submitted; counted from 1 by the model.
pub type Ticket = u64;

/// What the console is told.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed. Never made of pasted text.
    Key(KeyEvent),
    /// Text was pasted (bracketed paste), hostile bytes.
    Paste(Vec<u8>),
    /// The terminal has this size now.
    Resize {
        /// Cells from left to right.
        columns: u16,
        /// Cells from top to bottom.
        rows: u16,
    },
    /// The state of the engine, taken after events, at most 30 times a second. Taken when it is delivered: one that
    /// comes after a reply was taken after what that reply tells of.
    Snapshot(Box<Snapshot>),
    /// Why the modprobe path would not run, or who else could replace it (SYS-6): at the start and whenever the path
    /// has changed. Empty: nothing to say.
    PathWarnings(Vec<String>),
    /// A submitted command was answered.
    Replied {
        /// Which.
        ticket: Ticket,
        /// The answer.
        reply: Result<Reply, ControlError>,
    },
    /// The time on the engine's clock, once a second or so while [`super::model::Model::needs_tick`] says so.
    Tick(Micros),
    /// SIGINT, SIGTERM, SIGQUIT or SIGHUP: the console is to end.
    Signal(Signal),
}

/// What the console asks for.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Perform the command off this thread; the answer comes as [`Msg::Replied`].
    Submit {
        /// Comes back with the answer.
        ticket: Ticket,
        /// The command.
        command: Command,
    },
    /// Hand these bytes to the terminal's clipboard (OSC 52).
    Copy(Vec<u8>),
    /// Paint every cell again (ctrl-l).
    Repaint,
    /// Give the terminal back and stop (ctrl-z); repaint when continued.
    Suspend,
    /// Give the terminal back and end. Helpers that live are left running and named on stderr.
    Quit {
        /// The exit code of the program.
        code: u8,
    },
}
