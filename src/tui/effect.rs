//! Effects: what [`super::update`] asks the run loop to do.

use crate::control::Command;
use crate::control::activity::page::PageRequest;
use crate::control::batch::Batch;
use crate::control::export::Save;

/// Links a reply to the command that it answers; the model counts tickets from 1.
pub type Ticket = u64;

/// An effect: a request of [`super::update`] to the run loop.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Run the command on another thread; the answer comes as [`super::msg::Msg::Replied`].
    Submit {
        /// Is returned with the answer.
        ticket: Ticket,
        /// The command.
        command: Command,
    },
    /// Run the commands of a batch on other threads; each is answered by a [`super::msg::Msg::Replied`].
    Series {
        /// Is returned with each answer.
        ticket: Ticket,
        /// The commands.
        batch: Batch,
    },
    /// Read a page of records on another thread; the answer comes as [`super::msg::Msg::Looked`].
    Look(Box<PageRequest>),
    /// Read the rules of the target on another thread; the answer comes as [`super::msg::Msg::Rules`].
    ReadRules,
    /// Save records on another thread; the answer comes as [`super::msg::Msg::Saved`].
    Save {
        /// Is returned with the answer.
        ticket: Ticket,
        /// Which records, and the file.
        save: Box<Save>,
    },
    /// Find the modules whose names begin with this, on another thread; the answer comes as
    /// [`super::msg::Msg::Modules`].
    FindModules(Vec<u8>),
    /// Read the names of the profiles of this machine, on another thread; the answer comes as
    /// [`super::msg::Msg::Profiles`].
    FindProfiles,
    /// Copy these bytes to the terminal's clipboard (OSC 52).
    Copy(Vec<u8>),
    /// Store this line in the history file of the command line.
    Remember(Vec<u8>),
    /// Repaint every cell (ctrl-l).
    Repaint,
    /// Restore the terminal and stop (ctrl-z); repaint when continued.
    Suspend,
    /// Show the next target; its session goes on where it was.
    NextTarget,
    /// Show the Activity of the target at this place, with the filters of this one.
    FilterTarget(usize),
    /// Restore the terminal and begin the demo in this console's place.
    Demo,
    /// Restore the terminal and exit. Live helpers are left running and named on stderr.
    Quit {
        /// The exit code of the program.
        code: u8,
    },
}
