//! What is known about records that are older than the target's run.

use super::activity::Activity;

/// The older records behind the rows of the run.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Older {
    /// The index of the first older row.
    pub first: usize,
    /// How many are held.
    pub held: usize,
    /// More are being read.
    pub reads: bool,
    /// No more are held, although there are older ones.
    pub full: bool,
    /// Why none are read.
    pub why: Option<String>,
}

impl Activity {
    /// Whether the record under the cursor is older than the target's run.
    pub fn is_older(&self) -> bool {
        self.answer.older.held > 0 && self.at.is_some_and(|(index, _)| index >= self.answer.older.first)
    }

    /// What the head of the list says about older records.
    pub fn older_words(&self) -> Option<String> {
        let older = &self.answer.older;
        let words = match (older.reads, older.full, older.held) {
            (true, ..) => "reading older ones".to_owned(),
            (_, true, held) => {
                format!("{held} from the ledger; older ones are not held: choose a time or other filters")
            }
            (_, _, 0) if !self.times.is_all() => format!("none older: {}", older.why.as_ref()?),
            (_, _, 0) => return None,
            _ if self.is_older() => "from the ledger, older than this session".to_owned(),
            (_, _, held) => format!("{held} from the ledger"),
        };
        Some(words)
    }
}
