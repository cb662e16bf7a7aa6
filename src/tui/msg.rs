//! The messages that the console receives. `update` does no I/O: it takes a [`Msg`] and returns [`Effect`]s.

use crossterm::event::KeyEvent;
use nix::sys::signal::Signal;

use crate::abi::error::ControlError;
use crate::abi::safe_text::SafeText;
use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;
use crate::control::Reply;
use crate::control::export::{Saved, Unsaved};
use crate::control::target::TargetInfo;

use super::model::log::Line;
use super::model::record_row::RowPage;

pub use super::effect::{Effect, Ticket};

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
    /// The state of the target, taken after events, at most 30 times a second. Taken when it is delivered: one that
    /// comes after a reply was taken after what that reply tells of.
    Snapshot(Box<Snapshot>),
    /// What is known of the target has changed: the connection, or which run of the engine it is.
    Target(Box<TargetInfo>),
    /// Why the modprobe path would not run, or who else could replace it (SYS-6): at the start and whenever the path
    /// has changed. Empty: nothing to say.
    PathWarnings(Vec<SafeText>),
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
