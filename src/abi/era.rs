//! Which kernel's rules hold (`khelper.era`).

/// Which kernel's rules hold.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum Era {
    /// The 3.4 release.
    V3_4,
    /// 6.4 and newer.
    Current,
}

impl Era {
    /// As `khelper.era` spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::V3_4 => "3.4",
            Self::Current => "current",
        }
    }
    /// Reads what `name` writes.
    pub fn parse(text: &str) -> Option<Self> {
        [Self::V3_4, Self::Current].into_iter().find(|e| e.name() == text)
    }
}
