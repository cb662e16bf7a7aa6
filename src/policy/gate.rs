//! The gate in front of every call (GATE-1 to GATE-5).

/// How far the gate is shut.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
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
}
