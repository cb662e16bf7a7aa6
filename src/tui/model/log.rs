//! The log: a bounded ring of lines made from the engine's events. Consecutive lines with the same text about different
//! requests are folded into one with a count.

use std::collections::VecDeque;

use crate::abi::escape::screen;
use crate::abi::event::Level;
use crate::control::text::event;
use crate::tui::text;

use crate::tui::field::Field;

/// Lines kept.
pub const LINES: usize = 1_000;
/// Bytes of text kept.
const BYTES: usize = 512 * 1024;
/// Cells of one line.
const CELLS: usize = 1_000;

/// One line.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Line {
    /// The level.
    pub level: Level,
    /// The time, `12:03:44.017`; of a folded line, the time of the last event.
    pub time: String,
    /// The lowest and highest number of the requests that it is about.
    pub ids: Option<(u64, u64)>,
    /// The text, escaped; lines with the same text may be folded.
    pub text: String,
    /// How many events were folded.
    pub times: u64,
}

impl Line {
    /// A line about one request, or about none.
    pub fn new(level: Level, time: String, id: Option<u64>, text: &str) -> Self {
        Self { level, time, ids: id.map(|id| (id, id)), text: text::fit(text, CELLS), times: 1 }
    }

    /// `#3 to #50 dummy: refused by the limit (×48)`.
    pub fn words(&self) -> String {
        let ids = match self.ids {
            Some((first, last)) if first == last => format!("#{first} "),
            Some((first, last)) => format!("#{first} to #{last} "),
            None => String::new(),
        };
        let times = if self.times > 1 { format!(" (×{})", self.times) } else { String::new() };
        format!("{ids}{}{times}", self.text)
    }
}

/// The line that stands for this many missed lines.
pub fn missed_line(missed: u64, now: String) -> Line {
    Line::new(Level::Warning, now, None, &event::missed(missed))
}

/// The line that says how many lines the ring dropped before they were fetched, if any.
pub fn missing(lines: &Ring) -> Option<Line> {
    let (_, first) = lines.lines().next()?;
    (lines.dropped() > 0).then(|| missed_line(lines.dropped(), first.time.clone()))
}

/// `info`, `warning`, `error`.
pub const fn level_name(level: Level) -> &'static str {
    match level {
        Level::Info => "info",
        Level::Warning => "warning",
        Level::Error => "error",
    }
}

/// The newest lines, oldest first. Each has a number that never changes.
#[derive(Clone, Debug, Default)]
pub struct Ring {
    lines: VecDeque<Line>,
    /// The number of the first line.
    first: u64,
    bytes: usize,
}

impl Ring {
    /// Adds a line; folds it into the last one if their texts are equal.
    pub fn push(&mut self, line: Line) {
        if let Some(last) = self.lines.back_mut()
            && last.level == line.level
            && last.text == line.text
            && last.ids.is_some() == line.ids.is_some()
        {
            last.times += line.times;
            last.time = line.time;
            last.ids = last.ids.zip(line.ids).map(|(a, b)| (a.0.min(b.0), a.1.max(b.1)));
            return;
        }
        self.bytes += line.text.len();
        self.lines.push_back(line);
        while self.lines.len() > LINES || self.bytes > BYTES {
            let gone = self.lines.pop_front();
            self.bytes -= gone.map_or(0, |line| line.text.len());
            self.first += 1;
        }
    }

    /// The lines with their numbers, oldest first.
    pub fn lines(&self) -> impl Iterator<Item = (u64, &Line)> {
        (self.first..).zip(&self.lines)
    }

    /// Takes all lines, for another ring.
    pub fn into_lines(self) -> Vec<Line> {
        self.lines.into()
    }

    /// The line with this number, if the ring still has it.
    pub fn line(&self, number: u64) -> Option<&Line> {
        self.lines.get(usize::try_from(number.checked_sub(self.first)?).ok()?)
    }

    /// How many lines were dropped.
    pub const fn dropped(&self) -> u64 {
        self.first
    }

    /// The number of lines.
    pub fn len(&self) -> usize {
        self.lines.len()
    }

    /// Whether nothing has been logged.
    pub fn is_empty(&self) -> bool {
        self.lines.is_empty()
    }
}

/// The state of the screen.
#[derive(Clone, Debug)]
pub struct Log {
    /// The lines.
    pub ring: Ring,
    /// Lines below this level are hidden.
    pub level: Level,
    /// Words that lines must contain.
    pub words: Field,
    /// The filter has the focus.
    pub typing: bool,
    /// The cursor stays on the newest line.
    pub follow: bool,
    /// The numbers of the lines that are shown.
    pub shown: Vec<u64>,
    /// The number of the line under the cursor.
    pub at: u64,
    /// The line at the top of the screen: an index into `shown`.
    pub top: usize,
}

