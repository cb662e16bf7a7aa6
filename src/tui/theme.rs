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
    /// The frames of dialogs.
    pub frame: Style,
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
            frame: plain.add_modifier(Modifier::BOLD),
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
            frame: bold,
            selected: plain.add_modifier(Modifier::REVERSED),
            key: bold,
            good: plain,
            bad: bold,
            warn: bold,
            draft: bold,
        }
    }

    /// Every theme by name.
    pub const NAMES: [&str; 4] = ["ansi", "plain", "high-contrast", "colour-blind"];

    /// One of [`Self::NAMES`].
    pub fn by_name(name: &str) -> Option<Self> {
        Some(match name {
            "ansi" => Self::ansi(),
            "plain" => Self::plain(),
            "high-contrast" => Self::high_contrast(),
            "colour-blind" => Self::colour_blind(),
            _ => return None,
        })
    }

    /// The brightest colours on black, and nothing that is dim.
    pub const fn high_contrast() -> Self {
        let white = Style::new().fg(Color::White).bg(Color::Black);
        let bold = white.add_modifier(Modifier::BOLD);
        Self {
            text: white,
            dim: white,
            target: bold.fg(Color::LightCyan),
            title: bold.add_modifier(Modifier::UNDERLINED),
            frame: bold,
            selected: bold.fg(Color::Black).bg(Color::White),
            key: bold.fg(Color::LightCyan),
            good: bold.fg(Color::LightGreen),
            bad: bold.fg(Color::White).bg(Color::Red),
            warn: bold.fg(Color::Black).bg(Color::LightYellow),
            draft: bold.fg(Color::LightMagenta),
        }
    }

    /// Told apart without red and green: blue is as it should be, yellow is not, and brightness tells them too.
    pub const fn colour_blind() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            text: plain,
            dim: plain.fg(Color::DarkGray),
            target: bold.fg(Color::Cyan),
            title: bold,
            frame: bold,
            selected: plain.add_modifier(Modifier::REVERSED),
            key: plain.fg(Color::Cyan),
            good: plain.fg(Color::Blue),
            bad: bold.fg(Color::LightYellow).add_modifier(Modifier::UNDERLINED),
            warn: plain.fg(Color::Yellow),
            draft: bold.fg(Color::LightBlue).add_modifier(Modifier::UNDERLINED),
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
