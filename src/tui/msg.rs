//! What the console is told, and what it asks for. `update` does no I/O: it takes a [`Msg`] and returns [`Effect`]s.

use crossterm::event::KeyEvent;
use nix::sys::signal::Signal;

use crate::abi::error::ControlError;
use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;
use crate::control::activity::export::{Save, Saved, Unsaved};
use crate::control::activity::page::PageRequest;
use crate::control::{Command, Reply};

use super::model::log::Line;
use super::model::record_row::RowPage;

/// Ties a reply to what was submitted; counted from 1 by the model.
pub type Ticket = u64;

/// What the mouse did, and in which cell, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// What.
    pub what: Click,
    /// From the left.
    pub x: u16,
    /// From the top.
    pub y: u16,
}

/// What the mouse can do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Click {
    /// The left button was pressed.
    Press,
    /// The wheel turned up.
    WheelUp,
    /// The wheel turned down.
    WheelDown,
}

/// What the console is told.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed. Never made of pasted text.
    Key(KeyEvent),
    /// ESC came with this key right behind it: the key with Alt held, or Esc and then the key. It has
    /// [`crossterm::event::KeyModifiers::ALT`].
    Chord(KeyEvent),
    /// Text was pasted (bracketed paste), hostile bytes.
    Paste(Vec<u8>),
    /// The mouse, where it is the console's.
    Mouse(Mouse),
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
    /// Records that were asked for.
    Looked(Box<RowPage>),
    /// Lines of the log, oldest first.
    Logged(Vec<Line>),
    /// Records were saved, or not.
    Saved {
        /// Which save.
        ticket: Ticket,
        /// What came of it.
        result: Result<Saved, Unsaved>,
    },
    /// Something that the console itself warns of.
    Notice(String),
    /// The time on the engine's clock, once a second or so while [`super::model::Model::needs_tick`] says so.
    Tick(Micros),
    /// SIGINT, SIGTERM, SIGQUIT or SIGHUP: the console is to end.
    Signal(Signal),
}

/// Module requests that are asked for one after another, without the console in between.
#[derive(Clone, Debug)]
pub struct Series {
    /// Comes back with each answer.
    pub ticket: Ticket,
    /// The names, asked for in turn.
    pub names: Vec<Vec<u8>>,
    /// WAIT_PROC, else WAIT_EXEC.
    pub wait: bool,
    /// How many are asked for.
    pub total: u32,
    /// How many at the same time, at most.
    pub parallel: u32,
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
    /// Make the requests off this thread; each is answered by a [`Msg::Replied`].
    Series(Series),
    /// Look for records off this thread; the answer comes as [`Msg::Looked`].
    Look(Box<PageRequest>),
    /// Save records off this thread; the answer comes as [`Msg::Saved`].
    Save {
        /// Comes back with the answer.
        ticket: Ticket,
        /// What, and where to.
        save: Box<Save>,
    },
    /// Hand these bytes to the terminal's clipboard (OSC 52).
    Copy(Vec<u8>),
    /// Keep this line of the command line for the next start.
    Remember(Vec<u8>),
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
