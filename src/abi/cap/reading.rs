//! Capability sets, as far as they could be read: an unreadable set is not an empty one (UMH-10).

use serde::{Deserialize, Deserializer, Serialize, Serializer};

use super::{CapMask, CapSets, Capability};

/// A capability set of a thread, or the fact that it could not be read (for example, if a seccomp filter refuses the
/// system call and /proc is not mounted).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub enum ReadSet {
    /// It was read.
    Known(CapMask),
    /// It could not be read: it may contain any capability.
    Unreadable,
}

impl ReadSet {
    /// The set, if it was read.
    pub const fn known(self) -> Option<CapMask> {
        match self {
            Self::Known(mask) => Some(mask),
            Self::Unreadable => None,
        }
    }
    /// The upper bound: every capability if it could not be read.
    pub const fn at_most(self) -> CapMask {
        match self {
            Self::Known(mask) => mask,
            Self::Unreadable => CapMask::from_bits(u64::MAX),
        }
    }
    /// The lower bound: no capability if it could not be read.
    pub const fn at_least(self) -> CapMask {
        match self {
            Self::Known(mask) => mask,
            Self::Unreadable => CapMask::EMPTY,
        }
    }
    /// Whether it was read and contains nothing outside `limit`.
    pub const fn is_within(self, limit: CapMask) -> bool {
        match self {
            Self::Known(mask) => limit.contains(mask),
            Self::Unreadable => false,
        }
    }
    /// Whether it contains `cap`; `None` if it could not be read.
    pub const fn has(self, cap: Capability) -> Option<bool> {
        match self {
            Self::Known(mask) => Some(mask.has(cap)),
            Self::Unreadable => None,
        }
    }
    /// This set, or `other` if this one could not be read.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        match self {
            Self::Known(_) => self,
            Self::Unreadable => other,
        }
    }
}

impl From<Option<CapMask>> for ReadSet {
    fn from(read: Option<CapMask>) -> Self {
        read.map_or(Self::Unreadable, Self::Known)
    }
}

impl Serialize for ReadSet {
    /// The mask, or `null` if it could not be read.
    fn serialize<S: Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        self.known().serialize(s)
    }
}

impl<'de> Deserialize<'de> for ReadSet {
    fn deserialize<D: Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        Option::<CapMask>::deserialize(d).map(Self::from)
    }
}

/// The five capability sets of a thread, each as far as it could be read (capabilities(7)).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Serialize, Deserialize)]
pub struct ThreadSets {
    /// CapInh.
    pub inheritable: ReadSet,
    /// CapPrm.
    pub permitted: ReadSet,
    /// CapEff.
    pub effective: ReadSet,
    /// CapBnd.
    pub bounding: ReadSet,
    /// CapAmb.
    pub ambient: ReadSet,
}

impl ThreadSets {
    /// None of the five could be read.
    pub const UNREADABLE: Self = Self {
        inheritable: ReadSet::Unreadable,
        permitted: ReadSet::Unreadable,
        effective: ReadSet::Unreadable,
        bounding: ReadSet::Unreadable,
        ambient: ReadSet::Unreadable,
    };

    /// These sets, each replaced by that of `other` where it could not be read.
    #[must_use]
    pub const fn or(self, other: Self) -> Self {
        Self {
            inheritable: self.inheritable.or(other.inheritable),
            permitted: self.permitted.or(other.permitted),
            effective: self.effective.or(other.effective),
            bounding: self.bounding.or(other.bounding),
            ambient: self.ambient.or(other.ambient),
        }
    }
}

impl From<CapSets> for ThreadSets {
    fn from(sets: CapSets) -> Self {
        Self {
            inheritable: ReadSet::Known(sets.inheritable),
            permitted: ReadSet::Known(sets.permitted),
            effective: ReadSet::Known(sets.effective),
            bounding: ReadSet::Known(sets.bounding),
            ambient: ReadSet::Known(sets.ambient),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn umh_10_a_set_that_cannot_be_read_is_not_an_empty_set() {
        let (none, unread) = (ReadSet::Known(CapMask::EMPTY), ReadSet::Unreadable);
        assert_ne!(none, unread);
        assert_eq!((unread.at_most(), unread.at_least()), (!CapMask::EMPTY, CapMask::EMPTY));
        assert!(!unread.is_within(!CapMask::EMPTY) && none.is_within(CapMask::EMPTY));
        assert_eq!((unread.has(Capability::SETPCAP), none.has(Capability::SETPCAP)), (None, Some(false)));
        assert_eq!((unread.or(none), none.or(unread)), (none, none));
        assert_eq!(serde_json::to_string(&[unread, none]).unwrap(), r#"[null,"0x0000000000000000"]"#);
    }
}
