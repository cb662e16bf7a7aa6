//! One act on many requests: how many were done, and why others were not.

use crate::control::text::outcome::Severity;

/// The answers so far.
#[derive(Clone, Debug)]
pub struct Bulk {
    what: String,
    kills: bool,
    total: usize,
    done: usize,
    refused: usize,
    why: Option<String>,
}

impl Bulk {
    /// `what`: `44 helpers`.
    pub fn new(what: String, kills: bool, total: usize) -> Self {
        Self { what, kills, total, done: 0, refused: 0, why: None }
    }

    /// Adds an answer: `Err` with the reason, escaped. Returns what to show.
    pub fn take(&mut self, answer: Result<(), String>) -> (Severity, String) {
        match answer {
            Ok(()) => self.done += 1,
            Err(why) => {
                self.refused += 1;
                self.why.get_or_insert(why);
            }
        }
        let act = if self.kills { "the signal was sent to" } else { "abandoned" };
        let refused = match &self.why {
            Some(why) => format!("; {} not: {why}", self.refused),
            None => String::new(),
        };
        let mood = if self.why.is_some() { Severity::Warned } else { Severity::Good };
        (mood, format!("{}: {act} {} of {}{refused}", self.what, self.done, self.total))
    }

    /// Whether every answer has come.
    pub fn is_complete(&self) -> bool {
        self.done + self.refused == self.total
    }
}
