//! What the screen Activity is asked to show: words, globs, outcomes, a span of time.

use crate::abi::escape::screen;
use crate::control::activity::outcomes::Outcomes;
use crate::control::activity::query::Query;
use crate::policy::authorize::Globs;

use super::activity::Activity;
use super::times::Times;
use crate::tui::field::Field;

/// A word that begins so selects by the requester's unit.
const UNIT: &str = "unit:";

/// One of the filters.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum One {
    /// The words.
    Words,
    /// The globs.
    Globs,
    /// The outcomes.
    Outcomes,
    /// The span of time.
    Times,
}

impl One {
    /// All of them, as the filter line shows them.
    const ALL: [Self; 4] = [Self::Words, Self::Globs, Self::Outcomes, Self::Times];
}

impl Activity {
    /// The query from the filters and the order; invalid globs are left out.
    pub fn query(&self) -> Query {
        let typed = screen(self.words.bytes()).to_lowercase();
        let (units, words): (Vec<&str>, Vec<&str>) = typed.split_whitespace().partition(|word| word.starts_with(UNIT));
        let unit = units.last().map(|word| word[UNIT.len()..].to_owned()).filter(|unit| !unit.is_empty());
        let words: Vec<String> = words.into_iter().map(str::to_owned).collect();
        Query {
            scattered: !words.is_empty() && self.scattered.as_ref() == Some(&words),
            words,
            globs: Globs::parse(self.globs.bytes()).unwrap_or_default(),
            which: self.which,
            since: self.times.span.since,
            until: self.times.span.until,
            unit,
            sort: self.sort,
            reverse: self.reverse,
        }
    }

    /// The error in the globs.
    pub fn wrong(&self) -> Option<String> {
        Globs::parse(self.globs.bytes()).err().map(|e| e.to_string())
    }

    /// Whether this filter hides rows.
    pub fn has(&self, one: One) -> bool {
        match one {
            One::Words => !self.words.is_empty(),
            One::Globs => !self.globs.is_empty(),
            One::Outcomes => !self.which.is_all(),
            One::Times => !self.times.is_all(),
        }
    }

    /// Whether a filter hides rows.
    pub fn filters(&self) -> bool {
        One::ALL.into_iter().any(|one| self.has(one))
    }

    /// Takes a filter away.
    fn take_away(&mut self, one: One) {
        match one {
            One::Words => self.words = Field::default(),
            One::Globs => self.globs = Field::default(),
            One::Outcomes => self.which = Outcomes::ALL,
            One::Times => self.times = Times::default(),
        }
    }

    /// Takes the last filter of the filter line away. Returns its name.
    pub fn unfilter(&mut self) -> Option<&'static str> {
        let last = One::ALL.into_iter().rev().find(|one| self.has(*one))?;
        self.take_away(last);
        self.changed();
        Some(match last {
            One::Words => "the words",
            One::Globs => "the globs",
            One::Outcomes => "the outcomes",
            One::Times => "the time",
        })
    }

    /// Takes all filters away.
    pub fn unfilter_all(&mut self) {
        One::ALL.into_iter().for_each(|one| self.take_away(one));
    }

    /// Shows these outcomes.
    pub fn show_outcomes(&mut self, which: Outcomes) {
        if which != self.which {
            self.which = which;
            self.changed();
        }
    }

    /// Shows this span of time.
    pub fn show_times(&mut self, times: Times) {
        if times != self.times {
            self.times = times;
            self.changed();
        }
    }
}
