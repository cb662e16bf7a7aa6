//! The messages that the console receives. `update` does no I/O: it takes a [`Msg`] and returns [`Effect`]s.

use crossterm::event::KeyEvent;
use nix::sys::signal::Signal;

use crate::abi::error::ControlError;
use crate::abi::safe_text::SafeText;
use crate::abi::snapshot::Snapshot;
use crate::abi::time::Micros;
use crate::control::Reply;
use crate::control::export::{Saved, Unsaved};
use crate::control::modules::Found;
use crate::control::rules::RulesView;
use crate::control::target::TargetInfo;

use super::model::log::Line;
use super::model::record_row::RowPage;

pub use super::effect::{Effect, Ticket};

/// A mouse event and its cell, counted from 0.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Mouse {
    /// The kind of event.
    pub what: Click,
    /// The column, from the left.
    pub x: u16,
    /// The row, from the top.
    pub y: u16,
}

/// The kinds of mouse events.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Click {
    /// The left button was pressed.
    Press,
    /// The wheel turned up.
    WheelUp,
    /// The wheel turned down.
    WheelDown,
}

/// A message to the console.
#[derive(Debug)]
pub enum Msg {
    /// A key was pressed. Pasted text never becomes keys.
    Key(KeyEvent),
    /// ESC came immediately before this key: either the key with Alt held, or Esc and then the key. It has
    /// [`crossterm::event::KeyModifiers::ALT`].
    Chord(KeyEvent),
    /// Text was pasted (bracketed paste); the bytes are hostile.
    Paste(Vec<u8>),
    /// A mouse event, if the console has taken the mouse.
    Mouse(Mouse),
    /// The terminal has a new size.
    Resize {
        /// Width in cells.
        columns: u16,
        /// Height in cells.
        rows: u16,
    },
    /// The state of the target, read after events, at most 30 times a second. It is read on delivery: a state that
    /// comes after a reply contains the effect of that reply's command.
    Snapshot(Box<Snapshot>),
    /// The connection to the target has changed, or the target is another run of the engine.
    Target(Box<TargetInfo>),
    /// Why the modprobe path would not run, or who else could replace it (SYS-6); sent at the start and after each
    /// change of the path. Empty if there is nothing to report.
    PathWarnings(Vec<SafeText>),
    /// A submitted command was answered.
    Replied {
        /// The ticket of the command.
        ticket: Ticket,
        /// The answer.
        reply: Result<Reply, ControlError>,
    },
    /// A page of records that the console asked for.
    Looked(Box<RowPage>),
    /// The rules of the target, or why there are none.
    Rules(Result<RulesView, String>),
    /// Modules that the console searched for.
    Modules(Box<Found>),
    /// The names of the profiles of this machine.
    Profiles(Vec<String>),
    /// A page of records that are older than the target's run was read.
    Older,
    /// Lines of the log, oldest first.
    Logged(Vec<Line>),
    /// An attempt to save records has ended.
    Saved {
        /// The ticket of the save.
        ticket: Ticket,
        /// Its result.
        result: Result<Saved, Unsaved>,
    },
    /// A warning of the console itself.
    Notice(String),
    /// The time on the engine's clock, about once a second while [`super::model::Model::needs_tick`] returns `true`.
    Tick(Micros),
    /// SIGINT, SIGTERM, SIGQUIT or SIGHUP arrived: the console must end.
    Signal(Signal),
}
