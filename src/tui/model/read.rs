//! What of a dialog has been on the screen.

use std::ops::Range;

/// What of a dialog's lines has been on the screen.
#[derive(Clone, Debug, Default)]
pub struct Read {
    lines: Vec<String>,
    seen: Vec<bool>,
}

impl Read {
    /// These of the lines are on the screen. Lines that differ from those before, or are broken
    /// at other places, have not been read yet.
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
