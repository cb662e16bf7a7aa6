//! Completion of module names: the search that runs, and what was found.

use crate::control::modules::{Candidate, Found, same_name};
use crate::tui::field::Field;

/// The state of completion.
#[derive(Clone, Debug, Default)]
pub struct Modules {
    /// A search runs: the next one waits for its answer.
    pub asked: bool,
    /// The answer to the last search.
    pub found: Option<Found>,
    /// The chosen candidate, counted from 0.
    pub choice: usize,
    /// What the command line wants to complete: its text, and the beginning of a name in it.
    pub line: Option<(Vec<u8>, String)>,
    /// The names of the profiles, for the command line.
    pub profiles: Profiles,
}

/// The names of the profiles: they are read when the command line first needs one.
#[derive(Clone, Debug, Default)]
pub struct Profiles {
    /// They are being read.
    pub asked: bool,
    /// The names that were read.
    pub names: Option<Vec<String>>,
    /// The command line, if it wants to complete one of them.
    pub line: Option<Vec<u8>>,
}

/// Names that begin with what is typed in a field.
pub struct Offered<'a> {
    /// The names, the chosen one among them.
    pub names: Vec<&'a Candidate>,
    /// The index of the chosen one.
    pub choice: usize,
    /// What was found; it may belong to a text of a moment ago.
    pub found: &'a Found,
}

impl Modules {
    /// What is offered for a field; `None` if nothing was typed into it, or before the first answer.
    pub fn offered(&self, field: &Field) -> Option<Offered<'_>> {
        let typed = Some(field.bytes()).filter(|typed| !typed.is_empty() && !field.is_selected())?;
        let found = self.found.as_ref()?;
        let begins = |name: &[u8]| name.get(..typed.len()).is_some_and(|begin| same_name(begin, typed));
        let names: Vec<_> = found.candidates.iter().filter(|candidate| begins(&candidate.name)).collect();
        let choice = self.choice.min(names.len().saturating_sub(1));
        Some(Offered { names, choice, found })
    }

    /// The name that `tab` takes: the chosen one, unless it is what the field contains.
    pub fn completes(&self, field: &Field) -> Option<&[u8]> {
        let offered = self.offered(field)?;
        let name = &offered.names.get(offered.choice)?.name;
        (!same_name(name, field.bytes())).then_some(name)
    }

    /// The answer to a search for this name, once it has come.
    pub fn of(&self, name: &[u8]) -> Option<&Found> {
        self.found.as_ref().filter(|found| found.typed == name)
    }
}
