//! Every text form of a mask (SYS-2, SYS-5).

mod forms;
mod parse;

use super::cap::CapMask;
use super::error::ParseError;

pub use forms::{every_form, hex, kernel_words, libcap, names, systemd};

/// What a text asks of a mask. Changes are resolved against the current value under the lock (SYS-5).
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum MaskExpr {
    /// This value.
    Exactly(CapMask),
    /// The current value (or full, where `full` came before) less `drop`; `keep` was named with `+`, which can only keep.
    Change {
        /// `full +cap_x -cap_y`: starts from every known capability, not from the current value.
        from_full: bool,
        /// Named with `+`.
        keep: CapMask,
        /// Named with `-`.
        drop: CapMask,
    },
}

impl MaskExpr {
    /// Reads any form of SYS-5. `known` holds the capabilities that the running kernel knows; a bit past them is
    /// `EINVAL`, but for `4294967295 4294967295`, which is full.
    pub fn parse(text: &[u8], known: CapMask) -> Result<Self, ParseError> {
        parse::parse(text, known)
    }

    /// The value asked for, before it is cut by what is live (SYS-4).
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
