//! The themes: 16 ANSI colours, or none. Words and symbols always carry the meaning too.

use ratatui::style::{Color, Modifier, Style};

use crate::abi::escape::screen;
use crate::control::text::outcome::Severity;

/// The styles of the screen, by purpose.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Theme {
    /// Ordinary text.
    pub text: Style,
    /// Secondary text.
    pub dim: Style,
    /// The sentence of a target that is not this machine's kernel.
    pub target: Style,
    /// The sentence of this machine's kernel.
    pub real: Style,
    /// The chosen target, in brackets.
    pub target_tab: Style,
    /// The same for this machine's kernel.
    pub real_tab: Style,
    /// The chosen screen, in brackets.
    pub tab: Style,
    /// A badge: a state that holds on every screen.
    pub badge: Style,
    /// A badge of trouble.
    pub badge_bad: Style,
    /// Headings and the titles of dialogs.
    pub title: Style,
    /// The title of the panel with the cursor.
    pub focus: Style,
    /// The frames of dialogs.
    pub frame: Style,
    /// The row or choice under the cursor.
    pub selected: Style,
    /// The field with the focus.
    pub field: Style,
    /// Selected text in it, which the first key replaces.
    pub prefilled: Style,
    /// Keys in the footer and the help.
    pub key: Style,
    /// Normal or successful.
    pub good: Style,
    /// Failed, or cannot be undone.
    pub bad: Style,
    /// Needs attention.
    pub warn: Style,
    /// Differs from the live value.
    pub draft: Style,
    /// The graph, far from the limit.
    pub graph: Style,
    /// The graph, at the limit; refusals.
    pub graph_bad: Style,
}

impl Theme {
    /// The default theme: the 16 colours that every terminal has, in the terminal's own palette. Secondary text is
    /// faint: colour 8 is the background in some palettes.
    pub const fn ansi() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        Self {
            text: plain,
            dim: plain.add_modifier(Modifier::DIM),
            target: bold.fg(Color::Cyan),
            title: bold,
            frame: plain.fg(Color::Cyan),
            selected: plain.add_modifier(Modifier::REVERSED),
            field: plain.add_modifier(Modifier::UNDERLINED),
            prefilled: plain.add_modifier(Modifier::REVERSED),
            key: plain.fg(Color::Cyan),
            good: plain.fg(Color::Green),
            bad: bold.fg(Color::Red),
            warn: plain.fg(Color::Yellow),
            draft: bold.fg(Color::Magenta),
            real: bold.fg(Color::Yellow),
            target_tab: plain.add_modifier(Modifier::REVERSED).fg(Color::Cyan),
            real_tab: plain.add_modifier(Modifier::REVERSED).fg(Color::Yellow),
            tab: bold.add_modifier(Modifier::UNDERLINED),
            badge: plain.add_modifier(Modifier::REVERSED),
            badge_bad: bold.add_modifier(Modifier::REVERSED).fg(Color::Red),
            focus: bold.fg(Color::Cyan),
            graph: plain.fg(Color::Cyan),
            graph_bad: plain.fg(Color::Red),
        }
    }

    /// No colour (`NO_COLOR`, or a terminal without colours): only bold, underlined and reversed.
    pub const fn plain() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let trouble = bold.add_modifier(Modifier::UNDERLINED);
        Self {
            text: plain,
            dim: plain,
            target: bold,
            title: bold,
            frame: bold,
            selected: plain.add_modifier(Modifier::REVERSED),
            field: plain.add_modifier(Modifier::UNDERLINED),
            prefilled: plain.add_modifier(Modifier::REVERSED),
            key: bold,
            good: plain,
            bad: trouble,
            warn: bold,
            draft: trouble,
            real: bold,
            target_tab: plain.add_modifier(Modifier::REVERSED),
            real_tab: bold.add_modifier(Modifier::REVERSED),
            tab: trouble,
            badge: plain.add_modifier(Modifier::REVERSED),
            badge_bad: bold.add_modifier(Modifier::REVERSED),
            focus: bold.add_modifier(Modifier::REVERSED),
            graph: plain,
            graph_bad: bold,
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

    /// The same; the error names the themes.
    pub fn named(name: &str) -> Result<Self, String> {
        let known =
            || format!("unknown theme `{}`; the themes are: {}", screen(name.as_bytes()), Self::NAMES.join(", "));
        Self::by_name(name).ok_or_else(known)
    }

    /// The brightest colours on black; nothing is faint.
    pub const fn high_contrast() -> Self {
        let white = Style::new().fg(Color::White).bg(Color::Black);
        let bold = white.add_modifier(Modifier::BOLD);
        let chosen = Style::new().fg(Color::Black).bg(Color::White);
        Self {
            text: white,
            dim: white,
            target: bold.fg(Color::LightCyan),
            title: bold.add_modifier(Modifier::UNDERLINED),
            frame: bold.fg(Color::LightCyan),
            selected: chosen.add_modifier(Modifier::BOLD),
            field: white.add_modifier(Modifier::UNDERLINED),
            prefilled: chosen,
            key: bold.fg(Color::LightCyan),
            good: bold.fg(Color::LightGreen),
            bad: bold.bg(Color::Red),
            warn: bold.fg(Color::LightYellow),
            draft: bold.fg(Color::LightMagenta),
            real: bold.fg(Color::LightYellow),
            target_tab: Style::new().fg(Color::Black).bg(Color::LightCyan),
            real_tab: Style::new().fg(Color::Black).bg(Color::LightYellow),
            tab: bold.add_modifier(Modifier::UNDERLINED),
            badge: chosen,
            badge_bad: bold.bg(Color::Red),
            focus: bold.add_modifier(Modifier::UNDERLINED).fg(Color::LightCyan),
            graph: white.fg(Color::LightCyan),
            graph_bad: bold.fg(Color::LightRed),
        }
    }

    /// No red and no green: blue is good, yellow needs attention, and bad text is underlined too.
    pub const fn colour_blind() -> Self {
        let plain = Style::new();
        let bold = plain.add_modifier(Modifier::BOLD);
        let underlined = bold.add_modifier(Modifier::UNDERLINED);
        Self {
            good: plain.fg(Color::LightBlue),
            bad: underlined.fg(Color::LightYellow),
            draft: underlined.fg(Color::White),
            badge_bad: bold.fg(Color::Black).bg(Color::LightYellow),
            graph: plain.fg(Color::LightBlue),
            graph_bad: plain.fg(Color::LightYellow),
            ..Self::ansi()
        }
    }

    /// The style of text in the selected row: it has no colours of its own, but bold stays (what is bad, what differs).
    #[must_use]
    pub fn chosen(&self, style: Style) -> Style {
        let bold = style.add_modifier & Modifier::BOLD;
        self.selected.add_modifier(bold)
    }

    /// The style of an outcome.
    pub const fn mood(&self, mood: Severity) -> Style {
        match mood {
            Severity::Good => self.good,
            Severity::Bad => self.bad,
            Severity::Warned => self.warn,
            Severity::Quiet => self.text,
        }
    }
}
