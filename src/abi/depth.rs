//! The depth of the gate (GATE).

use serde::{Deserialize, Serialize};

/// The depth of the gate: which callers it stops.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum Depth {
    /// Calls pass.
    Enabled,
    /// Calls are refused; readers wait.
    Freezing,
    /// Calls and readers are refused.
    Disabled,
}

impl Depth {
    /// As `khelper.gate` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::Enabled => "enabled",
            Self::Freezing => "freezing",
            Self::Disabled => "disabled",
        }
    }

    /// Reads what `name` writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::Enabled, Self::Freezing, Self::Disabled].into_iter().find(|d| d.name() == text)
    }
}
