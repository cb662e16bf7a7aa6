//! Mistakes made on purpose, so that the comparison with a real kernel can be seen to notice them (`tests/vm`). They
//! exist only in a build with `--cfg khelper_mutations`; in every other one, `is` is a constant false.

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
    /// A helper keeps what its host's threads pass on: scheduling, I/O priority, timer slack and so on.
    ThreadKept,
    /// A helper keeps its host's core filter and what else execve(2) copies from its host's memory.
    MemoryKept,
    /// A helper keeps its host's session keyring.
    KeyringKept,
    /// A helper keeps its host's ignored real-time signals.
    RealTimeSignalsKept,
}

impl Mutation {
    /// All of them.
    pub const ALL: [Self; 9] = [
        Self::MasksNotApplied,
        Self::StatusShifted,
        Self::SlotLeaked,
        Self::EnvironmentGrown,
        Self::UmaskKept,
        Self::ThreadKept,
        Self::MemoryKept,
        Self::KeyringKept,
        Self::RealTimeSignalsKept,
    ];

    /// As an argument spells it.
    pub const fn name(self) -> &'static str {
        match self {
            Self::MasksNotApplied => "masks-not-applied",
            Self::StatusShifted => "status-shifted",
            Self::SlotLeaked => "slot-leaked",
            Self::EnvironmentGrown => "environment-grown",
            Self::UmaskKept => "umask-kept",
            Self::ThreadKept => "thread-kept",
            Self::MemoryKept => "memory-kept",
            Self::KeyringKept => "keyring-kept",
            Self::RealTimeSignalsKept => "real-time-signals-kept",
        }
    }

    /// Reads what `name` writes.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == text)
    }
}

#[cfg(not(khelper_mutations))]
mod chosen {
    /// Whether the mistake is to be made: never in this build.
    pub const fn is(_: super::Mutation) -> bool {
        false
    }
}

#[cfg(khelper_mutations)]
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
