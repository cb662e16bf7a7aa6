//! Summarizes the answers to requests that were submitted together: a single one in full, several by number.

use crate::abi::error::ControlError;
use crate::abi::sorted::SortedMap;

use super::command::Reply;
use super::text::error::explain;
use super::text::outcome::{Severity, answered, ended_in_words, kind_of_ending};

/// The answers so far.
#[derive(Clone, Debug)]
pub struct Tally {
    /// The names of the requests, escaped.
    title: String,
    /// The number of requests submitted.
    asked: u32,
    /// The number of requests answered.
    answered: u32,
    /// The number of answers by outcome.
    endings: SortedMap<String, u32>,
    /// The worst severity so far.
    worst: Severity,
}

impl Tally {
    /// A tally of `asked` requests, none of them answered yet. The title is escaped.
    pub const fn new(title: String, asked: u32) -> Self {
        Self { title, asked, answered: 0, endings: SortedMap::new(), worst: Severity::Good }
    }

    /// The text to show when the requests are submitted.
    pub fn submitted(&self) -> String {
        let times = if self.asked > 1 { format!(": {} requests", self.asked) } else { String::new() };
        format!("asked for {}{times}", self.title)
    }

    /// Adds one answer. Returns the worst severity so far, and the summary.
    pub fn take(&mut self, reply: &Result<Reply, ControlError>) -> (Severity, String) {
        let (severity, ending) = match reply {
            Ok(Reply::Answered(record)) => (ended_in_words(record).mood, kind_of_ending(record)),
            Ok(_) => (Severity::Quiet, "done".to_owned()),
            Err(error) => (Severity::Bad, error.to_string()),
        };
        self.answered += 1;
        self.worst = self.worst.max(severity);
        *self.endings.or_insert(ending.clone(), || 0) += 1;
        let text = match reply {
            _ if self.asked > 1 => self.text(),
            Ok(Reply::Answered(record)) => answered(record),
            Ok(_) => ending,
            Err(error) => explain(error),
        };
        (self.worst, text)
    }

    fn text(&self) -> String {
        let endings: Vec<String> = self.endings.iter().map(|(ending, n)| format!("{n} {ending}")).collect();
        format!("{}: {} of {} answered: {}", self.title, self.answered, self.asked, endings.join(", "))
    }

    /// Whether every request was answered.
    pub const fn is_complete(&self) -> bool {
        self.answered == self.asked
    }
}

#[cfg(test)]
mod tests {
    use std::sync::Arc;

    use super::*;
    use crate::abi::error::Stage;
    use crate::abi::record::State;
    use crate::control::testing::{open, record, refused};
    use nix::errno::Errno;

    #[test]
    fn outcomes_are_counted_and_the_worst_severity_is_kept() {
        let mut tally = Tally::new("a b".into(), 4);
        assert_eq!(tally.submitted(), "asked for a b: 4 requests");
        let mut take = |record| tally.take(&Ok(Reply::Answered(Arc::new(record))));
        let running = |id, pid| open(id, b"a", State::Running, Some(pid));
        assert_eq!(take(running(1, 70)), (Severity::Quiet, "a b: 1 of 4 answered: 1 ▸ runs, not waited for".into()));
        assert_eq!(take(record(2, b"b", 256)).0, Severity::Bad);
        assert_eq!(take(record(3, b"b", 0)).0, Severity::Bad, "the worst stays");
        let text = "a b: 4 of 4 answered: 2 ▸ runs, not waited for, 1 ✓ exit 0, 1 ✗ exit 1 (raw 256)";
        assert_eq!(take(running(4, 71)).1, text, "outcomes that differ only by pid are counted together");
        assert!(tally.is_complete());
    }

    #[test]
    fn a_single_answer_is_shown_in_full() {
        let mut tally = Tally::new("x".into(), 1);
        assert_eq!(tally.submitted(), "asked for x");
        let refused = refused(7, b"x", Stage::Gate, Errno::EBUSY, "the gate is shut (EBUSY); wait");
        let (severity, text) = tally.take(&Ok(Reply::Answered(Arc::new(refused))));
        assert_eq!(severity, Severity::Warned);
        assert_eq!(text, "#7 x: ‖ refused by the gate (EBUSY) · 12 ms — the gate is shut (EBUSY); wait");
    }
}
