//! The command line of the console: what is typed, what was typed before, what it could become.

use std::collections::BTreeSet;

use crate::abi::cap::CapMask;
use crate::tui::line_history;
use crate::tui::msg::Ticket;
use crate::verbs::complete::{candidates, common};

use crate::tui::field::Field;

/// The line that is typed, and those before it.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// What is typed.
    pub typed: Field,
    /// Lines of this start and of those before, oldest first.
    pub history: Vec<Vec<u8>>,
    /// Which of them is shown: counted from the newest, 1; 0 is the line that is typed.
    back: usize,
    /// What was typed before going back.
    kept: Vec<u8>,
    /// What the last word could become.
    pub candidates: Vec<String>,
    /// What was wrong; a line each.
    pub error: Option<String>,
    /// What the line has asked for and no answer has come to: it stays until then.
    pub asked: BTreeSet<Ticket>,
}

impl Line {
    /// An empty line.
    pub fn open(&mut self) {
        self.typed = Field::default();
        (self.back, self.error) = (0, None);
        self.kept.clear();
        self.candidates.clear();
        self.asked.clear();
    }

    /// It is left: what was typed is the newest of the lines that come back.
    pub fn leave(&mut self) {
        if !self.typed.is_empty() {
            line_history::push(&mut self.history, self.typed.bytes());
        }
        self.asked.clear();
    }

    /// Whether `ticket` was asked for by this line, which waits for it no more.
    pub fn answered(&mut self, ticket: Ticket) -> bool {
        self.asked.remove(&ticket)
    }

    /// Something that the line has asked for was refused.
    pub fn refused(&mut self, why: &str) {
        self.error = Some(self.error.take().map_or_else(|| why.to_owned(), |before| format!("{before}\n{why}")));
    }

    /// The line before this one, or after it.
    pub fn recall(&mut self, older: bool) {
        let to = if older { (self.back + 1).min(self.history.len()) } else { self.back.saturating_sub(1) };
        if to == self.back {
            return;
        }
        if self.back == 0 {
            self.kept = self.typed.bytes().to_vec();
        }
        self.back = to;
        let line = if to == 0 { &self.kept } else { &self.history[self.history.len() - to] };
        self.typed = Field::new(line);
        self.changed();
    }

    /// What was wrong, what it could become and what it has asked for was of another line.
    pub fn changed(&mut self) {
        self.error = None;
        self.asked.clear();
        self.candidates.clear();
    }

    /// Takes the last word as far as it is clear; else shows what it could become.
    pub fn complete(&mut self, known: CapMask, ids: &BTreeSet<u64>) {
        let Ok(line) = std::str::from_utf8(self.typed.bytes()) else { return };
        let word = line.rsplit(' ').next().unwrap_or_default();
        let ids: Vec<u64> = ids.iter().copied().collect();
        let all = candidates(line, known, &ids);
        let mut longer = common(&all).to_owned();
        if let [only] = &all[..]
            && !only.ends_with('=')
        {
            longer.push(' ');
        }
        if longer.len() > word.len() {
            let before = &line[..line.len() - word.len()];
            self.typed = Field::new(format!("{before}{longer}").as_bytes());
        }
        self.error = None;
        self.candidates = if all.len() > 1 { all } else { Vec::new() };
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn older_lines_come_back_and_the_typed_one_is_kept() {
        let history = vec![b"one".to_vec(), b"two".to_vec()];
        let mut line = Line { history, typed: Field::new(b"thr"), ..Line::default() };
        let mut go = |older| {
            line.recall(older);
            String::from_utf8(line.typed.bytes().to_vec()).unwrap()
        };
        assert_eq!(
            [go(true), go(true), go(true), go(false), go(false), go(false)],
            ["two", "one", "one", "two", "thr", "thr"]
        );
    }

    #[test]
    fn a_word_is_completed_as_far_as_it_is_clear() {
        let mut line = Line { typed: Field::new(b"set kernel.m"), ..Line::default() };
        line.complete(CapMask::up_to(40), &BTreeSet::new());
        assert_eq!(line.typed.bytes(), b"set kernel.modprobe=");
        line.typed = Field::new(b"req");
        line.complete(CapMask::up_to(40), &BTreeSet::new());
        assert_eq!((line.typed.bytes(), line.candidates.len()), (&b"request "[..], 0));
        line.typed = Field::new(b"gate ");
        line.complete(CapMask::up_to(40), &BTreeSet::new());
        assert_eq!(line.candidates, ["freeze", "disable", "enable"]);
    }
}
