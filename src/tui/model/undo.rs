//! The changes of knobs that this console has made, so that it can take them back.

use crate::control::Change;

/// How many changes are kept.
const KEPT: usize = 16;

/// The changes, one entry for each command, the newest last.
#[derive(Clone, Debug, Default)]
pub struct Changes(Vec<Vec<Change>>);

impl Changes {
    /// Keeps what a command has written, except what it left as it was.
    pub fn keep(&mut self, written: &[Change]) {
        let changed: Vec<Change> = written.iter().filter(|change| change.before != change.after).cloned().collect();
        if !changed.is_empty() {
            self.0.push(changed);
        }
        let surplus = self.0.len().saturating_sub(KEPT);
        self.0.drain(..surplus);
    }

    /// What the last command changed.
    pub fn last(&self) -> Option<&[Change]> {
        self.0.last().map(Vec::as_slice)
    }

    /// The last command was taken back.
    pub fn taken_back(&mut self) {
        self.0.pop();
    }

    /// Another run of the engine has other values: nothing of this can be taken back.
    pub fn forget(&mut self) {
        self.0.clear();
    }
}
