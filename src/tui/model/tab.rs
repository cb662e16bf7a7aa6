//! The screens, and the targets that they can show.

use std::borrow::Cow;

/// The screens.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Tab {
    /// The state at a glance.
    Overview,
    /// Both capability masks.
    Masks,
    /// Every request and helper.
    Activity,
    /// The engine's events.
    Log,
    /// Who may ask for what.
    Rules,
}

impl Tab {
    /// All of them, in the order of their keys.
    pub const ALL: [Self; 5] = [Self::Overview, Self::Masks, Self::Activity, Self::Log, Self::Rules];

    /// Its name.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Overview => "Overview",
            Self::Masks => "Masks",
            Self::Activity => "Activity",
            Self::Log => "Log",
            Self::Rules => "Rules",
        }
    }
}

/// A target that the screens can show.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct TargetTab {
    /// Its name.
    pub name: Cow<'static, str>,
    /// The screens show it.
    pub shown: bool,
    /// How many warnings it has got since it was shown last.
    pub unseen: usize,
}
