//! Capabilities: one table (name, bit, meaning), sets of them as 64-bit masks (capabilities(7)).

mod reading;
mod risk;
mod table;

use std::fmt;
use std::ops::{BitAnd, BitOr, Not};

use serde::de::Error as _;
use serde::{Deserialize, Serialize};

pub use reading::{ReadSet, ThreadSets};
pub use table::{CAPABILITIES, CapabilityInfo};

/// A capability by its bit, 0 to 63; bits past the table are shown as `cap_41` and on.
#[derive(Clone, Copy, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub struct Capability(u8);

impl Capability {
    /// CAP_SETPCAP.
    pub const SETPCAP: Self = Self(8);
    /// CAP_NET_ADMIN.
    pub const NET_ADMIN: Self = Self(12);
    /// CAP_SYS_MODULE.
    pub const SYS_MODULE: Self = Self(16);

    /// The capability of that bit; `None` from 64 on.
    pub const fn from_bit(bit: u8) -> Option<Self> {
        if bit < 64 { Some(Self(bit)) } else { None }
    }
    /// By name, with or without `cap_`, any case; or `cap_41` and on.
    pub fn from_name(name: &str) -> Option<Self> {
        let lower = name.to_ascii_lowercase();
        let bare = lower.strip_prefix("cap_").unwrap_or(&lower);
        let named = CAPABILITIES.iter().position(|c| &c.name[4..] == bare);
        // A bit past the table has exactly one spelling, that of `name`.
        let at = named.or_else(|| (CAPABILITIES.len()..64).find(|bit| bit.to_string() == bare))?;
        u8::try_from(at).ok().and_then(Self::from_bit)
    }
    /// Its bit.
    pub const fn bit(self) -> u8 {
        self.0
    }
    /// `cap_sys_module`.
    pub fn name(self) -> String {
        self.info().map_or_else(|| format!("cap_{}", self.0), |i| i.name.to_owned())
    }
    /// Its row in the table, where it has one.
    pub fn info(self) -> Option<&'static CapabilityInfo> {
        CAPABILITIES.get(usize::from(self.0))
    }
}

impl fmt::Debug for Capability {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(&self.name())
    }
}

/// A set of capabilities, one bit each.
#[derive(Clone, Copy, PartialEq, Eq, Hash, Default)]
pub struct CapMask(u64);

impl CapMask {
    /// No capability.
    pub const EMPTY: Self = Self(0);

    /// From the bits.
    pub const fn from_bits(bits: u64) -> Self {
        Self(bits)
    }
    /// Every capability up to `cap_last_cap` (/proc/sys/kernel/cap_last_cap), 63 at the most.
    pub const fn up_to(last: u8) -> Self {
        if last >= 63 { Self(u64::MAX) } else { Self((1 << (last + 1)) - 1) }
    }
    /// Just this one.
    pub const fn only(cap: Capability) -> Self {
        Self(1 << cap.0)
    }
    /// The bits.
    pub const fn bits(self) -> u64 {
        self.0
    }
    /// Whether `cap` is in the set.
    pub const fn has(self, cap: Capability) -> bool {
        self.0 & (1 << cap.0) != 0
    }
    /// Whether every capability of `other` is in it.
    pub const fn contains(self, other: Self) -> bool {
        self.0 & other.0 == other.0
    }
    /// The capabilities in this set and not in `other`.
    #[must_use]
    pub const fn minus(self, other: Self) -> Self {
        Self(self.0 & !other.0)
    }
    /// This set with `cap` added, or removed if it is in the set.
    #[must_use]
    pub const fn toggled(self, cap: Capability) -> Self {
        Self(self.0 ^ (1 << cap.0))
    }
    /// Whether the set is empty.
    pub const fn is_empty(self) -> bool {
        self.0 == 0
    }
    /// How many capabilities are in the set.
    pub const fn len(self) -> u32 {
        self.0.count_ones()
    }
    /// Its members by bit.
    pub fn iter(self) -> impl Iterator<Item = Capability> {
        (0..64).map(Capability).filter(move |c| self.has(*c))
    }
}

impl BitAnd for CapMask {
    type Output = Self;
    fn bitand(self, other: Self) -> Self {
        Self(self.0 & other.0)
    }
}
impl BitOr for CapMask {
    type Output = Self;
    fn bitor(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }
}
impl Not for CapMask {
    type Output = Self;
    fn not(self) -> Self {
        Self(!self.0)
    }
}
impl FromIterator<Capability> for CapMask {
    fn from_iter<I: IntoIterator<Item = Capability>>(caps: I) -> Self {
        caps.into_iter().fold(Self::EMPTY, |m, c| m | Self::only(c))
    }
}
impl fmt::Debug for CapMask {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        write!(f, "{:#x}", self.0)
    }
}
impl Serialize for CapMask {
    /// `"0x000001ffffffffff"`.
    fn serialize<S: serde::Serializer>(&self, s: S) -> Result<S::Ok, S::Error> {
        s.collect_str(&format_args!("{:#018x}", self.0))
    }
}

impl<'de> Deserialize<'de> for CapMask {
    /// Accepts only the serialized form.
    fn deserialize<D: serde::Deserializer<'de>>(d: D) -> Result<Self, D::Error> {
        let text = String::deserialize(d)?;
        let bits = text.strip_prefix("0x").filter(|digits| digits.bytes().all(|b| b.is_ascii_hexdigit()));
        let bits = bits.and_then(|digits| u64::from_str_radix(digits, 16).ok());
        bits.map(Self)
            .ok_or_else(|| D::Error::custom(format_args!("`{text}` is not a mask: give `0x` and 1 to 16 hex digits")))
    }
}

/// The five capability sets of a thread or process.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, Default, Serialize, Deserialize)]
pub struct CapSets {
    /// CapInh.
    pub inheritable: CapMask,
    /// CapPrm.
    pub permitted: CapMask,
    /// CapEff.
    pub effective: CapMask,
    /// CapBnd.
    pub bounding: CapMask,
    /// CapAmb.
    pub ambient: CapMask,
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_table_agrees_with_linux() {
        for known in caps::all() {
            let ours = CAPABILITIES[usize::from(known.index())];
            assert_eq!(ours.name, known.to_string().to_lowercase());
        }
        assert_eq!(caps::all().len(), CAPABILITIES.len());
    }

    #[test]
    fn every_row_has_two_lines_of_text_that_fit() {
        for row in &CAPABILITIES {
            assert!((1..=60).contains(&row.meaning.chars().count()), "{}", row.name);
            assert!((1..=72).contains(&row.without.chars().count()), "{}", row.name);
            assert!(!row.meaning.ends_with('.') && !row.without.ends_with('.'), "{}", row.name);
        }
    }

    #[test]
    fn names_go_both_ways_and_no_further() {
        for bit in 0..64 {
            let cap = Capability::from_bit(bit).unwrap();
            assert_eq!(Capability::from_name(&cap.name().to_uppercase()), Some(cap));
        }
        for none in ["", "cap_", "40", "cap_0", "cap_040", "cap_041", "cap_64", "cap_+41"] {
            assert_eq!(Capability::from_name(none), None, "{none}");
        }
    }
}
