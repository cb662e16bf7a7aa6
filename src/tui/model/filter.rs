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
/// A word that begins so names the target whose requests are wanted.
const TARGET: &str = "target:";

/// A word that begins so selects by the rule that decided: `rule:10-server.rules:7`.
const RULE: &str = "rule:";

/// The words of a filter. Within quotes a blank belongs to the word: `target:"db 7"`.
fn split(typed: &str) -> Vec<String> {
    let (mut words, mut word, mut quotes) = (Vec::new(), String::new(), false);
    // A quote that is never closed is a character as any other.
    let mut left = typed.matches('"').count();
    for c in typed.chars() {
        match c {
            '"' => {
                left -= 1;
                match quotes || left > 0 {
                    true => quotes = !quotes,
                    false => word.push(c),
                }
            }
            c if c.is_whitespace() && !quotes => {
                words.extend(Some(std::mem::take(&mut word)).filter(|w| !w.is_empty()))
            }
            c => word.push(c),
        }
    }
    words.extend(Some(word).filter(|word| !word.is_empty()));
    words
}

/// A word as it is typed in the filter: in quotes if it has a blank.
pub fn quoted(word: &str) -> String {
    if word.contains(char::is_whitespace) && !word.contains('"') { format!("\"{word}\"") } else { word.to_owned() }
}

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
        let words = split(&typed).into_iter().filter(|word| !word.starts_with(TARGET));
        let (units, words): (Vec<String>, Vec<String>) = words.partition(|word| word.starts_with(UNIT));
        let unit = units.last().map(|word| word[UNIT.len()..].to_owned()).filter(|unit| !unit.is_empty());
        // The text of the rule follows its place: line 7 is not line 70.
        let place = |word: String| match word.strip_prefix(RULE) {
            Some(place) if !place.is_empty() => format!("{place} ("),
            _ => word,
        };
        let words: Vec<String> = words.into_iter().map(place).collect();
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

    /// Takes the name of a target out of the words.
    pub fn take_target(&mut self) -> Option<String> {
        let typed = String::from_utf8_lossy(self.words.bytes()).into_owned();
        let (names, rest): (Vec<String>, Vec<String>) =
            split(&typed).into_iter().partition(|word| word.to_lowercase().starts_with(TARGET));
        let name = names.last()?[TARGET.len()..].to_lowercase();
        let rest: Vec<String> = rest.iter().map(|word| quoted(word)).collect();
        self.words = Field::new(rest.join(" ").as_bytes());
        Some(name)
    }

    /// The filters alone, for the same screen of another target.
    pub fn filters_for_another(&self) -> Self {
        let mut other = Self::default();
        (other.words, other.globs) = (self.words.clone(), self.globs.clone());
        (other.which, other.times) = (self.which, self.times.clone());
        other
    }

    /// Shows what these filters let through.
    pub fn filter_as(&mut self, other: Self) {
        let Self { words, globs, which, times, .. } = other;
        (self.words, self.globs, self.which, self.times, self.typing) = (words, globs, which, times, None);
        self.changed();
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

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_name_of_a_target_is_no_word_of_the_filter() {
        let mut a = Activity::default();
        a.words = Field::new(b"usb Target:Kernel unit:cron");
        let query = a.query();
        assert_eq!((query.words, query.unit.as_deref()), (vec!["usb".to_owned()], Some("cron")));
        assert_eq!(a.take_target().as_deref(), Some("kernel"));
        assert_eq!(a.words.bytes(), b"usb unit:cron");
        assert_eq!(a.take_target(), None);
        // Of two, the last one counts, and neither stays.
        a.words = Field::new(b"target:a target:b");
        assert_eq!((a.take_target().as_deref(), a.words.is_empty()), (Some("b"), true));
    }
}
