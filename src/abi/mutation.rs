//! Mistakes made on purpose, so that the comparison with a real kernel can be seen to notice them (`tests/vm`). They
//! exist only in a build with the feature `mutations`; in every other `is` is a constant false and nothing is left of them.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The masks cut nothing.
    MasksNotApplied,
    /// A status is returned shifted: exit 1 as 1.
    StatusShifted,
    /// A caller that stops waiting keeps its slot.
    SlotLeaked,
    /// A helper gets one more variable.
    EnvironmentGrown,
    /// A helper keeps its host's umask.
    UmaskKept,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 5] =
        [Self::MasksNotApplied, Self::StatusShifted, Self::SlotLeaked, Self::EnvironmentGrown, Self::UmaskKept];

    /// As an argument spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MasksNotApplied => "masks-not-applied",
            Self::StatusShifted => "status-shifted",
            Self::SlotLeaked => "slot-leaked",
            Self::EnvironmentGrown => "environment-grown",
            Self::UmaskKept => "umask-kept",
        }
    }

    /// Reads what `name` writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == text)
    }
}

#[cfg(not(feature = "mutations"))]
mod chosen {
    /// Whether the mistake is to be made: never in this build.
    pub const fn is(_: super::Mutation) -> bool {
        false
    }
}

#[cfg(feature = "mutations")]
mod chosen {
    use std::sync::OnceLock;

    use super::Mutation;

    static CHOSEN: OnceLock<Mutation> = OnceLock::new();

    /// Chooses the mistake of this process, once and for good.
    pub fn choose(mutation: Mutation) {
        // A second choice changes nothing.
        let _ = CHOSEN.set(mutation);
    }

    /// Whether the mistake is to be made.
    pub fn is(mutation: Mutation) -> bool {
        CHOSEN.get() == Some(&mutation)
    }
}

pub use chosen::*;
