//! Every text form of a mask (SYS-2, SYS-5).

mod forms;
mod parse;

use serde::{Deserialize, Serialize};

use super::cap::CapMask;
use super::error::ParseError;

pub use forms::{every_form, hex, kernel_words, libcap, names, systemd};

/// The two masks together.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Default, Serialize, Deserialize)]
pub struct Masks {
    /// Limits the bounding set.
    pub bset: CapMask,
    /// Limits the inheritable set.
    pub inheritable: CapMask,
}

impl Masks {
    /// Both, in the order of their names.
    pub const fn new(bset: CapMask, inheritable: CapMask) -> Self {
        Self { bset, inheritable }
    }
}

impl From<(CapMask, CapMask)> for Masks {
    fn from((bset, inheritable): (CapMask, CapMask)) -> Self {
        Self { bset, inheritable }
    }
}

/// A requested mask or change of a mask. Changes are resolved against the current value under the lock (SYS-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq, Serialize, Deserialize)]
#[serde(rename_all = "snake_case")]
pub enum MaskExpr {
    /// This value.
    Exactly(CapMask),
    /// The current value without `drop`. `keep` was named with `+`, which can keep a capability but never add one.
    Change {
        /// `full +cap_x -cap_y`: starts from every known capability, not from the current value.
        from_full: bool,
        /// Named with `+`.
        keep: CapMask,
        /// Named with `-`.
        drop: CapMask,
    },
}

impl std::fmt::Display for MaskExpr {
    /// A form of SYS-5 that parses back to the same value.
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        let (from_full, keep, drop) = match self {
            Self::Exactly(mask) => return f.write_str(&hex(*mask)),
            Self::Change { from_full, keep, drop } => (*from_full, *keep, *drop),
        };
        let full = from_full.then(|| "full".to_owned());
        let signed = |mask: CapMask, sign: char| mask.iter().map(move |cap| format!("{sign}{}", cap.name()));
        let words: Vec<String> = full.into_iter().chain(signed(keep, '+')).chain(signed(drop, '-')).collect();
        f.write_str(&words.join(" "))
    }
}

impl MaskExpr {
    /// Reads any form of SYS-5. `known` is the set of capabilities that the running kernel knows; a bit past them is
    /// `EINVAL`, except for `4294967295 4294967295`, which is full.
    pub fn parse(text: &[u8], known: CapMask) -> Result<Self, ParseError> {
        parse::parse(text, known)
    }

    /// The requested value, before it is intersected with the current one (SYS-4).
    pub fn resolve(self, current: CapMask, known: CapMask) -> CapMask {
        match self {
            Self::Exactly(mask) => mask,
            Self::Change { from_full, keep, drop } => {
                let from = if from_full { known } else { current };
                (from | keep).minus(drop)
            }
        }
    }
}
