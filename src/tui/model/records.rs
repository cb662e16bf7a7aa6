//! The dialogs of the screen Activity: kill, ask again, copy, save. What cannot be taken back is a type that only its
//! confirmation makes.

use std::sync::Arc;

use nix::sys::signal::Signal;

use crate::abi::record::Record;
use crate::control::Command;
use crate::control::export::{Existing, Overwrite};
use crate::control::repeat::repeat;
use crate::tui::msg::Ticket;

use crate::tui::field::Field;

/// A helper is to be killed: by TERM or by KILL.
#[derive(Clone, Debug)]
pub struct Kill {
    /// The request.
    pub id: u64,
    /// Its module or path, escaped.
    pub title: String,
    /// Its helper.
    pub pid: i32,
    /// TERM was sent to it before.
    pub had_term: bool,
    /// Which signal: 0 TERM, 1 KILL.
    pub choice: usize,
}

/// A signal that the operator confirmed.
#[derive(Debug)]
pub struct ConfirmedKill {
    id: u64,
    signal: Signal,
}

impl Kill {
    /// The signals, in the order of the dialog.
    pub const SIGNALS: [Signal; 2] = [Signal::SIGTERM, Signal::SIGKILL];

    /// The operator said yes to what the dialog shows.
    pub fn confirm(self) -> ConfirmedKill {
        ConfirmedKill { id: self.id, signal: Self::SIGNALS[self.choice.min(1)] }
    }
}

impl ConfirmedKill {
    /// What is submitted.
    pub fn command(&self) -> Command {
        Command::Kill { id: self.id, signal: self.signal as i32 }
    }
    /// Whether it is the gentler one.
    pub fn is_term(&self) -> bool {
        self.signal == Signal::SIGTERM
    }
}

/// The same request once more.
#[derive(Clone, Debug)]
pub struct Repeat {
    /// The request that is repeated.
    pub record: Arc<Record>,
    /// What is submitted.
    pub command: Command,
    /// How far it is scrolled.
    pub scroll: usize,
}

impl Repeat {
    /// Of the request of this record; the error says why it cannot be submitted again.
    pub fn of(record: Arc<Record>) -> Result<Self, String> {
        Ok(Self { command: repeat(&record)?, record, scroll: 0 })
    }
}

/// A record is to be copied.
#[derive(Clone, Debug)]
pub struct CopyRecord {
    /// The record.
    pub record: Arc<Record>,
    /// As what: a row of [`Self::FORMS`].
    pub choice: usize,
}

impl CopyRecord {
    /// What can be copied of it.
    pub const FORMS: [&str; 2] = ["the record, as JSON", "its command line, quoted for a shell"];
}

/// How far saving has come.
#[derive(Clone, Debug)]
pub enum Saving {
    /// The path is typed.
    Typing,
    /// It is being written.
    Writing(Ticket),
    /// The file is there: may it be replaced?
    Asking(Existing),
}

/// The dialog that saves.
#[derive(Clone, Debug)]
pub struct SaveForm {
    /// The field under the cursor: 0 path, 1 what.
    pub focus: usize,
    /// The file.
    pub path: Field,
    /// All that match, else the one under the cursor.
    pub all: bool,
    /// The record under the cursor when it was opened.
    pub record: Option<Arc<Record>>,
    /// How far it has come.
    pub stage: Saving,
    /// What was wrong.
    pub error: Option<String>,
}

impl SaveForm {
    /// How many fields.
    pub const FIELDS: usize = 2;

    /// The operator said yes to what the dialog shows.
    pub fn confirm(&self) -> Option<Overwrite> {
        match &self.stage {
            Saving::Asking(existing) => Some(existing.clone().confirmed()),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    #[test]
    fn a_yes_is_to_one_file_as_it_was() {
        let dir = tempfile::tempdir().unwrap();
        let path = dir.path().join("x");
        std::fs::write(&path, "1").unwrap();
        let asked = Existing::new(&std::fs::metadata(&path).unwrap());
        let form = SaveForm {
            focus: 0,
            path: Field::default(),
            all: true,
            record: None,
            stage: Saving::Asking(asked.clone()),
            error: None,
        };
        let yes = form.confirm().unwrap();
        assert!(yes.allows(&asked));
        std::fs::write(&path, "12").unwrap();
        assert!(!yes.allows(&Existing::new(&std::fs::metadata(&path).unwrap())));
        assert!(SaveForm { stage: Saving::Typing, ..form }.confirm().is_none());
    }
}
