//! The kernel version whose rules apply (`khelper.era`).

use serde::{Deserialize, Serialize};

/// The kernel version whose rules apply.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub enum Era {
    /// The 3.4 release.
    #[serde(rename = "3.4")]
    V3_4,
    /// 6.4 and newer.
    #[serde(rename = "current")]
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
