//! The looks: 16 ANSI colours, or none. Meaning is always in words and symbols too.

use ratatui::style::{Color, Modifier, Style};

use crate::control::words::Mood;

/// The styles of the screen, by what they are for.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Ordinary text.
    pub text: Style,
    /// What matters less.
    pub dim: Style,
    /// The line that names the target.
    pub target: Style,
    /// Headings and the titles of dialogs.
    pub title: Style,
    /// The row, field or choice under the cursor.
    pub selected: Style,
    /// Keys in the footer and the help.
    pub key: Style,
    /// As it should be.
    pub good: Style,
    /// Failed, or cannot be undone.
    pub bad: Style,
    /// Should be looked at.
    pub warn: Style,
    /// Differs from what is live.
    pub draft: Style,
}

impl Theme {
    /// The 16 colours that every terminal has, in the terminal's own palette.
    pub const fn ansi() -> Self {
        let plain = Style::new();
        Self {
            text: plain,
            dim: plain.fg(Color::DarkGray),
            target: plain.fg(Color::Cyan).add_modifier(Modifier::BOLD),
            title: plain.add_modifier(Modifier::BOLD),
            selected: plain.add_modifier(Modifier::REVERSED),
            key: plain.fg(Color::Cyan),
            good: plain.fg(Color::Green),
            bad: plain.fg(Color::Red).add_modifier(Modifier::BOLD),
            warn: plain.fg(Color::Yellow),
            draft: plain.fg(Color::Magenta).add_modifier(Modifier::BOLD),
        }
    }

    /// No colour at all (`NO_COLOR`).
    pub const fn plain() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            text: plain,
            dim: plain,
            target: bold,
            title: bold,
            selected: plain.add_modifier(Modifier::REVERSED),
            key: bold,
            good: plain,
            bad: bold,
            warn: bold,
            draft: bold,
        }
    }

    /// The style of an ending.
    pub const fn mood(&self, mood: Mood) -> Style {
        match mood {
            Mood::Good => self.good,
            Mood::Bad => self.bad,
            Mood::Warned => self.warn,
            Mood::Quiet => self.text,
        }
    }
}
