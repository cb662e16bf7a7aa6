//! Which lines of a dialog have been on the screen.

use std::ops::Range;

/// Which of a dialog's lines have been on the screen.
#[derive(Clone, Debug, Default)]
pub struct Read {
    lines: Vec<String>,
    seen: Vec<bool>,
}

impl Read {
    /// Marks these lines as shown. Lines that differ from the earlier ones, or break at other places, count as not
    /// shown yet.
    pub fn show(&mut self, lines: Vec<String>, shown: Range<usize>) {
        if self.lines != lines {
            self.seen = vec![false; lines.len()];
            self.lines = lines;
        }
        self.seen.iter_mut().take(shown.end).skip(shown.start).for_each(|seen| *seen = true);
    }

    /// The first of these lines that has not been on the screen.
    pub fn missing(&self, lines: &[String]) -> Option<usize> {
        if self.lines == lines {
            self.seen.iter().position(|seen| !seen)
        } else {
            Some(0).filter(|_| !lines.is_empty())
        }
    }
}
