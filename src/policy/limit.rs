//! The limit on module requests in progress (REQ-3 to REQ-5).

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
}
