//! Every text form of a mask (SYS-2, SYS-5).

use super::cap::CapMask;
use super::error::ParseError;

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
        let _ = (text, known);
        todo!()
    }

    /// The value asked for, before it is cut by what is live (SYS-4).
    pub fn resolve(self, current: CapMask, known: CapMask) -> CapMask {
        match self {
            Self::Exactly(mask) => mask,
            Self::Change { from_full, keep, drop } => (if from_full { known } else { current } | keep).minus(drop),
        }
    }
}

/// As the kernel prints it: two decimal 32-bit words, low word first, a tab between (SYS-2).
pub fn kernel_words(mask: CapMask) -> String {
    format!("{}\t{}", mask.bits() & 0xffff_ffff, mask.bits() >> 32)
}

/// One number, 16 digits: `0x000001ffffffffff`.
pub fn hex(mask: CapMask) -> String {
    format!("{:#018x}", mask.bits())
}

/// Names with commas; `full`, `empty` for those two.
pub fn names(mask: CapMask, known: CapMask) -> String {
    let _ = (mask, known);
    todo!()
}

/// systemd's CapabilityBoundingSet= form: names with blanks, or `~` and what is left out, whichever is shorter.
pub fn systemd(mask: CapMask, known: CapMask) -> String {
    let _ = (mask, known);
    todo!()
}

/// libcap's text form (cap_to_text(3)) for a permitted and effective set: `cap_x,cap_y=ep`, `all=ep`, `=`.
pub fn libcap(mask: CapMask, known: CapMask) -> String {
    let _ = (mask, known);
    todo!()
}