impl Default for Log {
    fn default() -> Self {
        Self {
            ring: Ring::default(),
            level: Level::Info,
            words: Field::default(),
            typing: false,
            follow: true,
            shown: Vec::new(),
            at: 0,
            top: 0,
        }
    }
}

impl Log {
    /// The newest lines, the newest first, whatever the filter.
    pub fn newest(&self, lines: usize) -> impl Iterator<Item = &Line> {
        self.ring.lines.iter().rev().take(lines)
    }

    /// Adds lines.
    pub fn take(&mut self, lines: Vec<Line>) {
        lines.into_iter().for_each(|line| self.ring.push(line));
        self.look();
    }

    /// Whether a filter hides lines.
    pub fn filters(&self) -> bool {
        self.level != Level::Info || !self.words.is_empty()
    }

    /// Applies the filter again.
    pub fn look(&mut self) {
        let words = screen(self.words.bytes()).to_lowercase();
        let words: Vec<&str> = words.split_whitespace().collect();
        let fits = |line: &Line| {
            line.level >= self.level && {
                let all = if words.is_empty() { String::new() } else { line.words().to_lowercase() };
                words.iter().all(|word| all.contains(word))
            }
        };
        self.shown = self.ring.lines().filter(|(_, line)| fits(line)).map(|(number, _)| number).collect();
        if self.follow {
            self.at = self.shown.last().copied().unwrap_or_default();
        }
    }

    /// The cursor's index in the lines shown: its line, or the next one that is shown.
    pub fn index(&self) -> Option<usize> {
        let last = self.shown.len().checked_sub(1)?;
        Some(self.shown.partition_point(|number| *number < self.at).min(last))
    }

    /// The line under the cursor.
    pub fn line(&self) -> Option<&Line> {
        self.ring.line(*self.shown.get(self.index()?)?)
    }

    /// Moves the cursor by `rows` lines; it follows the newest line only if `follow` is on.
    pub fn move_by(&mut self, by: isize) {
        self.follow = false;
        let Some(index) = self.index() else { return };
        let to = index.saturating_add_signed(by).min(self.shown.len() - 1);
        self.at = self.shown[to];
    }

    /// Makes the cursor stay on the newest line from now on.
    pub fn follow(&mut self) {
        self.follow = true;
        self.look();
    }

    /// Selects the next level; after the last, the first.
    pub fn next_level(&mut self) {
        self.level = match self.level {
            Level::Info => Level::Warning,
            Level::Warning => Level::Error,
            Level::Error => Level::Info,
        };
        self.look();
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn line(level: Level, id: Option<u64>, text: &str) -> Line {
        Line::new(level, "12:00:00.000".into(), id, text)
    }

    #[test]
    fn lines_that_say_the_same_are_folded() {
        let mut ring = Ring::default();
        for id in 3..=50 {
            ring.push(line(Level::Warning, Some(id), "dummy: refused by the limit"));
        }
        ring.push(line(Level::Warning, None, "runaway loop"));
        ring.push(line(Level::Info, None, "runaway loop"));
        let words: Vec<String> = ring.lines().map(|(_, line)| line.words()).collect();
        assert_eq!(words, ["#3 to #50 dummy: refused by the limit (×48)", "runaway loop", "runaway loop"]);
    }

    #[test]
    fn the_ring_is_bounded_in_lines_and_bytes() {
        let mut ring = Ring::default();
        for n in 0..1_500 {
            ring.push(line(Level::Info, None, &format!("line {n}")));
        }
        assert_eq!((ring.len(), ring.dropped()), (LINES, 500));
        assert_eq!(ring.lines().next().map(|(number, line)| (number, line.text.as_str())), Some((500, "line 500")));
        assert!(ring.line(499).is_none());
        for n in 0..2_000 {
            ring.push(line(Level::Info, None, &format!("{n}{}", "漢".repeat(5_000))));
        }
        assert!(ring.bytes <= BYTES && ring.len() > 100, "{} {}", ring.bytes, ring.len());
    }

    #[test]
    fn the_cursor_keeps_its_line_and_follows_when_told() {
        let mut log = Log::default();
        log.take(
            (0..10).map(|n| line(if n % 2 == 0 { Level::Info } else { Level::Error }, None, &n.to_string())).collect(),
        );
        assert_eq!(log.line().unwrap().text, "9");
        log.move_by(-3);
        assert_eq!(log.line().unwrap().text, "6");
        log.take(vec![line(Level::Warning, None, "10")]);
        assert_eq!(log.line().unwrap().text, "6");
        log.next_level();
        log.next_level();
        assert_eq!((log.shown.len(), log.line().unwrap().text.as_str()), (5, "7"));
        log.follow();
        assert_eq!(log.line().unwrap().text, "9");
        log.words = Field::new(b"nowhere");
        log.look();
        assert!(log.line().is_none() && log.index().is_none());
        log.move_by(1);
    }
}
