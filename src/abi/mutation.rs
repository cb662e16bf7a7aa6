//! Deliberate mistakes, to show that the comparison with a real kernel detects them (`tests/vm`). They exist only in a
//! build with `--cfg khelper_mutations`; in every other build, `is` always returns false.

/// A mistake.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Mutation {
    /// The masks remove no capability.
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

    /// Its name as a command-line argument.
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

    /// The mistake with this name.
    pub fn parse(text: &str) -> Option<Self> {
        Self::ALL.into_iter().find(|m| m.name() == text)
    }
}

#[cfg(not(khelper_mutations))]
mod chosen {
    /// Whether to make the mistake: never in this build.
    pub const fn is(_: super::Mutation) -> bool {
        false
    }
}

#[cfg(khelper_mutations)]
mod chosen {
    use std::sync::OnceLock;

    use super::Mutation;

    static CHOSEN: OnceLock<Mutation> = OnceLock::new();

    /// Chooses the mistake of this process. Only the first choice counts.
    pub fn choose(mutation: Mutation) {
        // A second choice changes nothing.
        let _ = CHOSEN.set(mutation);
    }

    /// Whether to make the mistake.
    pub fn is(mutation: Mutation) -> bool {
        CHOSEN.get() == Some(&mutation)
    }
}

pub use chosen::*;
