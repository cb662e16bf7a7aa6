//! The command line of the console: the typed line, the history and the completions.

use std::collections::BTreeSet;

use crate::abi::cap::CapMask;
use crate::tui::line_history;
use crate::tui::msg::Ticket;
use crate::verbs::complete::{Names, candidates, common};
use crate::verbs::verb::definition;

use crate::tui::field::Field;

/// The typed line and the earlier ones.
#[derive(Clone, Debug, Default)]
pub struct Line {
    /// The typed line.
    pub typed: Field,
    /// The history: lines of this start and of earlier ones, oldest first.
    pub history: Vec<Vec<u8>>,
    /// The history line that is shown, counted from the newest, 1; 0 is the typed line.
    back: usize,
    /// The typed line, saved while a history line is shown.
    kept: Vec<u8>,
    /// Completions of the last word.
    pub candidates: Vec<String>,
    /// Errors, one per line.
    pub error: Option<String>,
    /// The tickets of the line's unanswered commands; the line stays until they are answered.
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

    /// Leaves the line; it becomes the newest line of the history.
    pub fn leave(&mut self) {
        if !self.typed.is_empty() {
            line_history::push(&mut self.history, self.typed.bytes());
        }
        self.asked.clear();
    }

    /// Removes `ticket` from the line's unanswered commands. Returns whether it was there.
    pub fn answered(&mut self, ticket: Ticket) -> bool {
        self.asked.remove(&ticket)
    }

    /// One of the line's commands was refused.
    pub fn refused(&mut self, why: &str) {
        self.error = Some(self.error.take().map_or_else(|| why.to_owned(), |before| format!("{before}\n{why}")));
    }

    /// Shows the previous history line or the next one.
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

    /// Clears errors, completions and tickets, which belong to another line.
    pub fn changed(&mut self) {
        self.error = None;
        self.asked.clear();
        self.candidates.clear();
    }

    /// Completes the last word as far as it is unambiguous; else lists its completions.
    pub fn complete(
        &mut self,
        known: CapMask,
        ids: &BTreeSet<u64>,
        modules: &dyn Fn(&str) -> Vec<String>,
        profiles: &dyn Fn() -> Vec<String>,
    ) {
        let Ok(line) = std::str::from_utf8(self.typed.bytes()) else { return };
        let (before, word) = line.rsplit_once(' ').unwrap_or(("", line));
        let before: Vec<&str> = before.split_whitespace().collect();
        let names = Names { known, ids: &|| ids.iter().copied().collect(), modules, profiles };
        let all: Vec<String> =
            candidates(&definition(), &before, word, &names).into_iter().map(|candidate| candidate.word).collect();
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
        line.complete(CapMask::up_to(40), &BTreeSet::new(), &|_| Vec::new(), &Vec::new);
        assert_eq!(line.typed.bytes(), b"set kernel.modprobe=");
        line.typed = Field::new(b"req");
        line.complete(CapMask::up_to(40), &BTreeSet::new(), &|_| Vec::new(), &Vec::new);
        assert_eq!((line.typed.bytes(), line.candidates.len()), (&b"request "[..], 0));
        line.typed = Field::new(b"gate ");
        line.complete(CapMask::up_to(40), &BTreeSet::new(), &|_| Vec::new(), &Vec::new);
        assert_eq!(line.candidates, ["enabled", "freezing", "disabled"]);
    }
}
