//! What the console asks for.

use crate::control::Command;
use crate::control::activity::page::PageRequest;
use crate::control::batch::Batch;
use crate::control::export::Save;

/// Ties a reply to what was submitted; counted from 1 by the model.
pub type Ticket = u64;

/// What the console asks for.
#[derive(Clone, Debug)]
pub enum Effect {
    /// Perform the command off this thread; the answer comes as [`super::msg::Msg::Replied`].
    Submit {
        /// Comes back with the answer.
        ticket: Ticket,
        /// The command.
        command: Command,
    },
    /// Submit the commands of a batch off this thread; each is answered by a [`super::msg::Msg::Replied`].
    Series {
        /// Comes back with each answer.
        ticket: Ticket,
        /// The commands.
        batch: Batch,
    },
    /// Look for records off this thread; the answer comes as [`super::msg::Msg::Looked`].
    Look(Box<PageRequest>),
    /// Save records off this thread; the answer comes as [`super::msg::Msg::Saved`].
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
